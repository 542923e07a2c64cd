#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What count_results.py makes of each way in which a test can end."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("count_results.py")
PASSED = '<testcase name="a" status="run" result="completed"/>'
FAILED = '<testcase name="b" status="run" result="completed"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="c" status="run" result="skipped"><skipped message=""/></testcase>'
LEFT_OUT = '<testcase name="d" status="notrun" result="suppressed"/>'


class Counts(unittest.TestCase):
    def count(self, ctest, programs, built=()):
        """ctest: {name: status}; programs: {name: the text of its results}; built: files."""
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "tests" / "results"
            results.mkdir(parents=True)
            cases = "".join(f'<testcase name="{name}" status="{status}"/>'
                            for name, status in ctest.items())
            Path(folder, "junit.xml").write_text(f"<testsuite>{cases}</testsuite>", "utf-8")
            for name in built:
                (results.parent / name).touch()
            for name, text in programs.items():
                (results / f"{name}.xml").write_text(text, "utf-8")
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True,
                                  check=True)
        return tuple(map(int, done.stdout.split()))

    def program(self, status, *cases):
        text = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
        return self.count({"p": status}, {"p": text})

    def test_a_test_of_ctests_own_is_one(self):
        self.assertEqual(self.count({"x": "run", "y": "fail", "z": "notrun", "d": "disabled"}, {}),
                         (1, 1))

    def test_a_program_is_as_many_as_it_has(self):
        self.assertEqual(self.program("run", PASSED, PASSED, SKIPPED, LEFT_OUT), (2, 0))

    def test_its_failures_are_not_counted_twice(self):
        self.assertEqual(self.program("fail", PASSED, FAILED, FAILED), (1, 2))

    def test_one_whose_tests_passed_and_that_ended_badly_has_failed(self):
        self.assertEqual(self.program("fail", PASSED), (1, 1))

    def test_one_that_broke_off_has_failed(self):
        self.assertEqual(self.count({"p": "fail"}, {}), (0, 1))
        self.assertEqual(self.count({"p": "fail"}, {"p": "<testsuites><testsu"}), (0, 1))

    def test_one_that_broke_off_as_if_all_were_well_has_failed(self):
        self.assertEqual(self.count({"p": "run"}, {}, built=["p"]), (0, 1))

    def test_no_build_is_none_at_all(self):
        done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "0 0\n")


if __name__ == "__main__":
    unittest.main()
