#!/usr/bin/env python3
"""ordered_transform.check.py <program>: nothing lost, in order; endless input in bounded memory."""
import os
import subprocess
import sys

program = sys.argv[1]
lines = [f"line {i} äöü" for i in range(20_000)]
done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)


def upper(line):
    return "".join(c.upper() if c.isascii() else c for c in line)


assert done.stdout.splitlines() == [upper(line) for line in lines]
assert subprocess.run([program], input="", capture_output=True, text=True, check=True).stdout == ""

with subprocess.Popen(["yes", "abc"], stdout=subprocess.PIPE) as endless:
    with subprocess.Popen([program], stdin=endless.stdout, stdout=subprocess.PIPE) as filtered:
        for _ in range(200_000):
            assert filtered.stdout.readline() == b"ABC\n"
        with open(f"/proc/{filtered.pid}/status", encoding="utf-8") as f:
            resident = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        filtered.kill()
    endless.kill()
if "SANITIZED" not in os.environ:
    assert resident < 16 * 1024, f"{resident} KiB after 200,000 lines"
