#!/usr/bin/env python3
"""recursion.check.py <program>: sorted, with the same jobs, by one worker and by four."""
import subprocess
import sys

lines = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True,
                       timeout=50).stdout.splitlines()
assert lines == ["1 worker: sorted, 2048 jobs", "4 workers: sorted, 2048 jobs"], lines
