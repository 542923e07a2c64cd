# SPDX-License-Identifier: MIT
"""goperf.dev's benchmark."""
from harness.stats import ratio
from harness.suite import Case, Peer, Plot, Suite

TEN = {"jobs": 10_000, "workers": 10}
SIZES = [("some 12 bytes", 0, 100), ("1 KiB", 1024, 20), ("4 KiB", 4096, 5)]  # …, turns
WAYS = [("", "channel"), (", 64 jobs at a time", "batches"),
        (", weir::for_each with batches of 64", "for_each"), (", a posted job each", "pool")]
WANTED = 0.90  # of what two threads with a list each make of the CPUs


def job(size, bytes_, turns, way, which):
    aims = {"channel": {"ratio": "≤ 1"}, "batches": {"efficiency": "≥ 0.9"}}
    return Case(f"{size}{way}", which, {**TEN, "bytes": bytes_, "turns": turns},
                quick={"jobs": 1_000, "turns": 1}, instead={"go": "channel", "split": "split"},
                figures=("ns", "serial", "efficiency"),
                aim=aims.get(which, {}) if bytes_ == 0 else {})


def remarks(results):
    lines = ["Efficiency is serial work ÷ (cores × time); in brackets the time of `split` ÷ the "
             f"peer's, round by round: how much of what the machine gave became work (wanted of "
             f"Weir's batches: {WANTED:.0%}).", ""]
    for case in results.suite.cases:
        ideal = results.samples(case, "split")
        found = [f"{peer.label} {results.median(case, peer.name, 'efficiency'):.0%}"
                 + (f" ({ratio(ideal, results.samples(case, peer.name)):.0%})" if ideal else "")
                 for peer in results.suite.peers if results.samples(case, peer.name)]
        lines.append(f"- {case.label}: {', '.join(found)}")
    return lines


SUITE = Suite(
    name="sha256",
    title="10,000 SHA-256 jobs, 10 workers",
    about="""\
goperf.dev's benchmark: jobs that hash a few bytes, given to 10 workers through a channel that holds
all of them; then the same with larger payloads. Both programs write the payload, allocate it, and
hash it. `serial` is the same work in a loop on one core, in the same process; `split` has a thread
a core, started anew each time, with its share of a list that is known: no pool, and what the
machine gives for less than a millisecond of work.

A job of 12 bytes is some 150 ns of work, about as long as a cache line's way to another core and
back. A channel that hands over each of them in order needs more than one of those for each, so
Weir keeps them on one core, and Go takes about as long as in a loop. 64 at a time is what pays:
`send_many` and `receive_many`, or `weir::for_each` with `.batch = 64`.

**Not the same hash**: Go's is its crypto/sha256 (1.19: AVX2), Weir's side has nettle's (which uses
the CPU's SHA instructions, if there are any). So the ratio of the times says little about either
runtime; the efficiency does.""",
    order=20,
    yardstick="go",
    peers=[Peer("weir", "Weir", "sha256/weir_sha256.cpp"),
           Peer("go", "Go", "sha256/go_sha256.go"),
           Peer("split", "split", "sha256/split_sha256.cpp", about="No pool.")],
    cases=[job(*size, *way) for size in SIZES for way in WAYS],
    plots=[Plot("efficiency", "SHA-256 jobs: work ÷ (cores × time)", "", figure="efficiency",
                y_label="efficiency")],
)
