"""What the caretaker reads from the admin console of pgBouncer, and that neither a pgBouncer that does not answer nor one that an
attacker controls does any harm."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import ssl
import time
import unittest
import unittest.mock
from collections.abc import Callable

from pooled import (
    END,
    HOST,
    PASSWORD,
    Console,
    PgBouncer,
    Pretender,
    header,
    message,
    pgbouncer_program,
    pools_of_pgbouncer,
    row,
)
from servers import OnServer, on_every_server

# isort: split
import facts
import pools
from surroundings import Failure

ADDRESS = "127.0.0.1"


class Numbers(unittest.TestCase):
    """A real pgBouncer with clients."""

    def setUp(self) -> None:
        pgbouncer_program()
        self.there = json.loads(pools_of_pgbouncer())
        self.found = self.there["found"]

    def test_pools_are_counted(self) -> None:
        busy, other = self.found["pools"]
        self.assertEqual((busy["pod"], busy["conn_pool"]), ("p0", "a.b.tenant"))
        self.assertEqual((busy["client_active"], busy["client_waiting"], busy["server_active"]), (1, 1, 1))
        self.assertGreater(busy["max_wait_us"], 1000000)
        self.assertEqual(other["conn_pool"], "\\303\\244 \"x\n,.tenant")
        self.assertEqual((other["client_active"], other["client_waiting"], other["max_wait_us"]), (1, 0, 0))

    def test_databases_are_counted_and_the_console_is_not(self) -> None:
        self.assertEqual({there["pool_db"] for there in self.found["databases"]}, {"a.b", "\\303\\244 \"x\n,"})
        for there in self.found["databases"]:
            self.assertEqual((there["pool_size"], there["max_connections"], there["current_connections"]), (1, 0, 1))
            self.assertEqual((there["paused"], there["disabled"]), (0, 0))
            self.assertGreater(there["query_count"] * there["received"] * there["sent"], 0)
        lists = {there["item"]: there["count"] for there in self.found["lists"]}
        self.assertEqual(set(lists), set(pools.LISTS))
        self.assertEqual((lists["databases"], lists["used_clients"]), (3, 4))

    def test_only_pods_that_are_ready_are_asked(self) -> None:
        self.assertEqual(self.found["pods"], [{"pod": "p0", "up": 1}])
        label = "postgres-operator.crunchydata.com/"
        self.assertEqual(
            self.there["requested"],
            [f"GET /pods?labelSelector={label}cluster%3Dhippo%2C{label}role%3Dpgbouncer"],
        )

    def test_it_takes_no_time(self) -> None:
        cost = self.there["cost"]
        print(f"one pgBouncer: {cost['seconds'] * 1000:.0f} ms, {cost['cpu'] * 1000:.0f} ms of a processor")
        self.assertLess(cost["cpu"], 0.5)


class Refused(OnServer):
    """Without a certificate that is right, there are no numbers."""

    console: Console

    @classmethod
    def setUpClass(cls) -> None:
        pgbouncer_program()
        super().setUpClass()
        cls.console = Console()
        cls.addClassCleanup(cls.console.stop)
        for address, more in ((ADDRESS, {}), ("127.0.0.2", {"client_tls_sslmode": "disable"}), ("127.0.0.3", {"stats_users": ""})):
            pgbouncer = PgBouncer(cls.console, cls.server, address, **more)
            cls.addClassCleanup(pgbouncer.stop)

    def says(self, reason: str, address: str = ADDRESS) -> None:
        """Expect this reason, once, and no numbers."""
        duty = pools.PoolFacts()
        found = self.console.collect(address, duty=duty)
        self.assertRegex(self.console.said, f"pools of pgBouncer for the exporter: p0: .*{reason}")
        self.assertNotIn(PASSWORD, self.console.said)
        self.assertEqual({**found, "time": 0}, {"time": 0, "pods": [{"pod": "p0", "up": 0}], "pools": [], "databases": [], "lists": []})
        self.console.collect(address, duty=duty)
        self.assertEqual(self.console.said, "")

    def test_one_that_is_right_is_measured(self) -> None:
        self.assertEqual(self.console.collect(ADDRESS)["pods"], [{"pod": "p0", "up": 1}])
        self.assertEqual(self.console.said, "")

    def test_a_certificate_of_somebody_else(self) -> None:
        ours = self.console.files / "ca.crt"
        self.addCleanup(shutil.copy, self.console.directory / "ca.crt", ours)
        self.console.authority.run(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", "o.key", "-out", str(ours))
        )
        self.says("certificate verify failed")
        ours.unlink()
        self.says("has no ca.crt")

    def test_a_certificate_for_another_name(self) -> None:
        wanted = self.console.wanted()
        wanted.settings["pgbouncer"]["host"] = "hippo-pgbouncer.zoo.svc"
        with unittest.mock.patch.object(self.console, "wanted", lambda: wanted):
            self.says(f'server certificate for "{HOST}" does not match host name')

    def test_a_password_that_is_missing_or_wrong(self) -> None:
        file = self.console.files / "password"
        self.addCleanup(file.write_text, PASSWORD)
        for content, reason in (("wrong", "authentication failed"), ("a\0b", "does not start"), (None, "has no password")):
            file.unlink()
            if content is not None:
                file.write_text(content)
            self.says(reason)

    def test_a_pgbouncer_without_tls_or_rights(self) -> None:
        self.says("server does not support SSL", "127.0.0.2")
        self.says("not allowed", "127.0.0.3")
        self.says("Connection refused", "127.0.0.4")

    def test_the_others_are_measured(self) -> None:
        found = self.console.collect("127.0.0.2", ADDRESS, "127.0.0.4")
        self.assertEqual([there["up"] for there in found["pods"]], [0, 1, 0])
        self.assertEqual({there["pod"] for there in found["lists"]}, {"p1"})

    def test_no_more_than_ten_pods_are_measured(self) -> None:
        found = self.console.collect(*[ADDRESS] * 12)
        self.assertEqual(len(found["pods"]), pools.PODS)
        self.assertIn("only 10 of 12 pods are measured", self.console.said)

    def test_without_pods_there_are_no_numbers(self) -> None:
        self.assertEqual(self.console.collect()["pods"], [])

    def test_nothing_is_left_if_somebody_else_leads_or_there_is_no_exporter(self) -> None:
        for end in ("replica", "no exporter"):
            with self.console.patched(ADDRESS), contextlib.redirect_stdout(io.StringIO()):
                pools.PoolFacts()(self.console.wanted())
                self.assertIn("pools", facts.facts.content)
                if end == "replica":
                    with (
                        unittest.mock.patch.object(facts.leadership, "now", lambda: "replica"),
                        unittest.mock.patch.object(facts, "certificates", lambda: ([], [])),
                        unittest.mock.patch.object(facts, "patroni_state", dict),
                    ):
                        facts.PodFacts()(self.console.wanted())
                else:
                    wanted = self.console.wanted()
                    wanted.settings["pgbouncer"] = None
                    self.assertIsNone(pools.PoolFacts()(wanted))
                self.assertNotIn("pools", facts.facts.content)


class Hostile(unittest.TestCase):
    """A process that has the certificate of pgBouncer."""

    def setUp(self) -> None:
        pgbouncer_program()
        self.console = Console()
        self.addCleanup(self.console.stop)

    def reason(self, behave: Callable[[ssl.SSLSocket], None]) -> str:
        """Return why there are no numbers of a process that behaves so."""
        pretender = Pretender(self.console, ADDRESS, behave)
        self.addCleanup(pretender.stop)
        return self.said()

    def said(self) -> str:
        """Return why there are no numbers, after a time that is bounded."""
        started = time.monotonic()
        found = self.console.collect(ADDRESS)
        self.assertLess(time.monotonic() - started, pools.SECONDS + 3)
        self.assertEqual((found["pods"], found["pools"]), ([{"pod": "p0", "up": 0}], []))
        self.assertEqual(len(self.console.said.splitlines()), 1, self.console.said)
        self.assertLess(len(self.console.said), 500)
        return self.console.said

    def test_silence(self) -> None:
        self.assertIn("no answer within 5 s", self.reason(lambda connection: time.sleep(30)))

    def test_rows_without_end(self) -> None:
        def rows(connection: ssl.SSLSocket) -> None:
            connection.sendall(header("database", "user"))
            while True:
                connection.sendall(row(b"x" * 100000, b"y") * 10)

        said = self.reason(rows)
        # At its limit, libpq discards what follows.
        self.assertRegex(said, "out of memory|no answer within 5 s")
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(f"the largest child process had {most / 1048576:.0f} MiB")
        self.assertLess(most, 2 * pools.MEMORY)

    def test_messages_without_end(self) -> None:
        def notices(connection: ssl.SSLSocket) -> None:
            while True:
                connection.sendall(message(b"N", b"SNOTICE\0Mx" + b"x" * 10000 + b"\0\0") * 10)

        self.assertIn("the answer has more than 4194304 bytes", self.reason(notices))

    def test_an_error_that_imitates_a_log(self) -> None:
        text = b"x\n2026-01-01T00:00:00Z \x1b[31mfine\n" + b"y" * 2000

        def behave(connection: ssl.SSLSocket) -> None:
            connection.sendall(message(b"E", b"SFATAL\0C00000\0M" + text + b"\0\0"))

        self.assertNotIn("\x1b", self.reason(behave))

    def test_numbers_that_are_none(self) -> None:
        numbers = [b"-1", b"NaN", b"9" * 19, b"1e3", "\u0661".encode(), b"1\n2"]
        left = iter(numbers)

        def behave(connection: ssl.SSLSocket) -> None:
            answer = header("database", "user", "cl_active") + row(b"a", b"b", next(left)) + END
            for _ in pools.COMMANDS:
                connection.recv(100)
                connection.sendall(answer)
            connection.recv(100)

        pretender = Pretender(self.console, ADDRESS, behave)
        self.addCleanup(pretender.stop)
        for number in numbers:
            with self.subTest(number):
                self.assertIn("column cl_active of the answer is not a number", self.said())

    def test_the_largest_facts_fit_into_the_file(self) -> None:
        name, number = b"\xff" * 200, b"9" * 18
        columns = {
            "POOLS": ["database", "user", *pools.POOLS, "maxwait", "maxwait_us"],
            "DATABASES": ["name", *pools.DATABASES],
            "STATS": ["database", *pools.STATS],
            "LISTS": ["list", "items"],
        }
        text = ""
        for command, names in columns.items():
            text += f"{pools.MARK}{command}\n{','.join(names)}\n"
            for count in range(300):
                first = (b"%03d" % count + name).decode(errors="surrogateescape")
                values = [first, name.decode(errors="surrogateescape") if command == "POOLS" else number.decode()]
                text += ",".join(values + [number.decode()] * (len(names) - 2)) + "\n"
        with (
            self.console.patched(*[ADDRESS] * 10),
            unittest.mock.patch.object(pools, "answer", lambda *_: text),
            unittest.mock.patch.object(pools, "ready_pods", lambda _: [("p" * 63 + str(i), ADDRESS) for i in range(10)]),
        ):
            pools.PoolFacts()(self.console.wanted())
            there = facts.facts.content["pools"]
            self.assertEqual((len(there["pools"]), len(there["databases"])), (pools.ROWS, pools.ROWS))
            size = facts.FILE.stat().st_size
        print(f"the largest facts about pools have {size} bytes")
        self.assertLess(size, facts.LIMIT / 2)

    def test_names_cannot_imitate_a_section(self) -> None:
        text = f'{pools.MARK}POOLS\ndatabase,user,cl_active\n"{pools.MARK}STATS",x,1\n"a\n{pools.MARK}STATS\n",y,2\n'
        found = pools.sections(text)
        self.assertEqual([len(found[command]) for command in pools.COMMANDS], [2, 0, 0, 0])
        # Two pools of one label are one, because two rows with the same labels would make every scrape fail.
        twice = {**found, "POOLS": [{"database": "a.b", "user": "c", "cl_active": "1"}, {"database": "a", "user": "b.c", "cl_active": "2"}]}
        [pool] = pools.summary(twice, pools.ROWS)["pools"]
        self.assertEqual((pool["conn_pool"], pool["client_active"]), ("a.b.c", 3))
        # If there are more pools than are measured, these are the ones whose clients wait the longest.
        many = [{"database": str(number), "user": "u", "maxwait": str(number % 7)} for number in range(50)]
        found = pools.summary({**found, "POOLS": many}, 7)
        self.assertEqual([pool["conn_pool"] for pool in found["pools"]], ["13.u", "20.u", "27.u", "34.u", "41.u", "48.u", "6.u"])
        with self.assertRaisesRegex(Failure, "the answer is not CSV: field larger than field limit"):
            pools.sections('x,"' + "y" * 200000)


on_every_server(globals(), Refused)
del Refused
