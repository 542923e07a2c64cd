#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stop_test.py <weir> [test]: how `weir run` ends when it is told to, and that no child is left."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from weir_process import (PATIENCE, ToolTest, limited, main, of_threads, state_of, status_of,
                          unread, wait_until)

ENDLESS = "echo $$ >> {0}/pids; exec sleep 1000"
STUBBORN = "trap '' TERM; echo $$ >> {0}/pids; while :; do sleep .05; done"
GRACEFUL = "trap 'echo farewell; exit 7' TERM; echo $$ >> {0}/pids; while :; do sleep .01; done"
FAMILY = "sh -c 'echo $$ >> {0}/pids; sleep 1000; :' & echo $$ >> {0}/pids; wait"


def waits_of(pid):
    """The places in the kernel where its threads wait."""
    return " ".join(of_threads(pid, "wchan"))


def signals_of(pid, field):
    """The numbers of the signals in one of the kernel's sets for it: ShdPnd, SigBlk..."""
    mask = int(status_of(pid, field), 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def adopt_orphans(yes=1):
    """Gives the orphans among its offspring to this process, or to the program that it becomes."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(pr_set_child_subreaper, yes, 0, 0, 0) != 0:
        raise OSError("prctl")


class Stop(ToolTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.pids = []

    def start_jobs(self, script, *options, jobs=2, pids=None, lines=5, **more):
        """Starts weir, and waits until its jobs have noted their process numbers."""
        weir = self.start(f"-j{jobs}", *options, "--", "sh", "-c", script.format(self.folder), "{}",
                          **more)
        weir.stdin.write(b"x\n" * lines)
        weir.stdin.flush()
        noted = self.lines_of(f"{self.folder}/pids", jobs if pids is None else pids, weir)
        self.pids = [int(pid) for pid in noted]
        return weir

    def assert_no_child_is_left(self):
        self.assertEqual([pid for pid in self.pids if state_of(pid)], [])

    def test_interrupt_leaves_no_child_and_is_130(self):
        weir = self.start_jobs(ENDLESS)
        weir.stdin.close()
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        # The end of the input may, or may not, have been seen before the signal.
        self.assertRegex(weir.stderr.read(),
                         b"^weir: stopped by SIGINT: 0 jobs done, 2 stopped, 3 not run"
                         b"(, and the rest of the input not read)?\\.\n$")
        self.assert_no_child_is_left()

    def test_termination_is_143_and_hang_up_129(self):
        for number, expected in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            weir = self.start_jobs(ENDLESS, pids=2)
            weir.send_signal(number)
            self.assertEqual(weir.wait(timeout=PATIENCE), expected)
            self.assertIn(b"the rest of the input not read", weir.stderr.read())
            self.assert_no_child_is_left()
            os.unlink(f"{self.folder}/pids")

    def test_interrupt_while_waiting_for_input_ends_at_once(self):
        weir = self.start("--", "echo")
        weir.stdin.write(b"x\n")
        weir.stdin.flush()
        self.assertEqual(weir.stdout.readline(), b"x\n")
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assertIn(b"1 jobs done, 0 stopped, 0 not run, and the rest", weir.stderr.read())

    def test_interrupt_ends_one_of_two_that_read_from_one_pipe(self):
        for _ in range(5):  # which of them gets a line is chance
            source, sink = os.pipe()
            both = [self.start("-j1", "--", "true", stdin=source) for _ in range(2)]
            os.close(source)
            for weir in both:  # all lines may be the other's, before this one hears signals
                wait_until(lambda pid=weir.pid: signal.SIGINT in signals_of(pid, "SigBlk"),
                           "it takes its signals itself")
            for _ in range(20):
                os.write(sink, b"x\n")
                wait_until(lambda: not unread(sink), "the line is read")
            for weir in both:
                weir.send_signal(signal.SIGINT)
            self.assertEqual([weir.wait(timeout=PATIENCE) for weir in both], [130, 130])
            os.close(sink)

    def test_interrupt_with_an_endless_input_ends(self):
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        self.addCleanup(self.end, yes)
        weir = self.start("-j4", "--", "echo", stdin=yes.stdout)
        self.assertEqual(weir.stdout.readline(), b"y\n")
        weir.send_signal(signal.SIGINT)
        weir.communicate(timeout=PATIENCE)
        self.assertEqual(weir.returncode, 130)

    def test_a_stubborn_child_is_killed_after_the_grace(self):
        weir = self.start_jobs(STUBBORN, "--grace", "0.2")
        begin = time.monotonic()
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assertGreater(time.monotonic() - begin, 0.19)
        self.assert_no_child_is_left()

    def test_a_second_interrupt_kills_at_once(self):
        weir = self.start_jobs(STUBBORN, "--grace", "3600")
        weir.send_signal(signal.SIGINT)
        wait_until(lambda: not signals_of(weir.pid, "ShdPnd"), "the first signal is taken")
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assert_no_child_is_left()

    def test_a_third_interrupt_leaves_at_once_though_nobody_reads(self):
        script = "head -c 10000000 /dev/zero; echo $$ >> {0}/pids; test {{}} = x || sleep 1000"
        weir = self.start_jobs(script, "--grace", "3600", jobs=1)
        for _ in range(3):
            wait_until(lambda: not signals_of(weir.pid, "ShdPnd"), "the signal before it is taken")
            weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)

    def test_messages_that_nobody_reads_do_not_keep_signals_away(self):
        reader, full = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(full, False)
        for size in (65536, 1):
            try:
                while True:
                    os.write(full, b"x" * size)
            except BlockingIOError:
                pass
        os.set_blocking(full, True)
        few_files = limited(resource.RLIMIT_NOFILE, 64)
        for options, prepare, signals in ((["--summary"], None, 1), (["-j60000"], few_files, 3)):
            weir = self.start(*options, "--", "true", stdin=subprocess.DEVNULL, stderr=full,
                              prepare=prepare)
            wait_until(lambda weir=weir: "pipe_write" in waits_of(weir.pid), "it waits to write")
            for _ in range(signals):
                weir.send_signal(signal.SIGINT)
                wait_until(lambda weir=weir: weir.poll() is not None or
                           not signals_of(weir.pid, "ShdPnd"), "the signal is taken")
            self.assertIn(weir.wait(timeout=PATIENCE), (130, -signal.SIGINT))
        os.close(full)

    def test_a_child_that_ends_gracefully_is_heard(self):
        weir = self.start_jobs(GRACEFUL, "--grace", "60")
        weir.send_signal(signal.SIGTERM)
        self.assertEqual(weir.wait(timeout=PATIENCE), 143)
        self.assertEqual(weir.stdout.read(), b"farewell\n" * 2)
        self.assertEqual(weir.stderr.read().count(b"failed: exit 7"), 2)

    def test_output_of_finished_jobs_is_printed_and_of_stopped_ones_not(self):
        script = "echo {{}}; test {{}} = 1 || {{ echo $$ >> {0}/pids; exec sleep 1000; }}"
        weir = self.start("-j2", "--", "sh", "-c", script.format(self.folder).replace("{{}}", "{}"))
        weir.stdin.write(b"1\n2\n3\n")
        weir.stdin.flush()
        self.pids = [int(pid) for pid in self.lines_of(f"{self.folder}/pids", 2, weir)]
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assertEqual(weir.stdout.read(), b"1\n")

    def test_output_that_a_stop_cuts_short_is_not_printed(self):
        weir = self.start_jobs("echo half; (sleep 1000; echo rest) & echo $$ >> {0}/pids",
                               jobs=1, lines=1)
        wait_until(lambda: not os.path.exists(f"/proc/{self.pids[0]}"), "its process is reaped")
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assertEqual(weir.stdout.read(), b"")
        self.assertIn(b"0 jobs done, 1 stopped, 0 not run", weir.stderr.read())

    def test_a_job_that_crashed_before_the_stop_is_heard(self):
        """Though it waits to be printed when the stop comes."""
        script = "if [ {} = 1 ]; then head -c 1000000 /dev/zero; exit; fi; echo precious; " \
                 f"echo $$ >> {self.folder}/pids; kill -SEGV $$"
        weir = self.start("-j2", "--", "sh", "-c", script)
        weir.stdin.write(b"1\n")
        weir.stdin.flush()
        self.assertEqual(weir.stdout.read(1), b"\0")  # from now on the printer waits
        weir.stdin.write(b"2\n")
        weir.stdin.flush()
        pid = self.lines_of(f"{self.folder}/pids", 1, weir)[0]
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the job is reaped")
        weir.send_signal(signal.SIGINT)
        wait_until(lambda: not signals_of(weir.pid, "ShdPnd"), "the signal is taken")
        out, err = weir.communicate(timeout=PATIENCE)
        self.assertEqual((weir.returncode, out.replace(b"\0", b"")), (130, b"precious\n"))
        self.assertIn(b"weir: job 2 failed: killed by SIGSEGV: ", err)
        self.assertIn(b"2 jobs done, 0 stopped, 0 not run", err)

    def test_grandchildren_are_stopped_too(self):
        weir = self.start_jobs(FAMILY, jobs=2, pids=4)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assert_no_child_is_left()

    def test_stubborn_grandchildren_are_killed_after_the_grace(self):
        family = f"sh -c '{STUBBORN}' & echo $$ >> {{0}}/pids; wait".replace("trap ''", 'trap ""')
        weir = self.start_jobs(family, "--grace", "0.2", jobs=2, pids=4)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assert_no_child_is_left()

    def test_zombies_that_are_given_to_the_tool_hold_nobody_up(self):
        """As to the first process of a container, which is what weir may be."""
        weir = self.start_jobs(FAMILY, "--grace", "3600", jobs=2, pids=4, prepare=adopt_orphans)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assert_no_child_is_left()

    def test_zombies_that_nobody_reaps_hold_nobody_up(self):
        adopt_orphans()
        self.addCleanup(adopt_orphans, 0)
        weir = self.start_jobs(FAMILY, "--grace", "0.2", jobs=2, pids=4)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        self.assert_no_child_is_left()

    def test_a_group_that_has_the_number_of_one_that_is_gone_is_left_alone(self):
        """In a process namespace, where the numbers are ours."""
        if subprocess.run(["unshare", "-pf", "--mount-proc", "true"], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("only root can make a process namespace")
        script = os.path.join(os.path.dirname(__file__), "reused_group.py")
        done = subprocess.run(["unshare", "-pf", "--mount-proc", "--kill-child", sys.executable,
                               "-B", script, self.weir],
                              check=False, capture_output=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)

    def test_one_who_left_the_group_and_holds_the_output_holds_nobody_up(self):
        script = "setsid sh -c 'echo $$ >> {0}/pids; exec sleep 1000' & wait"
        weir = self.start_jobs(script, jobs=1)
        weir.send_signal(signal.SIGINT)
        self.assertEqual(weir.wait(timeout=PATIENCE), 130)
        os.kill(self.pids[0], signal.SIGKILL)

    def test_killing_the_tool_kills_its_children(self):
        weir = self.start_jobs(ENDLESS)
        weir.kill()
        weir.wait()
        for pid in self.pids:
            wait_until(lambda pid=pid: not state_of(pid), "the children are dead")

    def test_ignored_signals_stay_ignored(self):
        weir = self.start_jobs("echo $$ >> {0}/pids; while [ ! -e {0}/go ]; do sleep .01; done",
                               jobs=1, lines=1,
                               prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        weir.send_signal(signal.SIGHUP)
        os.kill(self.pids[0], signal.SIGHUP)
        with open(f"{self.folder}/go", "wb"):
            pass
        weir.stdin.close()
        self.assertEqual((weir.wait(timeout=PATIENCE), weir.stderr.read()), (0, b""))

    def test_suspending_the_tool_suspends_its_children(self):
        # In a process group of its own, as from a shell: the kernel drops SIGTSTP for a group whose
        # parents are all gone, as those of a test run in the background may be.
        # The child starts no process of its own: a shell whose vforked child was stopped waits for
        # that in the kernel, as good as suspended, but not "T".
        os.mkfifo(f"{self.folder}/go")
        weir = self.start_jobs("echo $$ >> {0}/pids; read line < {0}/go", jobs=1, lines=1,
                               prepare=lambda: os.setpgid(0, 0))
        weir.send_signal(signal.SIGTSTP)
        for pid in (weir.pid, self.pids[0]):
            wait_until(lambda pid=pid: state_of(pid) == "T", "all are suspended")
        weir.send_signal(signal.SIGCONT)
        with open(f"{self.folder}/go", "w", encoding="ascii") as go:
            go.write("on\n")
        weir.stdin.close()
        self.assertEqual(weir.wait(timeout=PATIENCE), 0)

    def test_time_suspended_is_no_grace(self):
        script = "trap 'touch {0}/asked; read line < {0}/go; echo saved; exit 0' TERM; " \
                 "echo $$ >> {0}/pids; while :; do sleep .01; done"
        os.mkfifo(f"{self.folder}/go")
        go = os.open(f"{self.folder}/go", os.O_RDWR)  # waits for nobody
        self.addCleanup(os.close, go)
        weir = self.start_jobs(script, "--grace", "3", jobs=1, lines=1,
                               prepare=lambda: os.setpgid(0, 0))
        weir.send_signal(signal.SIGTERM)
        wait_until(lambda: os.path.exists(f"{self.folder}/asked"), "the job is asked to end")
        weir.send_signal(signal.SIGTSTP)
        wait_until(lambda: state_of(weir.pid) == "T", "all are suspended")
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() > begin + 3.1, "the grace would be over")
        weir.send_signal(signal.SIGCONT)
        os.write(go, b"on\n")
        self.assertEqual(weir.wait(timeout=PATIENCE), 143)
        self.assertEqual(weir.stdout.read(), b"saved\n")

    def test_a_suspended_child_is_stopped_as_well(self):
        weir = self.start_jobs(ENDLESS, "--grace", "3600", jobs=1)
        os.kill(self.pids[0], signal.SIGSTOP)
        wait_until(lambda: state_of(self.pids[0]) == "T", "it is suspended")
        weir.send_signal(signal.SIGTERM)
        self.assertEqual(weir.wait(timeout=PATIENCE), 143)


if __name__ == "__main__":
    main()
