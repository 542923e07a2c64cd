#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""output_test.py <weir> [test]: the output of jobs is whole, apart, and never lost in silence."""

import hashlib
import os
import re
import resource
import subprocess
import tempfile

from weir_process import PATIENCE, SANITIZED, ToolTest, limited, main, state_of, wait_until

MIB = 1024 * 1024


def peak_kib(err):
    return int(re.search(rb"peak (\d+) KiB", err)[1])


class Output(ToolTest):
    def test_the_output_of_jobs_never_mixes(self):
        """MIX of parallel_alternatives(7): runs of letters on both streams, without newlines."""
        script = "".join(f"head -c {MIB} /dev/zero | tr '\\0' {letter} >&{1 + turn % 2}; "
                         for turn, letter in enumerate("abcdef"))
        status, out, err = self.run_weir("-j6", "--", "sh", "-c", script, "{}", text=b"x\n" * 30)
        self.assertEqual(status, 0)
        self.assertTrue(out == (b"a" * MIB + b"c" * MIB + b"e" * MIB) * 30)
        self.assertTrue(err == (b"b" * MIB + b"d" * MIB + b"f" * MIB) * 30)

    def test_output_comes_in_the_order_of_completion(self):
        with tempfile.TemporaryDirectory() as folder:
            script = f"test {{}} = 2 || while [ ! -e {folder}/go ]; do sleep .01; done; echo {{}}"
            weir = self.start("-j2", "--", "sh", "-c", script)
            weir.stdin.write(b"1\n2\n")
            weir.stdin.close()
            self.assertEqual(weir.stdout.readline(), b"2\n")
            with open(os.path.join(folder, "go"), "wb"):
                pass
            self.assertEqual(weir.stdout.read(), b"1\n")
            self.assertEqual(weir.wait(), 0)

    def test_bytes_of_any_kind_pass_unchanged(self):
        data = bytes(range(256)) * 9000 + b"no newline"
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            status, out, err = self.run_weir("--", "sh", "-c", "cat {}; cat {} >&2",
                                             text=file.name.encode())
        self.assertEqual(status, 0)
        self.assertTrue(out == data and err == data)

    def test_big_output_takes_little_memory_and_leaves_no_file(self):
        each = 48 * MIB
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as kept:
            status, _, err = self.run_weir("-j4", "--summary", "--", "sh", "-c",
                                           "head -c {} /dev/zero", text=b"%d\n" % each * 8,
                                           stdout=kept, env={"TMPDIR": folder})
            self.assertEqual((status, os.fstat(kept.fileno()).st_size), (0, 8 * each))
            if not SANITIZED:
                self.assertLess(peak_kib(err), 16 * 1024)
            self.assertEqual(os.listdir(folder), [])

    def test_many_small_outputs_arrive_whole(self):
        text = b"".join(b"%d\n" % number for number in range(200 if SANITIZED else 1000))
        status, out, _ = self.run_weir("-j8", "--", "echo", text=text)
        self.assertEqual((status, sorted(out.split())), (0, sorted(text.split())))

    def test_what_a_job_leaves_behind_may_still_write(self):
        script = "(while kill -0 $$ 2>/dev/null; do sleep .01; done; echo late) & echo early"
        status, out, _ = self.run_weir("--", "sh", "-c", script, "{}", text=b"x\n")
        self.assertEqual((status, out), (0, b"early\nlate\n"))

    def test_a_slow_reader_gets_everything(self):
        weir = self.start("-j4", "--", "sh", "-c", f"head -c {3 * MIB} /dev/zero", "{}")
        weir.stdin.write(b"x\n" * 20)
        weir.stdin.close()
        digest, size = hashlib.sha256(), 0
        while block := os.read(weir.stdout.fileno(), 777):
            digest.update(block)
            size += len(block)
        self.assertEqual((weir.wait(), size), (0, 20 * 3 * MIB))
        self.assertEqual(digest.digest(), hashlib.sha256(bytes(size)).digest())


