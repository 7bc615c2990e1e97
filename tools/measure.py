#!/usr/bin/env python3
"""Measures the processes that render and check one cluster. Fails if one takes more than 10 ms of CPU time or 20 MiB of memory.

Usage: tools/measure.py PROGRAM [CLUSTER]
"""

import os
import sys

RUNS = 50
MAX_MILLISECONDS = 10.0
MAX_MEBIBYTES = 20.0


def run(program: str, command: str, cluster: str) -> tuple[float, float]:
    """Return CPU time in milliseconds, and memory in MiB. The memory is at least that of this interpreter, which the kernel
    counts until the new program replaces it."""
    null = os.open(os.devnull, os.O_WRONLY)
    environment = {"PGRENDER_SEED": "fIPd3g744M5JlsE0f/Qt3Dcee0zG0lYaGpkFXC59IdM="}
    process = os.posix_spawn(
        program, [program, command, cluster], environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)]
    )
    _, status, usage = os.wait4(process, 0)
    os.close(null)
    if status != 0:
        sys.exit(f"{program} failed")
    return (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def main() -> None:
    program = sys.argv[1]
    cluster = sys.argv[2] if len(sys.argv) > 2 else "fixtures/hippo/cluster.yaml"
    for command in ("render", "check"):
        runs = [run(program, command, cluster) for _ in range(RUNS)]
        # Other processes only add to the time, so the shortest time is that of the program.
        milliseconds = min(time for time, _ in runs)
        mebibytes = max(memory for _, memory in runs)
        print(
            f"{command} {cluster}: {milliseconds:.1f} ms of CPU time (shortest of {RUNS}), at most {mebibytes:.1f} MiB"
        )
        if milliseconds > MAX_MILLISECONDS or mebibytes > MAX_MEBIBYTES:
            sys.exit(f"more than {MAX_MILLISECONDS:.0f} ms or {MAX_MEBIBYTES:.0f} MiB")


main()
