#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_test.py <weir> [test]: what `weir run` does with its input, its jobs and their output."""

import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import tempfile

from weir_process import (PATIENCE, SANITIZED, ToolTest, as_from_a_shell, kib_of, limited, main,
                          sleeps_of, state_of, unread, wait_until)


class Statuses(ToolTest):
    def test_all_jobs_succeed_is_status_0(self):
        status, out, err = self.run_weir("-j", "2", "--", "echo", text=b"a\nb\nc\n")
        self.assertEqual((status, sorted(out.split()), err), (0, [b"a", b"b", b"c"], b""))

    def test_the_status_is_the_number_of_failed_jobs(self):
        status, _, err = self.run_weir("--", "sh", "-c", "exit {}", text=b"1\n0\n2\n0\n3\n")
        self.assertEqual(status, 3)
        self.assertIn(b"weir: job 3 failed: exit 2: sh -c 'exit 2'\n", err)
        self.assertEqual(err.count(b"\n"), 3)

    def test_more_than_100_failures_are_status_101(self):
        status, _, err = self.run_weir("-q", "--", "false", text=b"x\n" * 120)
        self.assertEqual((status, err), (101, b""))

    def test_a_job_killed_by_a_signal_failed(self):
        status, _, err = self.run_weir("--", "sh", "-c", "kill -{} $$", text=b"KILL\n")
        self.assertEqual((status, err),
                         (1, b"weir: job 1 failed: killed by SIGKILL: sh -c 'kill -KILL $$'\n"))

    def test_quiet_says_nothing_of_failed_jobs(self):
        status, out, err = self.run_weir("--quiet", "--", "sh", "-c", "echo {} >&2; exit 1",
                                         text=b"x\n")
        self.assertEqual((status, out, err), (1, b"", b"x\n"))

    def test_empty_input_is_no_job_and_status_0(self):
        status, out, err = self.run_weir("--summary", "--", "false")
        self.assertEqual((status, out), (0, b""))
        self.assertRegex(err.decode(),
                         r"^weir: 0 jobs, 0 failed, [\d.]+ s, 0 jobs/s, peak \d+ KiB\n$")

    def test_a_command_that_is_not_found_is_127_before_any_job(self):
        status, _, err = self.run_weir("--", "no-such-command", "{}", stdin=subprocess.DEVNULL)
        self.assertEqual(status, 127)
        self.assertIn(b"weir: no-such-command: command not found.", err)

    def test_a_command_that_cannot_be_executed_is_126(self):
        for command in ("/etc/passwd", "/"):
            status, _, err = self.run_weir("--", command, stdin=subprocess.DEVNULL)
            self.assertEqual(status, 126)
            self.assertIn(f"weir: {command}: cannot be executed.".encode(), err)

    def test_wrong_options_are_named(self):
        for arguments, name in (
                (["-j", "0", "true"], "--jobs: '0'"), (["-j", "abc", "true"], "--jobs: 'abc'"),
                (["-j", "65537", "true"], "--jobs: '65537'"), (["-j-3", "true"], "--jobs: '-3'"),
                (["-j", "4x", "true"], "--jobs: '4x'"),
                (["-j", "", "true"], "--jobs: ''"), (["--grace", "", "true"], "--grace: ''"),
                (["-j2", "-j3", "true"], "--jobs: it is given more than once"),
                (["-j"], "--jobs: its value is missing"),
                (["--grace"], "--grace: its value is missing"),
                (["--grace", "-1", "true"], "--grace: '-1'"),
                (["--grace", "nan", "true"], "--grace: 'nan'"), (["--frob", "true"], "--frob"),
                ([], "no command"), (["-j", "4", "--"], "no command")):
            status, out, err = self.run_weir(*arguments)
            self.assertEqual((status, out), (125, b""), arguments)
            self.assertRegex(err.decode(), "^weir: .*" + re.escape(name))
            self.assertEqual(err.count(b"\n"), 1)

    def test_a_wrong_number_of_processors_is_named_once(self):
        status, _, err = self.run_weir("true", env={"WEIR_CARRIERS": "x"})
        self.assertEqual(status, 125)
        self.assertRegex(err, b"^weir: WEIR_CARRIERS: 'x' is not")

    def test_a_wrong_word_for_deadlocks_is_named(self):
        status, _, err = self.run_weir("true", text=b"x\n", env={"WEIR_DEADLOCK": "x"})
        self.assertEqual(status, 125)
        self.assertRegex(err, b"^weir: WEIR_DEADLOCK: 'x' is not .* Set it to end_program, report "
                              b"or ignore, or not at all[.]\n$")

    def test_the_end_of_a_named_pipe_whose_writer_has_gone_is_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/pipe"
            os.mkfifo(path)
            hold = os.open(path, os.O_RDWR)  # or to open either end would wait for the other
            source = os.open(path, os.O_RDONLY)
            os.write(hold, b"1\n2\n")
            os.close(hold)  # before weir looks
            self.addCleanup(os.close, source)
            status, out, err = self.run_weir("-j1", "echo", stdin=source)
        self.assertEqual((status, out, err), (0, b"1\n2\n", b""))

    def test_input_that_cannot_be_read_is_an_error(self):
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        status, _, err = self.run_weir("--", "true", stdin=folder)
        self.assertEqual(status, 125)
        self.assertIn(b"weir: standard input: Is a directory.", err)
        status, _, err = self.run_weir("true", stdin=None, prepare=lambda: os.close(0))
        self.assertEqual(status, 125)
        self.assertIn(b"weir: standard input: Bad file descriptor.", err)


