"""The caretaker's decisions, without a cluster: which member restarts or takes over, what is missing, when to try again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "postgres_cluster" / "caretaker"))

import backups
import caretaker
import members
import pod
import pre_start
import pre_stop
import slices
import surroundings


def member(name: str, role: str = "replica", **more: Any) -> dict[str, Any]:
    """A member as Patroni's `GET /cluster` shows it."""
    state = "running" if role == "leader" else "streaming"
    return {"name": name, "role": role, "state": state, "lag": 0, **more}


def waiting(name: str, settings: dict[str, tuple[str, str]], role: str = "replica") -> dict[str, Any]:
    """A member with pending settings: the old and the new value of each."""
    reasons = {setting: {"old_value": old, "new_value": new} for setting, (old, new) in settings.items()}
    return member(name, role, pending_restart=True, pending_restart_reason=reasons)


class Members(unittest.TestCase):
    """Which pods count as members."""

    def test_a_pod_of_another_cluster_is_none_however_it_is_labelled(self) -> None:
        sets = [{"name": "a", "replicas": 2}, {"name": "b", "replicas": 1}]
        wanted = surroundings.Wanted({"cluster": "hippo", "instanceSets": sets}, {})
        there = ["hippo-a-0", "hippo-a-1", "hippo-a-2", "hippo-b-0", "zebra-a-0", "hippo-a-0-0"]
        ours = wanted.members({"members": [member(name) for name in there]})
        self.assertEqual([there["name"] for there in ours], ["hippo-a-0", "hippo-a-1", "hippo-b-0"])


class Leader(unittest.TestCase):
    """How soon a pod learns its role."""

    def ages(self, role: str, standby: bool) -> float:
        """For how many seconds an answer of Patroni counts, while the file `standby.signal` does not change."""
        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch.dict(os.environ, PGDATA=directory):
            if standby:
                (Path(directory) / "standby.signal").touch()
            leadership = surroundings.Leadership()
            leadership.role, leadership.standby = role, standby
            for age in (0.0, 1.0, 11.0):
                leadership.asked = time.monotonic() - age
                before = leadership.asked
                with unittest.mock.patch.object(leadership, "ask", lambda: role):
                    leadership.now()
                if leadership.asked != before:
                    return age
            return float("inf")

    def test_an_answer_counts_until_the_role_may_have_changed(self) -> None:
        self.assertEqual(self.ages("primary", standby=False), 11)
        self.assertEqual(self.ages("replica", standby=True), 11)
        self.assertEqual(self.ages("standby_leader", standby=True), 11)
        self.assertEqual(self.ages("replica", standby=False), 1)

    def test_no_answer_is_asked_for_again(self) -> None:
        self.assertEqual(self.ages("", standby=False), 1)
        self.assertEqual(self.ages("", standby=True), 1)


class Configuration(unittest.TestCase):
    """What of Patroni's configuration is replaced."""

    def configured(self, there: dict[str, Any], **settings: Any) -> list[Any]:
        """The requests to Patroni that change something."""
        right = {"loop_wait": 10, **settings}
        calls: list[Any] = []

        def patroni(method: str, path: str, *body: Any) -> Any:
            if method == "GET":
                return there
            calls.append((method, path, *body))

        with (
            unittest.mock.patch.object(members, "patroni", patroni),
            unittest.mock.patch.object(members, "adjusted", lambda *_: right),
        ):
            members.dynamic_configuration(surroundings.Wanted({"dynamicConfiguration": right}, {}))
        return calls

    def test_what_differs_is_replaced_and_patroni_wakes(self) -> None:
        self.assertEqual(self.configured({"loop_wait": 10}), [])
        changed = [("PUT", "/config", {"loop_wait": 10}), ("PATCH", "/config", {"loop_wait": 10})]
        self.assertEqual(self.configured({"loop_wait": 10, "ttl": 5}), changed)

    def test_a_pause_by_hand_stays(self) -> None:
        self.assertEqual(self.configured({"loop_wait": 10, "pause": True}), [])
        self.assertEqual(self.configured({"loop_wait": 10, "pause": True}, pause=False)[0][2]["pause"], False)


