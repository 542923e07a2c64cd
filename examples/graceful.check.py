#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""graceful.check.py <program>: it gets real signals; its reports and exit codes are right."""

import signal
import subprocess
import sys

HOUR = 3_600_000


def ended_by(signals, jobs, each, grace, ready=lambda lines: "posted" in "".join(lines)):
    """(exit code, lines of the report), of a program that got the signals while two jobs ran, and,
    unless told otherwise, when all were posted."""
    command = [sys.argv[1], str(jobs), str(each), str(grace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        lines = []
        while sum(line.endswith(" began\n") for line in lines) < 2 or not ready(lines):
            lines.append(program.stdout.readline())
            assert lines[-1], lines
        for number in signals:
            program.send_signal(number)
        lines += program.stdout.readlines()
        told = [line.rstrip("\n") for line in lines
                if not line.endswith(" began\n") and not line.startswith("posted ")]
        return program.wait(timeout=60), told


# There is time: all that is queued runs.
for number in (signal.SIGTERM, signal.SIGINT):
    code, lines = ended_by([number], jobs=6, each=20, grace=HOUR)
    assert code == 0, (code, lines)
    assert sorted(lines[:-1]) == [f"job {i} ended" for i in range(1, 7)], lines
    assert lines[-1] == "all jobs have ended", lines

# There is not: two are cut short, and the others are told by name.
code, lines = ended_by([signal.SIGTERM], jobs=5, each=HOUR, grace=100)
assert code == 1, (code, lines)
assert sorted(lines) == ["job 1 still runs", "job 1 was cut short", "job 2 still runs",
                         "job 2 was cut short", "job 3 never ran", "job 4 never ran",
                         "job 5 never ran"], lines

# A second signal is not waited for. Both may be pending at once: so they are different ones.
code, lines = ended_by([signal.SIGTERM, signal.SIGINT], jobs=2, each=HOUR, grace=HOUR)
assert code in (-signal.SIGTERM, -signal.SIGINT) and lines == [], (code, lines)

# Neither is the end of the posting, which waits for room: more jobs than there are places.
code, lines = ended_by([signal.SIGTERM], jobs=3000, each=HOUR, grace=100, ready=lambda _: True)
assert code == 1 and lines.count("job 1 was cut short") == 1, (code, lines)
assert "job 3000 never ran" not in lines, lines
code, lines = ended_by([signal.SIGTERM, signal.SIGINT], jobs=3000, each=HOUR, grace=HOUR,
                       ready=lambda _: True)
assert code in (-signal.SIGTERM, -signal.SIGINT) and lines == [], (code, lines)
