# SPDX-License-Identifier: MIT
"""What is said while a run goes on, and how it ends early. Results go to stdout, this to stderr."""
import sys


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def fail(why):
    sys.exit(f"bench: {why}")
