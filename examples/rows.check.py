#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rows.check.py <program>: what another program finds in the database is what it says."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "bank")
    for moves in (500, 1000):
        done = subprocess.run([sys.argv[1], file], stdout=subprocess.PIPE, timeout=60, check=True)
        assert done.stdout == b"%d moves\nsum: 2000\n" % moves, done.stdout
        with contextlib.closing(sqlite3.connect(file)) as db:
            accounts = dict(db.execute("select id, money from account"))
            wanted = {account: 100 for account in range(20)}
            for payer, payee in db.execute("select payer, payee from move"):
                wanted[payer] -= 1
                wanted[payee] += 1
            assert accounts == wanted, accounts

    failed = subprocess.run([sys.argv[1], folder], capture_output=True, timeout=60, check=False)
    assert (failed.returncode, failed.stderr) == (1, b"unable to open database file\n"), failed
