"""A standby cluster follows a repository in object storage, and two clusters never archive there at the same time."""

from __future__ import annotations

import time
from typing import Any

import object_server
from framework import Test, hippo, instance_sets, until

from scenarios.clone import archived
from scenarios.standby import ACCEPT
from scenarios.switch_roles import insert, rows, says

REPOSITORY = {"enabled": True, "repoName": "repo1"}


def cluster(test: Test, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a cluster with one instance, whose repository is the same path in object storage for all clusters."""
    repository = {**object_server.repository(test), "schedules": {"full": "0 1 1 1 *"}}
    pgbackrest = {
        "configuration": [{"secret": {"name": object_server.SECRET}}],
        "global": object_server.options("/shared"),
        "repos": [repository],
    }
    made = hippo(instances=instance_sets(instance1=1), backups={"pgbackrest": pgbackrest}, **spec)
    made["metadata"]["name"] = test.cluster
    made["metadata"]["annotations"].update(annotations or {})
    del made["spec"]["proxy"]
    return made


def has(test: Test, expected: str) -> bool:
    """Whether the instance has these rows."""
    return rows(test, test.instances()[0]) == expected


def newest(test: Test) -> str:
    """Return the newest WAL segment of the source in the archive."""
    files = [path.rsplit("/", 1)[1] for path in object_server.objects(test, "shared/archive")]
    return max(name[:24] for name in files if name.startswith("00000001"))


def timelines(test: Test) -> set[str]:
    """Return the timelines in the archive."""
    files = [path.rsplit("/", 1)[1] for path in object_server.objects(test, "shared/archive")]
    return {name[:8] for name in files if name.startswith("0000000")}


def run(test: Test) -> None:
    """Follow the archive, stream and catch up from the archive; then promote while the source still archives."""
    source, follower = test, test.beside("rhino")
    object_server.start(test)
    # Without this, Patroni keeps WAL that the standby would have missed otherwise.
    config = {"parameters": {"wal_keep_size": "0", "min_wal_size": "32MB", "max_wal_size": "48MB"}}
    source.apply(cluster(source, ACCEPT, config=config))
    source.wait_until_well(1, 120)
    source.superuser(source.leader(), "CREATE TABLE words (number serial, word text)")
    until("there is a backup", source.backups, 180, pause=1)
    insert(source, "a")
    archived(source)

    applied = follower.apply(cluster(follower, standby=REPOSITORY))
    until("the standby has the rows", lambda: has(follower, "a"), 180)
    test.figure("a standby of a repository has all rows", time.time() - applied)
    insert(source, "b")
    archived(source)
    waited = until("the standby follows the archive", lambda: has(follower, "a b"), 60)
    test.figure("what was archived is in the standby", waited)
    test.expect(test.get("cronjob", "rhino-repo1-full")["spec"]["suspend"], "the standby takes backups")
    test.expect(len(source.backups()) == 1, "the standby has taken a backup")

    # Both sources: what was missed comes from the archive, the rest streams.
    both = {**REPOSITORY, "host": "hippo-primary"}
    follower.apply(cluster(follower, standby=both, shutdown=True))
    until("the standby is stopped", lambda: not follower.instances(), 120)
    for word in "cde":
        insert(source, word)
        archived(source)
        source.superuser(source.leader(), "CHECKPOINT")
    follower.apply(cluster(follower, standby=both))
    streams = "SELECT status FROM pg_stat_wal_receiver"
    until("it streams", lambda: follower.superuser(follower.leader(), streams) == "streaming", 180)
    insert(source, "f")
    until("it has all rows", lambda: has(follower, "a b c d e f"))

    # It is promoted while the source still runs and archives.
    applied = follower.apply(cluster(follower, ACCEPT))
    until("it writes", lambda: insert(follower, "g"), 60, pause=0.1)
    test.figure("promotion of a standby with object storage: first write", time.time() - applied, target=5)
    until("it waits", lambda: says(follower, "archiving starts when nothing", applied), 60)
    insert(source, "lost")
    archived(source)
    until("it says that the source still archives", lambda: says(follower, "another cluster still archives", applied), 60)
    test.expect(timelines(test) == {"00000001"}, f"the archive has {timelines(test)}")

    # When nothing arrives from the source any more, the promoted cluster archives, and the source no longer does.
    # Background processes write too, and `archive_timeout` makes each of their records arrive.
    config["parameters"]["archive_timeout"] = "1h"
    quiet = source.apply(cluster(source, ACCEPT, config=config))
    until("it archives", lambda: timelines(test) == {"00000001", "00000002"}, 400, pause=2)
    test.figure("a promoted standby archives after the last WAL of its source", time.time() - quiet)
    archived(follower)
    config["parameters"]["work_mem"] = "5MB"
    changed = source.apply(cluster(source, ACCEPT, config=config))
    until("the source says why it does not archive", lambda: says(source, "another cluster was promoted", changed), 60)
    command = "SELECT current_setting('archive_command') LIKE '%nothing is archived%'"
    until("Postgres knows it", lambda: source.superuser(source.leader(), command) == "t", 60)
    before = newest(test)
    insert(source, "lost")
    source.superuser(source.leader(), "SELECT pg_switch_wal()")
    until("its archiver fails", lambda: int(source.superuser(source.leader(), "SELECT failed_count FROM pg_stat_archiver")), 120)
    test.expect(newest(test) == before, f"the source still archives: {before}, then {newest(test)}")

    # The source becomes a standby of the promoted cluster.
    follow = {"enabled": True, "host": "rhino-primary", "repoName": "repo1"}
    changed = source.apply(cluster(source, ACCEPT, standby=follow))
    until("it says what it would lose", lambda: says(source, 'discard-timeline: "1"', changed), 120)
    source.apply(cluster(source, {**ACCEPT, "pgrender.dev/discard-timeline": "1"}, standby=follow))
    until("it has the rows of the other", lambda: has(source, "a b c d e f g"), 180)
    insert(follower, "h")
    until("it follows the other", lambda: has(source, "a b c d e f g h"), 60)
