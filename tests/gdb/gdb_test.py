#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gdb_test.py <gdb_probe> <weir-gdb.py> [test...]: the gdb script, on a live program and a core."""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROBE, SCRIPT = (os.path.abspath(path) for path in sys.argv[1:3])


def gdb(*commands, target):
    words = [word for command in commands for word in ("-ex", command)]
    done = subprocess.run(["gdb", "-nx", "-batch", *words, *target], capture_output=True, text=True,
                          timeout=60, check=False, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


@unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
class Gdb(unittest.TestCase):
    def check(self, text):
        self.assertRegex(text, r"task \d+ 'reader': receive on channel 0x[0-9a-f]+ \(cap 3\)")
        self.assertRegex(text, r"task \d+ 'sleeper': sleep")
        self.assertRegex(text, r"task \d+: wait on wait_group 0x[0-9a-f]+ \(count 2\)")
        self.assertRegex(text, r"task \d+ 'main': running")
        self.assertIn("4 tasks", text)

    def number_of(self, name, text):
        line = next(line for line in text.splitlines() if f"'{name}'" in line)
        return line.split()[1]

    def test_a_live_program(self):
        text = gdb("run", f"source {SCRIPT}", "weir tasks", target=[PROBE])
        self.check(text)
        number = self.number_of("reader", text)
        frames = gdb("run", f"source {SCRIPT}", f"weir backtrace {number}", target=[PROBE])
        self.assertRegex(frames, r"#\d+ +.*wait_for_a_value at .*gdb_probe.cpp:")
        self.assertRegex(frames, r"#\d+ +.*task_main")

    def test_a_core_file(self):
        pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
        if "/" in pattern or pattern.startswith("|") or not pattern:
            self.skipTest(f"core files go elsewhere: {pattern}")
        with tempfile.TemporaryDirectory() as folder:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            try:
                subprocess.run([PROBE], cwd=folder, timeout=60, check=False,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE,
                                                                     unlimited))
            except subprocess.SubprocessError:
                self.skipTest("core files are not allowed here")
            cores = list(Path(folder).glob("core*"))
            if not cores:
                self.skipTest("no core file was written")
            self.check(gdb(f"source {SCRIPT}", "weir tasks", target=[PROBE, str(cores[0])]))

    def test_what_cannot_be_is_said(self):
        text = gdb(f"source {SCRIPT}", "break main", "run", "weir tasks", target=[PROBE])
        self.assertIn("no runtime has been started", text)
        text = gdb(f"source {SCRIPT}", "run", "weir backtrace 999", "weir backtrace x",
                   target=[PROBE])
        self.assertIn("there is no task 999", text)
        self.assertIn("which task?", text)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
