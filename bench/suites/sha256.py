# SPDX-License-Identifier: MIT
"""goperf.dev's benchmark."""
from harness.suite import Case, Peer, Plot, Suite

TEN = {"jobs": 10_000, "workers": 10}


def job(label, case, size, turns):
    return Case(label, case, {**TEN, "bytes": size, "turns": turns},
                quick={"jobs": 1_000, "turns": 1}, instead={"go": "channel"},
                figures=("ns", "serial", "efficiency"),
                aim={"ratio": "≤ 1", "efficiency": "≥ 0.9"} if not size else {})


def remarks(results):
    lines = ["Efficiency is serial work ÷ (cores × time): 1 is what all cores could do at best.",
             ""]
    for case in results.suite.cases:
        found = [f"{peer.label} {results.median(case, peer.name, 'efficiency'):.0%}"
                 for peer in results.suite.peers if results.samples(case, peer.name)]
        lines.append(f"- {case.label}: {', '.join(found)}")
    return lines


SUITE = Suite(
    name="sha256",
    title="10,000 SHA-256 jobs, 10 workers",
    about="""\
goperf.dev's benchmark: jobs that hash a few bytes, given to 10 workers through a channel that holds
all of them; then the same with larger payloads. Both programs write the payload, allocate it, and
hash it. `serial` is the same work in a loop on one core, in the same process.

**Not the same hash**: Go's is its crypto/sha256 (1.19: AVX2), Weir's side has nettle's (which uses
the CPU's SHA instructions, if there are any). So the ratio of the times says little about either
runtime; the efficiency does.""",
    order=20,
    yardstick="go",
    peers=[Peer("weir", "Weir", "sha256/weir_sha256.cpp"),
           Peer("go", "Go", "sha256/go_sha256.go")],
    cases=[
        job("goperf.dev's: some 12 bytes", "channel", 0, 10),
        job("the same, with weir::pool", "pool", 0, 10),
        job("1 KiB", "channel", 1024, 3),
        job("1 KiB, with weir::pool", "pool", 1024, 3),
        job("4 KiB", "channel", 4096, 1),
        job("4 KiB, with weir::pool", "pool", 4096, 1),
    ],
    plots=[Plot("efficiency", "SHA-256 jobs: work ÷ (cores × time)", "", figure="efficiency",
                y_label="efficiency")],
)
