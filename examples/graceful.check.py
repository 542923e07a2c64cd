#!/usr/bin/env python3
"""graceful.check.py <program>: told to end in mid-work, it accounts for each job, in time."""
import signal
import subprocess
import sys


def run(jobs, each, grace, told=True):
    command = [sys.argv[1], str(jobs), str(each), str(grace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "working\n"
        if told:
            program.send_signal(signal.SIGTERM)
        lines = program.communicate(timeout=30)[0].splitlines()
    done = int(lines.pop().split()[1])
    stopped = [line for line in lines if line.startswith("stopped: ")]
    never = [line for line in lines if line.startswith("never ran: ")]
    assert len(set(lines)) == len(lines) == len(stopped) + len(never), lines
    return program.returncode, done, len(stopped), len(never)


assert run(8, 1, 0, told=False) == (0, 8, 0, 0)
assert run(20, 20, 20_000) == (143, 20, 0, 0), "there is time for all"
status, done, stopped, never = run(20, 60_000, 1)
assert (status, done, stopped + never) == (143, 0, 20) and stopped <= 4, "there is time for none"