class Restarts(unittest.TestCase):
    """The order of restarts."""

    def order(self, *who: dict[str, Any], **leader_has: str) -> list[str]:
        """Restart until no member waits, as the caretaker does. After the restart, the leader has the new values."""
        names = []
        while (chosen := members.next_restart(list(who), leader_has)) is not None:
            names.append(chosen["name"])
            if chosen["role"] == "leader":
                leader_has |= {name: value["new_value"] for name, value in chosen["pending_restart_reason"].items()}
            chosen["pending_restart"] = False
        return names

    def test_a_raised_setting_reaches_replicas_first(self) -> None:
        raised = {"max_connections": ("100", "200")}
        who = [waiting("a", raised, "leader"), waiting("b", raised), waiting("c", raised)]
        self.assertEqual(self.order(*who, max_connections="100"), ["b", "c", "a"])

    def test_a_lowered_setting_reaches_the_leader_first(self) -> None:
        lowered = {"max_connections": ("200", "100")}
        who = [waiting("a", lowered), waiting("b", lowered, "leader"), waiting("c", lowered)]
        self.assertEqual(self.order(*who, max_connections="200"), ["b", "a", "c"])

    def test_a_lowered_setting_waits_for_a_leader_that_does_not_know_it_yet(self) -> None:
        lowered = {"max_connections": ("200", "100")}
        self.assertEqual(self.order(member("a", "leader"), waiting("b", lowered), max_connections="200"), [])

    def test_other_settings_try_replicas_first(self) -> None:
        other = {"shared_buffers": ("128MB", "64MB")}
        self.assertEqual(self.order(waiting("a", other, "leader"), waiting("b", other)), ["b", "a"])

    def test_a_raised_setting_beside_a_lowered_one_reaches_replicas_first(self) -> None:
        both = {"max_connections": ("200", "100"), "max_wal_senders": ("10", "20")}
        who = [waiting("a", both, "leader"), waiting("b", both)]
        self.assertEqual(self.order(*who, max_connections="200", max_wal_senders="10"), ["b", "a"])

    def test_a_member_of_an_older_patroni_gives_no_reason(self) -> None:
        self.assertEqual(self.order(member("a", pending_restart=True)), ["a"])


class Reloads(unittest.TestCase):
    """When Patroni is signalled to reload."""

    def child(self, script: str) -> subprocess.Popen[str]:
        """Start another interpreter, which ends with the test."""
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        return child

    def test_one_that_only_starts_is_left_alone_and_lives(self) -> None:
        words = "print('ready', flush=True); import time; time.sleep(60)"
        starting = self.child(words)
        # The signal may arrive while Python prints, and Python's buffer does not allow another print in a handler.
        handler = "lambda *_: os.write(1, b'reload\\n')"
        running = self.child(f"import os, signal; signal.signal(signal.SIGHUP, {handler}); {words}")
        for child in (starting, running):
            assert child.stdout
            self.assertEqual(child.stdout.readline(), "ready\n")
        self.addCleanup(setattr, pod, "processes", pod.processes)
        pod.processes = lambda _: [(starting.pid, 1)]
        self.assertIsNone(pod.reload_patroni())
        # A process that Patroni has just started has the name of Patroni for a moment.
        pod.processes = lambda _: [(starting.pid, running.pid), (running.pid, 1)]
        self.assertIs(pod.reload_patroni(), True)
        assert running.stdout
        self.assertEqual(running.stdout.readline(), "reload\n")
        self.assertIsNone(starting.poll())
        pod.processes = lambda _: []
        self.assertIs(pod.reload_patroni(), False)

    def test_what_came_too_early_is_done_again(self) -> None:
        answers = iter([None, None, True, True])
        with tempfile.TemporaryDirectory() as directory:
            duty = pod.OnChange("acted", lambda: next(answers), Path(directory))
            for _ in range(5):
                duty(surroundings.Wanted({}, {}))
        self.assertEqual(list(answers), [True])


