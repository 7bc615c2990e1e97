"""A standby cluster that was a primary before. It must not lose silently what it wrote.

When Patroni gets the section `standby_cluster`, it makes the leader a standby and, if the WAL of the source differs, runs pg_rewind,
which discards transactions without a word. So this module first gives Patroni a section without a source: nothing is written any
more, and nothing is discarded. Patroni gets the source when the source has everything, or when the user has agreed to discard
the rest. After that, this cluster writes nothing itself, and if its source loses something, pg_rewind follows it.

The record of this is an annotation of the Endpoints `<cluster>-primary`:

    {"wrote": 3}              this cluster was on timeline 3, and its source is not known to have everything
    {"trusted": "host:5432"}  it was a standby of that source, and may follow it again
    {"used": 3}               its own repositories may have timelines up to 3 that its source does not have
    {"followed": 3}           this cluster followed others up to timeline 3, so its own repositories lack WAL of that time"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from lineage import (
    COUNTED,
    Server,
    control,
    is_same,
    last_timeline,
    lines_of,
    own_history,
    parting,
    transactions,
    written,
)
from owner import held, newest_history
from postgres import psql
from surroundings import (
    STANDBY,
    Failure,
    Wanted,
    data_directory,
    find,
    kubernetes,
    log,
    patroni,
    primary_path,
)

# Files for the timelines whose numbers Postgres must not use again when it is promoted (`restore_command`).
USED_TIMELINES = Path("/tmp/used-timelines")

# A section that makes the cluster a standby, and that names no source (Patroni, `is_standby_cluster`).
WITHOUT_SOURCE = {"create_replica_methods": [], "restore_command": "false"}

KEPT = "This cluster is read-only and follows nothing, so nothing is lost"
ANEW = f"{KEPT}. Dump what you need from it, then make it anew from its source, as docs/standby.md says"

# How long to wait before asking again whether the source has everything.
WAIT_SECONDS = 2


def source_of(configuration: Any) -> dict[str, Any]:
    """Return the section `standby_cluster` if it makes the cluster a standby, as Patroni decides it."""
    section = configuration.get("standby_cluster") or {}
    return section if any(section.get(name) for name in ("host", "port", "restore_command")) else {}


def recorded(wanted: Wanted) -> dict[str, Any]:
    """Return the record."""
    there = find(primary_path(wanted)) or {"metadata": {}}
    found: dict[str, Any] = json.loads(there["metadata"].get("annotations", {}).get(STANDBY, "{}"))
    return found


def record(wanted: Wanted, **changes: int | str | None) -> None:
    """Change the record. None removes an entry."""
    after = {name: value for name, value in {**recorded(wanted), **changes}.items() if value is not None}
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": {STANDBY: json.dumps(after, sort_keys=True)}}})


def adjusted(wanted: Wanted, there: Any) -> Any:
    """Return the configuration for Patroni: the rendered one, but without the source as long as it must not be followed.

    `there` is the configuration that Patroni has now."""
    right = copy.deepcopy(wanted.settings["dynamicConfiguration"])
    follows, followed = source_of(right), source_of(there)
    if follows:
        shutil.rmtree(USED_TIMELINES, ignore_errors=True)
    if follows and not followed:
        demote(wanted)
    if follows and followed and is_another(follows, followed) and "wrote" not in recorded(wanted):
        distrust(wanted, followed)
    if follows and "wrote" in recorded(wanted):
        right["standby_cluster"] = WITHOUT_SOURCE
    if followed and not follows:
        promote(wanted, followed)
    return held(wanted, there, right, bool(follows), bool(followed))


def demote(wanted: Wanted) -> None:
    """Prepare the primary for its end. The checkpoint makes the restart short, because Patroni before 4.1 stops Postgres as if it
    crashed."""
    timeline = int("".join(psql("SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn())"))[:8], 16)
    record(wanted, wrote=timeline, used=timeline, followed=None, trusted=None)
    log(f"this primary becomes a standby, and follows its source only when nothing is missing there of what it wrote on timeline {timeline}")
    try:
        psql("CHECKPOINT")
    except Failure as failure:
        log(f"the checkpoint before that failed: {failure}")


def is_another(source: dict[str, Any], followed: dict[str, Any]) -> bool:
    """Whether a standby that follows `followed` is to stream from another server, which may have other data."""
    return bool(source.get("host")) and place_of(source) != place_of(followed)


def place_of(source: dict[str, Any]) -> str:
    """Return the host and the port of a source."""
    return f"{source.get('host')}:{source.get('port', 5432)}"


def distrust(wanted: Wanted, followed: dict[str, Any]) -> None:
    """Make a standby whose source changes follow the new one only if that has everything, as if it was a primary. Timelines of two
    servers with the same number may be different."""
    _, timeline, _ = Server().identity()
    record(wanted, wrote=timeline, trusted=place_of(followed))
    log(f"this standby has another source now, and follows it when nothing is missing there of what is here on timeline {timeline}")


def promote(wanted: Wanted, followed: dict[str, Any]) -> None:
    """Record which backups are too old for a replica: between them and the promotion there is WAL that was not archived here."""
    _, timeline, position = Server().identity()
    shared = followed.get("restore_command") not in (None, WITHOUT_SOURCE["restore_command"])
    record(wanted, wrote=None, trusted=None, followed=None if shared else timeline)
    USED_TIMELINES.mkdir(exist_ok=True)
    for used in range(timeline + 1, recorded(wanted).get("used", 0) + 1):
        (USED_TIMELINES / f"{used:08X}.history").touch()
        # A standby asks its source for the history of every timeline up to the newest (PostgreSQL, `WalRcvFetchTimeLineHistoryFiles`),
        # and never follows this one, which begins before everything that it has.
        history = data_directory() / "pg_wal" / f"{used:08X}.history"
        if not history.exists():
            new = history.with_suffix(".new")
            new.write_text(f"{timeline}\t0/1\tnot used, because its number was used before\n")
            new.replace(history)
    log(f"this standby becomes a primary: promoting it on timeline {timeline} at {written(position)}")


def configure_stopped(wanted: Wanted) -> None:
    """Configure a stopped cluster as a standby before its first instance starts. Otherwise Patroni would first start it as the
    primary that it was before, on a new timeline. If its data was deleted, nothing can be lost, so it follows its source."""
    right = copy.deepcopy(wanted.settings["dynamicConfiguration"])
    if not source_of(right):
        return
    path = f"/endpoints/{wanted.cluster}-ha-config"
    endpoints = find(path) or {"metadata": {}}
    annotations = endpoints["metadata"].get("annotations", {})
    there = json.loads(annotations.get("config") or "{}")
    if (data_directory() / "PG_VERSION").exists():
        if not there or source_of(there):
            return
        timeline = last_timeline(control(wanted))
        record(wanted, wrote=timeline, used=timeline, followed=None)
        right["standby_cluster"] = WITHOUT_SOURCE
        news = f"this cluster starts as a standby, and was a primary on timeline {timeline}"
    else:
        if annotations.get("initialize") or source_of(there) != WITHOUT_SOURCE:
            return
        record(wanted, wrote=None)
        news = "this cluster has no data and is made anew from its source"
    change = {"annotations": {"config": json.dumps(right)}, "resourceVersion": endpoints["metadata"]["resourceVersion"]}
    kubernetes("PATCH", path, {"metadata": change})
    log(f"pre-start: {news}")


def follow_source(wanted: Wanted) -> float | None:
    """Let a former primary follow its source as soon as it loses nothing by that."""
    source = source_of(wanted.settings["dynamicConfiguration"])
    if not source or "wrote" not in recorded(wanted):
        return None
    if not source_of(patroni("GET", "/config")):
        return WAIT_SECONDS  # it is not a standby yet
    if source.get("host") and recorded(wanted).get("trusted") == place_of(source):
        news: str | None = f"this cluster follows the source at {source['host']} again"
    elif source.get("host"):
        news = compared(wanted, source)
    else:
        news = compared_with_archive(wanted)
    if news is None:
        return WAIT_SECONDS
    record(wanted, wrote=None, trusted=None)
    log(news)
    patroni("PATCH", "/config", {"standby_cluster": {**dict.fromkeys(WITHOUT_SOURCE), **source}})
    return None


def starts_of(wanted: Wanted) -> set[str]:
    """Return when the instances of this cluster started. One that does not answer cannot be a source either."""
    found = set()
    for member in wanted.members(patroni("GET", "/cluster")):
        try:
            found.add(Server({"host": member["host"], "port": member["port"]}).started())
        except (Failure, KeyError):
            pass
    return found


def compared(wanted: Wanted, source: dict[str, Any]) -> str | None:
    """Compare this cluster with its source. Return what the log says if it may be followed, and None if it is too early to say.
    Otherwise fail."""
    here, there = Server(), Server(source)
    if not here.waits_for_wal():
        return None
    (system, timeline, end), (their_system, their_timeline, their_end) = here.identity(), there.identity()
    if their_system != system:
        raise Failure(f"{there.name} is another database: its system identifier is {their_system}, and ours is {system}")
    if there.started() in starts_of(wanted):
        raise Failure(f"{there.name} is this cluster itself. {KEPT}. Write the host of another cluster in `spec.standby.host`")
    recovers = there.recovers()
    ours = lines_of(own_history(timeline), timeline, end)
    theirs = lines_of(there.history(their_timeline), their_timeline, their_end)
    found = parting(ours, theirs)
    if found is None:
        raise Failure(f"{there.name} has no timeline in common with this cluster. {ANEW}")
    our, their, point = found
    same = is_same(our, point, their_timeline, control(wanted), there.wal)
    both_last = our == ours[-1] and their == theirs[-1]
    if both_last and recovers and point < end and same is not False:
        return None  # it is a standby that has not received everything yet
    if both_last and not recovers and "trusted" not in recorded(wanted):
        same = False  # this cluster was a primary, and one that was promoted after it would be on a later timeline
    if not same:
        raise Failure(
            f"timeline {our.timeline} of this cluster "
            f"{'is not' if same is False else 'cannot be proved to be'} the timeline {our.timeline} of {there.name}. {ANEW}"
        )
    if our == ours[-1] and point >= end:
        return f"{there.name} has everything up to {written(end)} on timeline {timeline}, so this cluster follows it now"
    if recovers:
        raise Failure(f"{there.name} is a standby itself, and left timeline {our.timeline} at {written(point)}. {KEPT}")
    return discarded(wanted, ours, our.timeline, point)



def discarded(wanted: Wanted, ours: list[Any], timeline: int, point: int) -> str:
    """Return what the log says if everything after an LSN may be discarded. Otherwise fail."""
    last = ours[-1]
    count = transactions(wanted, ours, point)
    many = "an unknown number of" if count is None else f"at least {count}" if count == COUNTED else str(count)
    what = (
        f"{many} transactions that the source does not have, on timeline {last.timeline} up to {written(last.end)}; the source left "
        f"timeline {timeline} at {written(point)}"
    )
    if count == 0 or wanted.settings["discardTimeline"] == last.timeline:
        return f"discarding {what}: Patroni rewinds this cluster with pg_rewind"
    raise Failure(
        f"this cluster wrote {what}. {KEPT}. To discard them, annotate the cluster with "
        f'`pgrender.dev/discard-timeline: "{last.timeline}"`; to keep them, dump them first, or remove `spec.standby`'
    )


def wake_source(wanted: Wanted) -> None:
    """Let the source write a record while an instance of this standby cluster starts. After pg_rewind, Postgres accepts connections
    when it has the WAL up to where the source was then, and if that is in the header of a new WAL file, it has it only when the
    source has written a record after it. An idle source might not do that for hours."""
    source = source_of(wanted.settings["dynamicConfiguration"])
    if not source.get("host") or not starts():
        return
    try:
        Server(source).write()
    except Failure:
        pass  # the source may be away or a standby, and the instance may start for other reasons


def starts() -> bool:
    """Whether Postgres starts as a standby: the last line of its lock file says so (PostgreSQL, src/include/utils/pidfile.h)."""
    try:
        state = (data_directory() / "postmaster.pid").read_text().split("\n")[7].strip()
    except (OSError, IndexError):
        return False
    return state == "starting" and (data_directory() / "standby.signal").exists()


def compared_with_archive(wanted: Wanted) -> str | None:
    """Do the same for a source that is only a repository: read the history of the newest timeline from it."""
    here = Server()
    if not here.waits_for_wal():
        return None
    _, timeline, end = here.identity()
    newest, history = newest_history(timeline)
    if newest == timeline:
        return f"the repository has no timeline after {timeline}, so this cluster follows it now"
    ours, theirs = lines_of(own_history(timeline), timeline, end), lines_of(history, newest, end)
    found = parting(ours, theirs)
    if found and found[0] == ours[-1] and found[2] >= end:
        return f"timeline {newest} in the repository continues from {written(found[2])}, so this cluster follows it now"
    where = f"left timeline {found[0].timeline} at {written(found[2])}" if found else "has nothing in common with ours"
    raise Failure(f"timeline {newest} in the repository {where}, and this cluster is at {written(end)} on timeline {timeline}. {ANEW}")
