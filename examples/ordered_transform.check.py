#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ordered_transform.check.py <program>: order, an endless input, and an output that fails."""

import os
import signal
import subprocess
import sys

program = sys.argv[1]

# Every line, in order; also the last, which no newline ends.
lines = [b"%d: a line, \xc3\xa4 included" % i for i in range(30000)] + [b"", b"last"]
done = subprocess.run([program], input=b"\n".join(lines), capture_output=True, timeout=60,
                      check=True)
assert done.stdout == b"".join(line[::-1] + b"\n" for line in lines), done.stdout[:1000]

# No input at all.
assert subprocess.check_output([program], stdin=subprocess.DEVNULL, timeout=60) == b""


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


# An endless input: memory does not grow with it, and when nobody reads any more it is over.
with subprocess.Popen(["yes", "x" * 1000], stdout=subprocess.PIPE) as source:
    with subprocess.Popen([program], stdin=source.stdout, stdout=subprocess.PIPE,
                          restore_signals=True) as endless:
        source.stdout.close()
        peaks = []
        for _ in range(2):
            assert len(endless.stdout.read(10_000_000)) == 10_000_000
            peaks.append(peak_kib(endless.pid))
        endless.stdout.close()
        assert endless.wait(timeout=60) == -signal.SIGPIPE, endless.returncode
    source.kill()
sanitized = "WEIR_SANITIZED" in os.environ  # memory cannot be judged
assert sanitized or peaks[1] - peaks[0] < 4096, peaks

# An output that takes nothing is an error, though nothing more is ever read.
reader, writer = os.pipe()
with open("/dev/full", "wb") as full:
    with subprocess.Popen([program], stdin=reader, stdout=full, stderr=subprocess.PIPE) as failing:
        os.write(writer, b"line\n" * 10000)
        os.close(reader)
        assert failing.wait(timeout=60) == 1, failing.returncode
        assert failing.stderr.read() == b"ordered_transform: cannot write\n"
os.close(writer)
