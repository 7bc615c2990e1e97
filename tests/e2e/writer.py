"""An application that commits all the time, through the Service that its environment names; through pgBouncer, with the
argument `bouncer`.

It runs in a pod of the Postgres image, so it needs nothing but `psql`. It prints a line for each commit that was
acknowledged: when, and which row; and a line that begins with `#` for each attempt that failed. An answer that does not
come within a second is given up, as an application would with its own time limit."""

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
            pass  # it has ended, and its error says why
        if not select.select([self.process.stdout], [], [], ANSWER_SECONDS)[0]:
            raise Broken("no answer")
        answer = self.process.stdout.readline().decode().strip()
        if not answer:
            raise Broken(self.process.stderr.read().decode().strip().replace("\n", " "))
        return answer

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.communicate()


def main() -> None:
    """Commit rows 1, 2, 3, ... for ever; a number whose fate is unknown is not used again."""
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