class CalmTest(unittest.TestCase):
    """Whether all members know the configuration."""

    def test_news_and_another_configuration_start_the_wait_again(self) -> None:
        calm = members.Calm()

        def has_come(configuration: dict[str, Any], news: set[str]) -> bool:
            return calm.has_come(surroundings.Wanted({"dynamicConfiguration": configuration}, {}), news)

        short = {"loop_wait": -3}
        self.assertTrue(has_come(short, {"a"}), "a wait of less than nothing is over at once")
        self.assertFalse(has_come({"loop_wait": 10}, {"a"}), "another configuration")
        calm.since -= 13
        self.assertTrue(has_come({"loop_wait": 10}, {"a"}))
        self.assertTrue(has_come({"loop_wait": 10}, set()), "what is done is no news")
        self.assertFalse(has_come({"loop_wait": 10}, {"b"}))


class Heirs(unittest.TestCase):
    """Which replicas may take over."""

    def heirs(self, *who: dict[str, Any], leaving: tuple[str, ...] = (), updated: tuple[str, ...] = ()) -> list[str]:
        """The result with a leader as the first member."""
        return pre_stop.heirs([member("leader", "leader"), *who], set(leaving), set(updated))

    def test_the_most_advanced_comes_first(self) -> None:
        self.assertEqual(self.heirs(member("a", lag=20), member("b", lag=3)), ["b", "a"])

    def test_who_is_unwell_leaving_unknown_or_forbidden_is_none(self) -> None:
        self.assertEqual(
            self.heirs(
                member("a", state="start failed"),
                member("b"),
                member("c", lag="unknown"),
                member("d", tags={"nofailover": True}),
                leaving=("b",),
            ),
            [],
        )

    def test_one_that_streams_goes_before_one_that_may_not(self) -> None:
        self.assertEqual(self.heirs(member("a", state="running"), member("b", lag=5)), ["b", "a"])

    def test_of_those_level_one_that_is_updated_goes_first(self) -> None:
        self.assertEqual(self.heirs(member("a"), member("b", lag=900), updated=("b",)), ["b", "a"])
        self.assertEqual(self.heirs(member("a"), member("b", lag=9000000), updated=("b",)), ["a", "b"])

    def test_updated_is_who_has_another_revision_in_the_same_set(self) -> None:
        def pod(instance_set: str, revision: str) -> dict[str, Any]:
            return {"labels": {pre_stop.SET: instance_set, pre_stop.REVISION: revision}}

        pods = {"me": pod("a", "1"), "old": pod("a", "1"), "new": pod("a", "2"), "other": pod("b", "3")}
        pods["pgbouncer"] = {"labels": {}}
        self.assertEqual(pre_stop.updated_pods(pods, "me"), {"new"})

    def test_a_synchronous_standby_goes_before_all_others(self) -> None:
        self.assertEqual(self.heirs(member("a"), member("b", "sync_standby", lag=9)), ["b"])


