# SPDX-License-Identifier: MIT
"""Runs programs: one process a sample, peers in turn."""
import json
import os
import subprocess

from .notice import say

LIMIT = 120  # seconds, after which a program hangs


class Broken(Exception):
    """A program failed, hung, or ran something else than it was asked to."""


def one_json_line(text):
    try:
        line = json.loads(text)
    except ValueError:
        raise Broken(f"not one JSON line: {text!r}") from None
    if not isinstance(line, dict):
        raise Broken(f"not one JSON object: {text!r}")
    return line


def sample(program, peer, case, quick):
    """{figure: value} of one run."""
    params = case.params_of(peer.name, quick)
    command = [str(program), case.case_of(peer.name), *(f"{k}={v}" for k, v in params.items())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False,
                              env=dict(os.environ, **peer.env))
    except subprocess.TimeoutExpired:
        raise Broken(f"no end after {LIMIT} s") from None
    if done.returncode != 0:
        raise Broken(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    line = one_json_line(done.stdout)
    figures = {name: line.pop(name, None) for name in case.figures}
    asked = {"impl": peer.name, "case": case.case_of(peer.name), **params}
    if line != asked or not all(isinstance(v, (int, float)) and v >= 0 for v in figures.values()):
        raise Broken(f"answered {done.stdout.strip()} to {asked}")
    return figures


def turns(suite, case, programs, round_number):
    """Who runs the case in this round, in order: each is first equally often."""
    peers = [peer for peer in suite.peers
             if peer.source in programs and (not case.peers or peer.name in case.peers)]
    if not peers:
        return []
    start = (round_number // 2) % len(peers)
    order = peers[start:] + peers[:start]
    return order if round_number % 2 == 0 else list(reversed(order))


def measure(suite, programs, round_number, quick, results):
    """One round of one suite. What breaks is left out from then on, and said so."""
    for case in suite.cases:
        for peer in turns(suite, case, programs, round_number):
            if results.failed(case, peer.name):
                continue
            try:
                results.add(case, peer.name, sample(programs[peer.source], peer, case, quick))
            except Broken as broken:
                results.add_failure(case, peer.name, str(broken))
                say(f"{suite.name}, {case.label}, {peer.label}: {broken}")
