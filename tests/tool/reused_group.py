#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reused_group.py <weir>: for a process namespace of its own. A job's group is gone, a process that
left it holds the job's output, and the group's number is given to others; then weir is stopped."""

import os
import signal
import subprocess
import sys
import tempfile

from weir_process import PATIENCE, wait_until

# The leader ends before the one who waits for "go"; the one who sleeps has left the group.
JOB = "test {{}} = 2 && {{ sleep .5; echo done; exit; }}; " \
      "setsid sleep 1000 & read line < {0}/go > /dev/null 2>&1 & echo $$ > {0}/leader"


def gone(group):
    try:
        os.waitpid(-group, os.WNOHANG)  # this is the first process here: orphans are its own
        os.killpg(group, 0)
    except (ChildProcessError, ProcessLookupError):
        return True
    return False


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/go")
        weir = subprocess.Popen([sys.argv[1], "run", "-j2", "--", "sh", "-c", JOB.format(folder)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        weir.stdin.write(b"1\n")
        weir.stdin.flush()
        with open(f"{folder}/leader", "wb"), open(f"{folder}/go", "wb"):
            wait_until(lambda: os.path.getsize(f"{folder}/leader") > 0, "the job runs")
            with open(f"{folder}/leader", encoding="ascii") as file:
                leader = int(file.read())
            wait_until(lambda: not os.path.exists(f"/proc/{leader}"), "its leader is reaped")
        wait_until(lambda: gone(leader), "its group is gone")
        weir.stdin.write(b"2\n")
        weir.stdin.flush()
        assert weir.stdout.readline() == b"done\n"  # weir has looked meanwhile

        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
            file.write(str(leader - 1))
        innocent = subprocess.Popen(["sh", "-c", "read line; echo alive"], start_new_session=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert innocent.pid == leader, (innocent.pid, leader)
        weir.send_signal(signal.SIGINT)
        weir.wait(timeout=PATIENCE)
        assert innocent.communicate(timeout=PATIENCE)[0] == b"alive\n"


if __name__ == "__main__":
    main()