class PreStart(unittest.TestCase):
    """How long a replica waits for a leader."""

    def wanted(self, *replicas: int, **configuration: Any) -> surroundings.Wanted:
        """Settings of a cluster with these numbers of replicas in its sets."""
        sets = [{"name": f"set{number}", "replicas": count} for number, count in enumerate(replicas)]
        settings = {"cluster": "hippo", "instanceSets": sets}
        settings["dynamicConfiguration"] = {"ttl": 30, "loop_wait": 10, **configuration}
        return surroundings.Wanted(settings, {})

    def test_a_replica_waits_for_half_the_lease(self) -> None:
        self.assertEqual(pre_start.wait_seconds(self.wanted(2)), 15)
        self.assertEqual(pre_start.wait_seconds(self.wanted(1, 1, ttl=40)), 20)

    def test_a_wait_never_outlasts_the_liveness_probe(self) -> None:
        self.assertEqual(pre_start.wait_seconds(self.wanted(2, ttl=20)), 5)
        self.assertEqual(pre_start.wait_seconds(self.wanted(2, ttl=6, loop_wait=3)), 0)

    def test_nobody_waits_where_nothing_can_be_lost(self) -> None:
        self.assertEqual(pre_start.wait_seconds(self.wanted(1)), 0)
        self.assertEqual(pre_start.wait_seconds(self.wanted(3, synchronous_mode=True)), 0)
        self.assertEqual(pre_start.wait_seconds(self.wanted(3, standby_cluster={"host": "there"})), 0)

    def test_a_leader_has_renewed_its_lock_in_time(self) -> None:
        now = datetime.fromisoformat("2026-01-01T00:00:40+00:00")

        def leads(**annotations: str) -> bool:
            return pre_start.has_leader({"metadata": {"annotations": annotations}}, now)

        self.assertTrue(leads(leader="a", renewTime="2026-01-01T00:00:20.123456+00:00", ttl="30"))
        self.assertFalse(leads(leader="a", renewTime="2026-01-01T00:00:10+00:00", ttl="30"))
        self.assertFalse(leads(leader="", renewTime="2026-01-01T00:00:20+00:00", ttl="30"))
        self.assertFalse(leads(ttl="30"))
        self.assertFalse(pre_start.has_leader({"metadata": {}}, now))

    def test_new_endpoints_are_as_good_as_none(self) -> None:
        for metadata in ({}, {"annotations": {}}, {"annotations": {"leader": "a"}}):
            self.assertFalse(pre_start.was_led({"metadata": metadata}))
        self.assertFalse(pre_start.was_led(None))
        given_up = {"renewTime": "2026-01-01T00:00:00+00:00", "transitions": "1", "ttl": "30"}
        self.assertTrue(pre_start.was_led({"metadata": {"annotations": given_up}}))


class EndpointSlices(unittest.TestCase):
    """The addresses in the EndpointSlices that the leader's caretaker creates."""

    WANTED = surroundings.Wanted({"cluster": "hippo"}, {})

    def endpoints(self, *addresses: str) -> dict[str, Any]:
        """Endpoints as Patroni writes them."""
        subset = {"addresses": [{"ip": address} for address in addresses], "ports": [{"name": "postgres", "port": 5432}]}
        return {"metadata": {"name": "hippo-ha"}, "subsets": [subset]}

    def test_a_slice_leads_to_where_the_endpoints_do(self) -> None:
        made = slices.endpoint_slice(self.WANTED, self.endpoints("10.0.0.1"))
        self.assertEqual(made["metadata"]["labels"][slices.SERVICE], "hippo-ha")
        self.assertEqual(made["endpoints"], [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}])
        self.assertEqual(made["ports"], [{"name": "postgres", "port": 5432, "protocol": "TCP"}])
        self.assertEqual(made["addressType"], "IPv4")
        self.assertEqual(slices.endpoint_slice(self.WANTED, self.endpoints("fd00::1"))["addressType"], "IPv6")
        nobody = slices.endpoint_slice(self.WANTED, {"metadata": {"name": "hippo-ha"}})
        self.assertEqual((nobody["endpoints"], nobody["ports"]), ([], []))

    def test_what_leads_elsewhere_or_is_labelled_otherwise_is_written_anew(self) -> None:
        right = slices.endpoint_slice(self.WANTED, self.endpoints("10.0.0.1"))
        self.assertFalse(slices.differs(right, right))
        self.assertTrue(slices.differs(slices.endpoint_slice(self.WANTED, self.endpoints("10.0.0.2")), right))
        self.assertTrue(slices.differs({**right, "metadata": {"labels": {}}}, right))

    def test_who_has_led_is_found_by_its_address(self) -> None:
        made = slices.endpoint_slice(self.WANTED, self.endpoints("10.0.0.1"))
        for address, mine in (("10.0.0.1", True), ("10.0.0.2", False)):
            with unittest.mock.patch.dict("os.environ", PATRONI_KUBERNETES_POD_IP=address):
                self.assertEqual(slices.is_mine(made), mine)
                self.assertFalse(slices.is_mine({}))


