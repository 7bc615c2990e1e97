"""What processes in a pod cost."""

from __future__ import annotations

from framework import Test

# Prints the CPU time so far in seconds, and the memory in MiB, of all processes whose command line IS_MEANT.
READ = r"""
import os
seconds = memory = 0
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        words = open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\0')
        if not (IS_MEANT):
            continue
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        status = dict(line.split(':', 1) for line in open(f'/proc/{pid}/status') if ':' in line)
    except FileNotFoundError:
        continue
    seconds += sum(map(int, fields[11:15])) / os.sysconf('SC_CLK_TCK')
    memory += int(status['VmRSS'].split()[0]) / 1024
print(seconds, memory)
"""


def cost(test: Test, pod: str, is_meant: str) -> tuple[float, float]:
    """Return the CPU time and the memory of processes in a pod. `is_meant` is an expression about the list of `words` of a command."""
    script = READ.replace("IS_MEANT", is_meant)
    seconds, mebibytes = test.in_pod(pod, "python3", "-c", script, container="caretaker").split()
    return float(seconds), float(mebibytes)
