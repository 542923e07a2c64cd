# SPDX-License-Identifier: MIT
"""Runs a program that passes, loses something, hangs, or aborts, and tells which."""
import re
import subprocess

NO_SUCH_CASE = 3  # see tests/hangs/hangs.hpp


def verdict(command, limit, **options):
    """(word, why) of one run."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **options) as process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "hangs", ""
    if process.returncode == NO_SUCH_CASE:
        return "–", ""
    if process.returncode != 0:
        said = re.search(r"fatal error: .*|panic: .*|terminate called.*|what\(\): .*", err)
        return "aborts", said.group(0) if said else (err.strip().splitlines() or ["no word"])[-1]
    word, _, why = out.strip().partition(":")
    return word, why.strip()
