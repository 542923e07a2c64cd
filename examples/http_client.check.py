#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_client.check.py <program>: all pages that there are, after retries, and at the rate."""

import re
import subprocess
import sys

done = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, timeout=60, check=True, text=True)
match = re.fullmatch(r"page 13: 404\n29 pages, (\d+) retries\nthe rate was kept\n", done.stdout)
assert match and int(match.group(1)) >= 2, done.stdout  # more on a machine that is very busy