class Arguments(ToolTest):
    def argv(self, *arguments, text, options=()):
        """The arguments that a job got, as it got them."""
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "show")
            with open(script, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
            os.chmod(script, 0o755)
            status, out, err = self.run_weir(*options, "--", script, *arguments, text=text)
        self.assertEqual((status, err), (0, b""))
        return out

    def test_the_line_becomes_the_last_argument_without_a_place(self):
        self.assertEqual(self.argv("a", text=b"x y\n"), b"<a><x y>")

    def test_every_place_is_replaced(self):
        self.assertEqual(self.argv("{}", "-o{}.{}", "{", "{}{}", text=b"q\n"), b"<q><-oq.q><{><qq>")

    def test_a_place_in_the_line_is_left_alone(self):
        self.assertEqual(self.argv("{}-{}", text=b"{}\n"), b"<{}-{}>")

    def test_special_characters_arrive_as_they_are(self):
        name = b"My brother's 12\" *** record  (costs $$$).jpg"
        self.assertEqual(self.argv(text=name + b"\n"), b"<" + name + b">")

    def test_no_shell_sees_the_line(self):
        line = b" $(id) `id` ~ * ; echo x | & > < \\ ' \" \t!! \xff\xfe "
        self.assertEqual(self.argv(text=line + b"\n"), b"<" + line + b">")

    def test_arguments_of_the_command_are_not_ours(self):
        self.assertEqual(self.argv("-j", "--", "run", "[a,b]", "--help", "++", text=b"x\n"),
                         b"<-j><--><run><[a,b]><--help><++><x>")
        status, out, _ = self.run_weir("echo", "--null", "{}", text=b"x\n")
        self.assertEqual((status, out), (0, b"--null x\n"))

    def test_a_last_line_needs_no_newline(self):
        self.assertEqual(self.argv(text=b"a\nb", options=["-j1"]), b"<a><b>")

    def test_empty_lines_are_no_jobs(self):
        self.assertEqual(self.argv(text=b"\n\na\n\n", options=["-j1"]), b"<a>")

    def test_null_separated_records_may_hold_newlines_and_be_empty(self):
        self.assertEqual(self.argv(text=b"a\nb\0\0c", options=["-0", "-j1"]), b"<a\nb><><c>")

    def test_the_command_itself_may_hold_a_place(self):
        status, out, err = self.run_weir("-j1", "--", "{}", text=b"pwd\nno-such-command\ntrue\n")
        self.assertEqual((status, out), (1, os.getcwd().encode() + b"\n"))
        self.assertIn(b"weir: job 2 failed: No such file or directory: no-such-command\n", err)

    def test_a_script_without_an_interpreter_line_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "script")
            with open(script, "w", encoding="utf-8") as file:
                file.write("echo script $1\n")
            os.chmod(script, 0o755)
            status, out, _ = self.run_weir("--", script, text=b"x\n")
        self.assertEqual((status, out), (0, b"script x\n"))

    def test_a_line_too_long_for_an_argument_fails_alone(self):
        text = b"a\n" + b"x" * 131072 + b"\n" + b"y" * 131071 + b"\n"
        status, out, err = self.run_weir("-j1", "--", "sh", "-c", "echo ${#1}", "-", text=text)
        self.assertEqual((status, out), (1, b"1\n131071\n"))
        self.assertIn(b"weir: job 2 failed: a record of 131072 bytes, an argument has at most", err)
        self.assertLess(len(err), 600)

    def test_too_many_bytes_in_all_fail_the_job_alone(self):
        text = b"x" * 100000 + b"\nb\n"
        status, out, err = self.run_weir("-j1", "echo", *["{}"] * 40, text=text)
        self.assertEqual((status, out), (1, b"b " * 39 + b"b\n"))
        self.assertIn(b"weir: job 1 failed: Argument list too long: echo xxx", err)

    def test_a_line_with_a_null_byte_fails_alone(self):
        status, out, err = self.run_weir("-j1", "--", "echo", text=b"a\0b\nc\n")
        self.assertEqual((status, out), (1, b"c\n"))
        self.assertIn(b"--null", err)

    def test_control_characters_do_not_reach_the_terminal_by_way_of_messages(self):
        _, _, err = self.run_weir("--", "false", text=b"\x1b[2J\n")
        self.assertEqual(err, b"weir: job 1 failed: exit 1: false '?[2J'\n")
        line = "\x9b2J \xe9".encode()  # of the second set, and none
        _, _, err = self.run_weir("--", "false", text=line + b"\n")
        self.assertEqual(err, "weir: job 1 failed: exit 1: false '?2J \xe9'\n".encode())
        _, _, err = self.run_weir("--", "no\x1b[2J", stdin=subprocess.DEVNULL)
        self.assertIn(b"weir: no?[2J: command not found.", err)

    def test_a_message_that_leaves_out_a_part_of_the_line_says_so(self):
        for line in ("a" * 241, "\u0085" * 241):  # as a name; a control character, shown as ?
            _, _, err = self.run_weir("--", "{}", text=line.encode() + b"\n")
            self.assertRegex(err, b"[a?]'?[.][.][.]\n$")

    def test_a_message_quotes_what_a_shell_would_take_apart(self):
        _, _, err = self.run_weir("--", "false", "a=b", text=b"{a,b}\n")
        self.assertIn(b"exit 1: false a=b '{a,b}'\n", err)
        _, _, err = self.run_weir("{}", text=b"a=b\n")
        self.assertIn(b": 'a=b'\n", err)