class Stanza(unittest.TestCase):
    """Which repositories lack a stanza, according to `pgbackrest info --output=json`."""

    INFO: dict[str, Any] = {
        "name": "db",
        "db": [
            {"id": 1, "repo-key": 1, "system-id": 7, "version": "16"},
            {"id": 2, "repo-key": 1, "system-id": 7, "version": "17"},
            {"id": 1, "repo-key": 2, "system-id": 8, "version": "17"},
        ],
        "repo": [
            {"key": 1, "status": {"code": 2}},
            {"key": 2, "status": {"code": 0}},
            {"key": 3, "status": {"code": 1}},
        ],
        "backup": [],
    }

    def test_missing_and_foreign_ones_are_found(self) -> None:
        self.assertEqual(backups.lacks_stanza(self.INFO, [1, 2, 3, 4], "7", 17), [2, 3, 4])

    def test_one_of_an_older_version_is_found(self) -> None:
        self.assertEqual(backups.lacks_stanza(self.INFO, [1], "7", 18), [1])

    def test_no_stanza_at_all(self) -> None:
        self.assertEqual(backups.lacks_stanza(backups.stanza_of([]), [1], "7", 17), [1])

    MADE = 1_700_000_000
    OURS = str(MADE << 32 | 12345)

    def holding(self, version: str, stopped: int) -> dict[str, Any]:
        """A repository with a backup of another database, which ended at this time."""
        backup = {"database": {"id": 1, "repo-key": 1}, "timestamp": {"stop": stopped}}
        there = {"id": 1, "repo-key": 1, "system-id": 8, "version": version}
        return {"name": "db", "db": [there], "repo": [{"key": 1, "status": {"code": 0}}], "backup": [backup]}

    def test_another_database_before_this_one_is_told(self) -> None:
        for version in ("15", "17"):
            [line] = backups.others(self.holding(version, self.MADE - 5), [1], self.OURS, 17)
            self.assertIn(f"repo1 holds another database, with system identifier 8 and version {version}: this cluster", line)
        self.assertEqual(backups.others(self.INFO, [1], "7", 18), [], "a major upgrade in place")

    def test_another_database_that_is_in_use_or_newer_is_refused(self) -> None:
        with self.assertRaisesRegex(surroundings.Failure, "was backed up after this one was created: give each"):
            backups.others(self.holding("17", self.MADE + 5), [1], self.OURS, 17)
        with self.assertRaisesRegex(surroundings.Failure, "is newer than 17: give this cluster a repository"):
            backups.others(self.holding("18", self.MADE - 5), [1], self.OURS, 17)

    def test_a_replica_is_made_from_a_backup_of_its_own_database(self) -> None:
        there = self.holding("17", self.MADE)
        there["backup"][0]["label"] = "first"
        self.assertEqual(backups.newest(there, 1, None), "first")
        self.assertEqual(backups.newest(there, 1, "8"), "first")
        self.assertIsNone(backups.newest(there, 1, "9"))
        self.assertIsNone(backups.newest(there, 2, None))
        there["db"].append({"id": 2, "repo-key": 1, "system-id": 9, "version": "17"})
        for label in ("second", "third"):
            there["backup"].append({"label": label, "database": {"id": 2, "repo-key": 1}})
        self.assertEqual(backups.newest(there, 1, "9"), "third")
        self.assertEqual(backups.newest(there, 1, "8"), "first")

    def test_a_backup_counts_for_the_database_that_is_there_now(self) -> None:
        there = self.holding("17", self.MADE)
        self.assertTrue(backups.is_backed_up(there, 1))
        there["db"].append({"id": 2, "repo-key": 1, "system-id": 9, "version": "17"})
        self.assertFalse(backups.is_backed_up(there, 1))
        self.assertFalse(backups.is_backed_up(there, 2))