class Trouble(ToolTest):
    def test_a_reader_that_has_enough_stops_everything_quietly(self):
        yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
        self.addCleanup(self.end, yes)
        weir = self.start("-j3", "--", "echo", stdin=yes.stdout)
        self.assertEqual(weir.stdout.readline(), b"y\n")
        weir.stdout.close()
        self.assertEqual(weir.wait(timeout=PATIENCE), 141)
        self.assertEqual(weir.stderr.read(), b"")

    def test_jobs_that_run_when_nobody_reads_any_more_are_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            script = f"[ {{}} = 1 ] || {{ echo $$ >> {folder}/pids; exec sleep 1000; }}; " \
                     f"while [ ! -s {folder}/pids ]; do sleep .01; done; echo done"
            weir = self.start("-j2", "--", "sh", "-c", script)
            weir.stdout.close()
            weir.stdin.write(b"1\n2\n")
            weir.stdin.close()
            self.assertEqual(weir.wait(timeout=PATIENCE), 141)
            self.assertEqual(state_of(int(self.lines_of(f"{folder}/pids", 1)[0])), None)

    def test_a_full_disk_behind_standard_output_is_an_error(self):
        with open("/dev/full", "wb") as full:
            status, _, err = self.run_weir("-j2", "--", "echo", text=b"a\n" * 50, stdout=full)
        self.assertEqual(status, 125)
        self.assertIn(b"weir: output: standard output: No space left on device.", err)

    def test_a_full_disk_behind_the_spool_is_an_error(self):
        """The limit of a file's size stands for the full disk, and is named."""
        with tempfile.TemporaryDirectory() as folder:
            status, out, err = self.run_weir(
                "-j2", "--", "sh", "-c", "test {} = small && echo small || exec cat /dev/zero",
                text=b"big\nsmall\n", env={"TMPDIR": folder},
                prepare=limited(resource.RLIMIT_FSIZE, 4 * MIB))
            self.assertEqual((status, out.replace(b"small\n", b"")), (125, b""))
            self.assertIn(f"its output cannot be kept in {folder}: File too large. "
                          "Raise the limit with ulimit -f.".encode(), err)
            self.assertEqual(os.listdir(folder), [])

    def test_a_tiny_file_system_behind_the_spool_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder],
                                     check=False, capture_output=True)
            if mounted.returncode != 0:
                self.skipTest("only root can mount")
            try:
                status, out, err = self.run_weir("--", "head", "-c", "{}", "/dev/zero",
                                                 text=b"20000000\n", env={"TMPDIR": folder})
            finally:
                wait_until(lambda: subprocess.run(["umount", folder], check=False,
                                                  capture_output=True).returncode == 0, "unmounted")
        self.assertEqual((status, out), (125, b""))
        self.assertIn(b"No space left on device. Make room there, or set TMPDIR.", err)

    def test_a_missing_folder_for_the_spool_is_an_error(self):
        status, _, err = self.run_weir("--", "head", "-c", "20000000", text=b"/dev/zero\n",
                                       env={"TMPDIR": "/no/such/folder"})
        self.assertEqual(status, 125)
        self.assertIn(b"cannot be kept in /no/such/folder: No such file or directory", err)

    def test_an_error_that_nobody_can_be_told_of_is_a_status_all_the_same(self):
        with open("/dev/full", "wb") as full:
            status, _, _ = self.run_weir("--frob", "true", stderr=full)
        self.assertEqual(status, 125)
        status, _, _ = self.run_weir("--frob", "true", prepare=lambda: os.close(2))
        self.assertEqual(status, 125)

    def test_closed_standard_output_is_an_error(self):
        status, _, err = self.run_weir("echo", text=b"x\n", prepare=lambda: os.close(1))
        self.assertEqual(status, 125)
        self.assertIn(b"weir: output: standard output: Bad file descriptor.", err)


if __name__ == "__main__":
    main()
