#!/usr/bin/env python3
"""hash_files.check.py <program>: it says what sha256sum says, and goes on after a bad file."""
import os
import subprocess
import sys
import tempfile

program = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    for i in range(300):
        name = os.path.join(folder, "deep" if i % 2 else "", f"file {i}")
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as f:
            f.write(bytes(range(i % 256)) * i)
    done = subprocess.run([program, folder], capture_output=True, text=True, check=True)
    wanted = subprocess.run(["find", folder, "-type", "f", "-exec", "sha256sum", "{}", "+"],
                            capture_output=True, text=True, check=True).stdout
    assert sorted(done.stdout.splitlines()) == sorted(wanted.splitlines()), done.stdout

    missing = subprocess.run([program, folder + "/none"], capture_output=True, text=True,
                             check=False)
    assert missing.returncode == 2 and "none" in missing.stderr, missing
    if os.geteuid() != 0:  # whom nothing is forbidden
        os.chmod(os.path.join(folder, "file 2"), 0)
        partly = subprocess.run([program, folder], capture_output=True, text=True, check=False)
        assert partly.returncode == 1 and "file 2" in partly.stderr, partly
        assert len(partly.stdout.splitlines()) == 299
