"""The timelines of two database clusters: whether one has everything that the other wrote, and where they parted.

Postgres numbers timelines one after the other. So two clusters that are promoted independently can both be on timeline 2, with
different WAL, and neither Postgres nor pg_rewind notices it. This module compares the WAL itself before it trusts a number."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Callable, NamedTuple

from surroundings import REPLICATION, Failure, Wanted, control_data, data_directory, run

# How much WAL is compared: more than one header of a record, which contains a checksum, after one header of a page.
COMPARED = 96

# How many transactions are counted.
COUNTED = 1000


class Line(NamedTuple):
    """The part of a database cluster's history on one timeline, from `begin` to `end` (LSN)."""

    timeline: int
    begin: int
    end: int


def lsn(text: str) -> int:
    """Parse an LSN as Postgres writes it."""
    upper, lower = text.strip().split("/")
    return (int(upper, 16) << 32) + int(lower, 16)


def written(position: int) -> str:
    """Write an LSN as Postgres does."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def lines_of(history: str, timeline: int, end: int) -> list[Line]:
    """Return the lines of a database cluster that is at `end` on `timeline`. `history` is the content of the history file of that
    timeline (PostgreSQL, "Timelines"); the first timeline has none."""
    found, begin = [], 0
    for text in history.splitlines():
        words = text.split("#")[0].split()
        if len(words) >= 2:
            found.append(Line(int(words[0]), begin, lsn(words[1])))
            begin = lsn(words[1])
    return [*found, Line(timeline, begin, end)]


def parting(ours: list[Line], theirs: list[Line]) -> tuple[Line, Line, int] | None:
    """Return the last line that both have, as each has it, and the LSN up to which both have it. None if there is none."""
    common = None
    for our, their in zip(ours, theirs):
        if (our.timeline, our.begin) != (their.timeline, their.begin):
            break
        common = our, their, min(our.end, their.end)
    return common


def segment(timeline: int, position: int, size: int) -> str:
    """Return the name of the WAL file with this LSN."""
    number, per_log = position // size, 0x100000000 // size
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


def control(wanted: Wanted) -> dict[str, str]:
    """Return what `pg_controldata` says about the data directory, whether Postgres runs or not."""
    path = os.pathsep.join([*wanted.settings["programDirectories"], os.environ.get("PATH", os.defpath)])
    return control_data(data_directory(), PATH=path)


def last_timeline(control: dict[str, str]) -> int:
    """Return the timeline of a database cluster from its control file."""
    return int(control["Latest checkpoint's TimeLineID"])


class Server:
    """A Postgres: our own, without `source`, or the one at `host` and `port` of the section `standby_cluster`."""

    def __init__(self, source: dict[str, Any] | None = None) -> None:
        self.name = f"the source at {source['host']}" if source else "this instance"
        self.words = ["dbname=postgres", "connect_timeout=5"]
        # The rule for local connections does not match `replication`, but it matches a database.
        self.replication = "replication=database"
        if source:
            self.replication = "replication=true"
            self.words += [f"host={source['host']}", f"port={source.get('port', 5432)}", "user=_crunchyrepl", "sslmode=verify-ca"]
            files = (("sslcert", "tls.crt"), ("sslkey", "tls.key"), ("sslrootcert", "ca.crt"))
            self.words += [f"{word}={REPLICATION / name}" for word, name in files]

    def ask(self, command: str, *words: str) -> str:
        """Run one command."""
        target = " ".join([*self.words, *words])
        psql = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only", f"--command={command}", target]
        result = run(psql, 30, PGAPPNAME="caretaker", PGOPTIONS="-c statement_timeout=20s -c search_path=pg_catalog")
        if result.returncode != 0:
            problem = " ".join(result.stderr.split())[:300]
            raise Failure(f"{self.name} does not answer: {problem}")
        return result.stdout.strip()

    def identity(self) -> tuple[str, int, int]:
        """Return the system identifier, the timeline, and the LSN up to which its WAL is on disk."""
        system, timeline, position, *_ = self.ask("IDENTIFY_SYSTEM", self.replication).split("|")
        return system, int(timeline), lsn(position)

    def history(self, timeline: int) -> str:
        """Return the history file of a timeline."""
        if timeline == 1:
            return ""
        content = self.ask(f"TIMELINE_HISTORY {timeline}", self.replication).split("|", 1)[1]
        return bytes.fromhex(content[2:]).decode() if content.startswith("\\x") else content

    def waits_for_wal(self) -> bool:
        """Whether a standby has replayed all WAL that it has. Otherwise, the end of its WAL is not known yet."""
        waits = "wait_event IN ('RecoveryRetrieveRetryInterval', 'RecoveryWalAll', 'RecoveryWalStream')"
        return self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup' AND {waits}") == "1"

    def recovers(self) -> bool:
        """Whether it is a standby."""
        return self.ask("SELECT pg_catalog.pg_is_in_recovery()") == "t"

    def started(self) -> str:
        """Return when it started, in seconds with six decimals. No two servers started in the same microsecond."""
        return self.ask("SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())")

    def write(self) -> None:
        """Write a small record to WAL."""
        self.ask("SELECT pg_catalog.pg_logical_emit_message(false, 'standby', '')")

    def wal(self, name: str, offset: int) -> str | None:
        """Return a piece of a WAL file as hexadecimal digits; None if it does not have the file."""
        read = f"pg_catalog.pg_read_binary_file('pg_wal/{name}', {offset}, {COMPARED}, true)"
        return self.ask(f"SELECT pg_catalog.encode({read}, 'hex')") or None


def our_wal(name: str, offset: int) -> str | None:
    """Return a piece of our own WAL file."""
    try:
        with open(data_directory() / "pg_wal" / name, "rb") as file:
            file.seek(offset)
            return file.read(COMPARED).hex()
    except FileNotFoundError:
        return None


def is_same(
    line: Line, until: int, newest: int, data: dict[str, str], ask: Callable[[str, int], str | None]
) -> bool | None:
    """Whether a line that both have up to `until` is the same in both, and not only numbered the same. None if neither can be
    proved. `newest` is the timeline of the source, and `ask` reads a piece of one of its WAL files.

    The WAL at the beginning of a timeline contains the time of the promotion, and that of a checkpoint the time of the checkpoint.
    The first timeline begins with the database cluster itself."""
    size = int(data["Bytes per WAL segment"])
    places = [line.begin] if line.timeline > 1 else []
    if last_timeline(data) == line.timeline:
        places += [lsn(data["Latest checkpoint location"])]
    for place in places:
        if not line.begin <= place <= until - COMPARED or place % size > size - COMPARED:
            continue
        ours = first_piece(our_wal, line.timeline, last_timeline(data), place, size)
        theirs = first_piece(ask, line.timeline, newest, place, size)
        if ours and theirs:
            return ours == theirs
    return True if line.timeline == 1 else None


def first_piece(
    ask: Callable[[str, int], str | None], timeline: int, newest: int, place: int, size: int
) -> str | None:
    """Return the WAL at `place` from the first file that has it. After a promotion, the file has another name, or was replaced by
    its copy on a later timeline. `newest` comes from a control file, which may be of an earlier timeline: a standby writes it at its next
    restart point."""
    names = [segment(number, place, size) for number in range(timeline, max(timeline, newest) + 1)][:50]
    names.insert(1, f"{names[0]}.partial")
    return next((piece for name in names if (piece := ask(name, place % size))), None)


def transactions(wanted: Wanted, ours: list[Line], since: int) -> int | None:
    """Count the transactions that were committed on these lines after an LSN, at most COUNTED. None if the WAL is not there.

    The transactions of background processes, for example of autovacuum, count too."""
    count = 0
    path = os.pathsep.join([*wanted.settings["programDirectories"], os.environ.get("PATH", os.defpath)])
    for line in ours:
        begin = max(line.begin, since)
        if begin >= line.end:
            continue
        command = ["pg_waldump", f"--path={data_directory() / 'pg_wal'}", f"--timeline={line.timeline}", "--rmgr=Transaction"]
        command += [f"--start={written(begin)}", f"--end={written(line.end)}", f"--limit={COUNTED}"]
        try:
            result = run(command, 60, LC_ALL="C", PATH=path)
        except Failure:
            return None
        if result.returncode != 0 and "invalid record length" not in result.stderr:
            return None
        count += len(re.findall(r"desc: (?:COMMIT|PREPARE)", result.stdout))
    return min(count, COUNTED)


def own_history(timeline: int) -> str:
    """Return our own history file of a timeline."""
    if timeline == 1:
        return ""
    try:
        return Path(data_directory() / "pg_wal" / f"{timeline:08X}.history").read_text()
    except OSError as error:
        raise Failure(f"the history of timeline {timeline} is missing: {error}") from None
