#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hash_files.check.py <program>: its sums of the project's sources are those of sha256sum."""

import os
import subprocess
import sys

program = os.path.abspath(sys.argv[1])
os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def lines_of(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    return done.stdout.decode().splitlines()


files = lines_of("find", "src", "include", "README.md", "-type", "f")
assert len(files) > 50, files
wanted = lines_of("sha256sum", "--", *files)
for _ in range(3):
    assert sorted(lines_of(program, "src", "include", "README.md")) == sorted(wanted)

# One that is not there is told, the others are hashed all the same.
partly = subprocess.run([program, "include", "no such file", "README.md"], capture_output=True,
                        timeout=60, check=False)
assert partly.returncode == 1, partly
assert partly.stderr == b"no such file: No such file or directory\n", partly.stderr
wanted = [line for line in wanted if "  src/" not in line]
assert sorted(partly.stdout.decode().splitlines()) == sorted(wanted)
