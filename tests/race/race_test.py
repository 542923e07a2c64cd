#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""race_test.py <race_probe>: ThreadSanitizer reports each of the probe's races."""
import os
import subprocess
import sys
import unittest

PROBE = sys.argv[1]
REPORTED = 66
ATTEMPTS = 5  # on two carriers the two accesses may be far apart in time


def run(name):
    options = f"exitcode={REPORTED}:halt_on_error=1"
    return subprocess.run([PROBE, name], env=dict(os.environ, TSAN_OPTIONS=options), timeout=60,
                          capture_output=True, text=True, check=False)


class Races(unittest.TestCase):
    def test_each_is_reported(self):
        names = run("--list").stdout.split()
        self.assertGreaterEqual(len(names), 11)
        for name in names:
            with self.subTest(name):
                for _ in range(ATTEMPTS):
                    last = run(name)
                    if found := last.returncode == REPORTED and "data race" in last.stderr:
                        break
                self.assertTrue(found, f"{name}: silent; last: {last}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