class Shortage(ToolTest):
    """The limit of processes, which counts threads too, does not hold for root: weir runs as a user
    that has nothing else."""

    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("only root can become another user")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.user = 40000 + os.getpid() % 20000
        os.chmod(self.folder, 0o777)
        self.weir = shutil.copy(self.weir, self.folder)  # where others can execute it

    def start(self, *arguments, **more):
        # (A sanitizer's look for leaks, at the end, wants a process of its own.)
        settings = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return super().start(*arguments, user=self.user, group=self.user, extra_groups=[],
                             env={"ASAN_OPTIONS": settings.lstrip(":")}, **more)

    def allow_processes(self, weir, number):
        """Sets the limit of a weir that runs, as its user may; None: as before."""
        if number is None:
            hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
            number = "unlimited" if hard == resource.RLIM_INFINITY else hard
        subprocess.run(["prlimit", f"--pid={weir.pid}", f"--nproc={number}:"], check=True,
                       user=self.user, group=self.user, extra_groups=[])

    def test_output_is_printed_without_a_thread_to_lend(self):
        os.mkfifo(f"{self.folder}/go")
        weir = self.start("-j1", "--", "sh", "-c", f"read line < {self.folder}/go; "
                          "exec head -c 700000 /dev/zero", "{}")
        weir.stdin.write(b"x\n")
        weir.stdin.flush()
        with open(f"{self.folder}/go", "wb") as go:  # waits for the job
            self.allow_processes(weir, 1)
            go.write(b"\n")
        self.assertEqual(len(weir.stdout.read(700000)), 700000)
        weir.stdin.close()  # until now the reader has the only thread that was lent
        self.assertEqual((weir.wait(timeout=PATIENCE), weir.stderr.read()), (0, b""))

    def test_input_is_waited_for_without_a_thread_to_lend(self):
        os.mkfifo(f"{self.folder}/go")
        weir = self.start("-j1", "--", "sh", "-c",
                          f"test {{}} != 1 || read line < {self.folder}/go; echo {{}}")
        weir.stdin.write(b"1\n2\n3\n4\n")  # more than weir takes before the first is done
        weir.stdin.flush()
        with open(f"{self.folder}/go", "wb") as go:
            self.allow_processes(weir, 1)
            go.write(b"\n")
        self.assertEqual(weir.stdout.readline(), b"1\n")
        weir.stdin.write(b"5\n")
        weir.stdin.flush()
        wait_until(lambda: weir.poll() is not None or not unread(weir.stdin), "all is read")
        self.allow_processes(weir, None)
        weir.stdin.close()
        self.assertEqual(weir.stdout.read(), b"2\n3\n4\n5\n")
        self.assertEqual((weir.wait(timeout=PATIENCE), weir.stderr.read()), (0, b""))

    def start_and_run_short_of_processes(self):
        """A weir that has done job 1, and can start no process for what else it is given."""
        weir = self.start("-j2", "--", "echo")
        weir.stdin.write(b"1\n")
        weir.stdin.flush()
        self.assertEqual(weir.stdout.readline(), b"1\n")
        self.allow_processes(weir, 1)
        return weir

    def test_a_shortage_of_processes_that_passes_fails_no_job(self):
        weir = self.start_and_run_short_of_processes()
        before = sleeps_of(weir.pid)
        weir.stdin.write(b"2\n3\n")
        weir.stdin.close()
        wait_until(lambda: weir.poll() is not None or sleeps_of(weir.pid) > before + 20,
                   "it tries again")
        self.allow_processes(weir, None)
        self.assertEqual(sorted(weir.stdout.read().split()), [b"2", b"3"])
        self.assertEqual((weir.wait(timeout=PATIENCE), weir.stderr.read()), (0, b""))

    def test_a_shortage_of_processes_that_lasts_is_an_error(self):
        weir = self.start_and_run_short_of_processes()
        weir.stdin.write(b"2\n3\n")
        weir.stdin.close()
        self.assertEqual(weir.wait(timeout=PATIENCE), 125)
        self.assertRegex(weir.stderr.read().decode(), r"^weir: job [23]: it cannot be started .*"
                         r": Resource temporarily unavailable\. .*ulimit -u\.\n$")