class Running(unittest.TestCase):
    """Duties, their pauses and their log."""

    WANTED = surroundings.Wanted({}, {})

    def run_and_read(self, duty: caretaker.Duty) -> str:
        """Run a duty. Return its output, without the time."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            duty.run(self.WANTED)
        return out.getvalue().partition(" ")[2]

    def test_pauses_grow_to_a_minute_and_are_the_same_each_time(self) -> None:
        pauses = [surroundings.pause_after(failures) for failures in range(1, 20)]
        self.assertEqual(pauses[:3], [1.0, 1.5, 2.25])
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual(pauses[-1], 60.0)
        self.assertEqual(surroundings.pause_after(100_000), 60.0)

    def test_a_failure_is_said_once_and_so_is_its_end(self) -> None:
        fails = [True, True, False, False]

        def work(_: surroundings.Wanted) -> None:
            if fails.pop(0):
                raise surroundings.Failure("no")

        duty = caretaker.Duty(work, name="try")
        self.assertEqual(
            [self.run_and_read(duty) for _ in range(4)], ["try: no; trying again in 1 s\n", "", "try: works again\n", ""]
        )

    def test_an_unforeseen_failure_does_not_escape(self) -> None:
        duty = caretaker.Duty(lambda wanted: wanted.settings["absent"], name="try")
        self.assertEqual(self.run_and_read(duty), "try: KeyError: 'absent'; trying again in 1 s\n")

    def test_differences_name_settings_and_no_values(self) -> None:
        there = {"ttl": 30, "postgresql": {"parameters": {"a": "secret", "b": "1"}}}
        right = {"postgresql": {"parameters": {"a": "other", "b": "1", "c": "2"}}}
        self.assertEqual(
            members.differences(there, right), ["postgresql.parameters.a", "postgresql.parameters.c", "ttl"]
        )

    def test_a_fingerprint_is_of_the_data_only(self) -> None:
        one = pod.fingerprint({"data": {"a": "1", "b": "2"}, "metadata": {"resourceVersion": "1"}})
        self.assertEqual(one, pod.fingerprint({"data": {"b": "2", "a": "1"}, "metadata": {"resourceVersion": "2"}}))
        self.assertNotEqual(one, pod.fingerprint({"data": {"a": "1", "b": "3"}}))

    def test_an_answer_of_kubernetes_is_cut_to_its_message(self) -> None:
        refused = surroundings.Refused(
            403, "Forbidden", json.dumps({"kind": "Status", "message": "pods is\nforbidden"})
        )
        self.assertEqual(str(refused), "403 Forbidden: pods is forbidden")
        self.assertEqual(str(surroundings.Refused(502, "Bad Gateway", "<html>")), "502 Bad Gateway")


class Mounted(unittest.TestCase):
    """Directories that change as the kubelet changes them."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name)

    def mount(self, version: str, **files: Any) -> None:
        """Change the directory as the kubelet does: create a new directory, then replace the link."""
        (self.path / version).mkdir()
        for name, content in files.items():
            (self.path / version / f"{name}.json").write_text(json.dumps(content))
        (self.path / "..new").symlink_to(version)
        (self.path / "..new").replace(self.path / "..data")

    def test_a_swapped_link_is_another_version(self) -> None:
        self.mount("..1", a=1)
        before = surroundings.version_of(self.path)
        self.assertEqual(before, surroundings.version_of(self.path))
        self.mount("..2", a=1)
        self.assertNotEqual(before, surroundings.version_of(self.path))

    def test_a_directory_that_is_not_there_is_a_version_too(self) -> None:
        self.assertEqual(surroundings.version_of(self.path / "absent"), ("",))

    def test_both_files_are_read_from_one_rendering(self) -> None:
        previous, surroundings.SETTINGS = surroundings.SETTINGS, self.path
        self.addCleanup(setattr, surroundings, "SETTINGS", previous)
        with self.assertRaisesRegex(surroundings.Failure, "cannot be read"):
            surroundings.read_wanted()
        self.mount("..1", caretaker={"cluster": "hippo"}, roles={"users": []})
        self.assertEqual(surroundings.read_wanted().cluster, "hippo")


class Processes(unittest.TestCase):
    """Which processes are alive."""

    def test_a_process_is_known_by_number_and_name_and_a_dead_one_is_dead(self) -> None:
        process = subprocess.Popen(["sleep", "60"])
        self.assertTrue(surroundings.is_alive(process.pid, "sleep"))
        self.assertFalse(surroundings.is_alive(process.pid, "postgres"))
        self.assertIn((process.pid, os.getpid()), pod.processes("sleep"))
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertFalse(surroundings.is_alive(process.pid, "sleep"), "a zombie is not alive")
        process.wait()
        self.assertFalse(surroundings.is_alive(process.pid, "sleep"))


if __name__ == "__main__":
    unittest.main()
