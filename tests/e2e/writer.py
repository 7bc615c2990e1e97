"""An application that commits all the time, through the Service in its environment or, with the argument `bouncer`, through
PgBouncer.

It runs in a pod of the Postgres image, and only needs `psql`. For each acknowledged commit it prints a line with the time and the
row. For each failed attempt it prints a line that begins with `#`. It waits one second for an answer, like an application with a
timeout."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 1.0

TARGET = "connect_timeout=2 application_name=writer"
TABLE = "written"
if sys.argv[1:] == ["bouncer"]:
    TARGET += " host={BOUNCER_HOST} port={BOUNCER_PORT}".format_map(os.environ)
    TABLE = "bounced"
CREATE = f"CREATE TABLE IF NOT EXISTS {TABLE} (row bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());"


class Broken(Exception):
    """The connection is lost, or the server does not answer."""


class Session:
    """One connection: a `psql` that reads statements and prints what they return."""

    def __init__(self) -> None:
        words = ["psql", "-XAtq", "--set=ON_ERROR_STOP=1", TARGET]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)

    def ask(self, statement: str) -> str:
        """Run a statement that returns one line."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        try:
            self.process.stdin.write(statement.encode() + b"\n")
        except OSError:
            pass  # it has ended, and its stderr says why
        if not select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]:
            raise Broken("no answer")
        answer = self.process.stdout.readline().decode().strip()
        if not answer:
            raise Broken(self.process.stderr.read().decode().strip().replace("\n", " "))
        return answer

    def close(self) -> None:
        """End the session at once."""
        self.process.kill()
        self.process.communicate()


def main() -> None:
    """Commit rows 1, 2, 3, ... forever. If the result of a commit is unknown, do not use its number again."""
    session = None
    row = 0
    ready = False
    while True:
        row += 1
        try:
            session = session or Session()
            if not ready:
                session.ask(f"{CREATE} SELECT 1;")
                ready = True
            session.ask(f"INSERT INTO {TABLE} VALUES ({row}) RETURNING row;")
        except Broken as problem:
            print(f"# {time.time():.3f} {problem}", flush=True)
            if session:
                session.close()
            session = None
            time.sleep(PAUSE_SECONDS / 5)
        else:
            print(f"{time.time():.3f} {row}", flush=True)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