class Surroundings(ToolTest):
    def test_a_job_finds_its_number_and_an_empty_input(self):
        status, out, _ = self.run_weir("-j1", "sh", "-c", "echo $WEIR_JOB $(wc -c) {}",
                                       text=b"a\nb\n", env={"WEIR_JOB": "77"})
        self.assertEqual((status, out), (0, b"1 0 a\n2 0 b\n"))

    def test_a_job_inherits_no_file_signal_or_limit_of_ours(self):
        script = "ls /proc/self/fd; grep -E '^(SigBlk|SigIgn):' /proc/self/status; ulimit -n"
        status, out, _ = self.run_weir("-j40", "sh", "-c", script, "{}", text=b"x\n",
                                       prepare=limited(resource.RLIMIT_NOFILE, 64, 1024))
        self.assertEqual(status, 0)
        files, rest = out.decode().split("Sig", 1)
        self.assertEqual(files.split(), ["0", "1", "2", "3"])  # 3 is the folder that ls reads
        lines = re.fullmatch(r"Blk:\s(\S+)\nSigIgn:\s(\S+)\n(\d+)\n", rest)
        blocked, ignored, limit = lines.groups()
        own_to_libc = 3 << 31  # signals 32 and 33, ignored in what make and posix_spawn start
        self.assertEqual((int(blocked, 16), int(ignored, 16) & ~own_to_libc, limit), (0, 0, "64"))

    def test_an_ignored_sigchld_stays_ignored_for_the_jobs_and_no_status_is_lost(self):
        status, out, err = self.run_weir(
            "grep", "-h", "SigIgn:", text=b"/proc/self/status\n/no/such/file\n",
            prepare=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((status, err.count(b"failed: exit 2:")), (1, 1))
        self.assertTrue(int(out.split()[1], 16) & 1 << (signal.SIGCHLD - 1))

    def test_it_starts_before_the_end_of_the_input(self):
        weir = self.start("-j2", "--", "echo")
        weir.stdin.write(b"one\n")
        weir.stdin.flush()
        self.assertEqual(weir.stdout.readline(), b"one\n")
        weir.stdin.write(b"two")
        weir.stdin.close()
        self.assertEqual(weir.stdout.read(), b"two\n")
        self.assertEqual(weir.wait(), 0)

    def test_as_many_jobs_run_at_once_as_were_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            script = f"touch {folder}/{{}}; " \
                     f"while [ $(ls {folder} | wc -l) -lt 5 ]; do sleep .01; done"
            status, _, _ = self.run_weir("-j5", "--", "sh", "-c", script, text=b"1\n2\n3\n4\n5\n")
        self.assertEqual(status, 0)

    def test_endless_input_runs_in_flat_memory(self):
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        self.addCleanup(self.end, yes)
        with tempfile.NamedTemporaryFile() as log:
            weir = self.start("-j4", "--", "sh", "-c", "echo $WEIR_JOB", stdin=yes.stdout,
                              stdout=log)
            done = lambda: os.path.getsize(log.name)
            wait_until(lambda: done() > 1000, "some hundred jobs are done")
            early = kib_of(weir.pid, "VmRSS")
            if not SANITIZED:
                wait_until(lambda: done() > 9000, "two thousand jobs are done")
                self.assertLess(kib_of(weir.pid, "VmRSS"), early + 1024)
            weir.terminate()
            self.assertEqual(weir.wait(), 143)

    def test_a_line_without_end_takes_no_memory(self):
        zeros = subprocess.Popen(["sh", "-c", "head -c 300000000 /dev/zero | tr '\\0' x"],
                                 stdout=subprocess.PIPE)
        self.addCleanup(self.end, zeros)
        status, _, err = self.run_weir("--summary", "--", "true", stdin=zeros.stdout)
        self.assertEqual(status, 1)
        self.assertIn(b"a record of 300000000 bytes", err)
        if not SANITIZED:
            self.assertLess(int(re.search(rb"peak (\d+) KiB", err)[1]), 16 * 1024)

    def test_few_open_files_mean_fewer_jobs_and_a_notice(self):
        status, out, err = self.run_weir("-j", "1000", "--", "echo", text=b"x\n" * 200,
                                         prepare=limited(resource.RLIMIT_NOFILE, 64))
        self.assertEqual((status, out), (0, b"x\n" * 200))
        self.assertIn(b"weir: --jobs 1000: needs 5192 open files, the limit is 64.", err)
        status, _, err = self.run_weir("true", prepare=limited(resource.RLIMIT_NOFILE, 12))
        self.assertEqual(status, 125)
        self.assertIn(b"ulimit -n", err)

    def test_inherited_files_are_taken_into_account(self):
        files = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        for file in files:
            self.addCleanup(os.close, file)
        inherited = {"pass_fds": files, "prepare": limited(resource.RLIMIT_NOFILE, 100)}
        weir = self.start("-j40", "--", "sh", "-c",
                          "head -c 700000 /dev/zero; head -c 700000 /dev/zero >&2", "{}",
                          **inherited)
        out, err = weir.communicate(b"x\n" * 40, timeout=PATIENCE)
        self.assertEqual((weir.returncode, len(out), err.count(b"\0")), (0, 28000000, 28000000))
        self.assertIn(b"weir: --jobs 40: needs 442 open files, the limit is 100.", err)
        inherited["prepare"] = limited(resource.RLIMIT_NOFILE, 70)
        status, _, err = self.run_weir("true", **inherited)
        self.assertEqual(status, 125)
        self.assertIn(b"the limit is 70, 50 are open, a job needs 24.", err)

    def test_a_job_that_uses_the_terminal_fails_and_says_so(self):
        for use, name in (("stty -echo", b"SIGTTOU"), ("read line", b"SIGTTIN")):
            pid, terminal = pty.fork()
            if pid == 0:
                as_from_a_shell()
                os.execv("/bin/sh", ["sh", "-c", f"echo x | {self.weir} run -- "
                                     f"sh -c 'echo before; {use} < /dev/tty; echo after; : {{}}'"])
            said = b""
            try:
                while block := os.read(terminal, 4096):
                    said += block
            except OSError:  # everybody has closed it
                pass
            os.close(terminal)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 1)
            self.assertRegex(said, b"^before\r\nweir: job 1 failed: stopped by " + name +
                             b", for a job cannot use the terminal: ")

    def test_a_job_may_leave_a_process_behind(self):
        status, out, _ = self.run_weir("--", "sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $!",
                                       text=b"x\n")
        self.assertEqual(status, 0)
        self.assertIn(state_of(int(out)), ("R", "S"))
        os.kill(int(out), 9)


if __name__ == "__main__":
    main()
