# SPDX-License-Identifier: MIT
"""How long a job waits where there is room for it, and what waiting costs the pool."""
from harness.suite import Case, Peer, Plot, Suite
from harness.verdict import losses

PERCENTILES = ("p50", "p99", "p999")
POOLS = ("weir", "weir_threads", "onetbb", "asio")
START, WAKE = "submit to start, jobs of 20 µs", "a job for an idle pool"
TIMERS, IDLE = "8 timers of 1 ms", "an idle pool of 8"


def loaded(load, jobs):
    return Case(f"{load} % load", "start", {"load": load, "job": 20_000, "jobs": jobs},
                quick={"jobs": 500}, figures=PERCENTILES, unit="ns", group=START,
                peers=("ideal", *POOLS))


SUITE = Suite(
    name="latency",
    title="Latency, and the price of waiting",
    about="""**Submit to start**: jobs of 20 µs arrive at random (Poisson, the same times for each
peer), whatever became of the earlier ones; a thread that has one CPU to itself posts each when it
is due, the pool has the other CPUs, a worker each. The latency of a job is from when it was due
to its start, so it holds what jobs wait for each other: `ideal` is that alone, calculated for the
same arrivals. **Idle pool**: a plain thread posts one job to a pool of 8 that has had nothing to
do for 2 ms, again and again. **Timers**: how much later than it was due a timer of 1 ms ends, 8
at once. **Idle**: what a pool of 8 that has worked and has nothing to do costs for three seconds:
microseconds of CPU a second, and context switches a second (one every three seconds is the
measuring thread's own).""",
    order=32,
    yardstick="weir",
    peers=[
        Peer("weir", "Weir", "pool/weir.cpp",
             about="Workers are tasks; timers are `weir::sleep_for`."),
        Peer("weir_threads", "Weir, host::threads", "pool/weir_threads.cpp",
             about="Timers are `std::this_thread::sleep_for`."),
        Peer("onetbb", "oneTBB", "pool/onetbb.cpp", about="It has no timers."),
        Peer("asio", "Boost.Asio", "pool/asio.cpp", about="Timers are `steady_timer`."),
        Peer("std_thread", "std::thread", "pool/std_thread.cpp",
             about="Its timers are threads in `std::this_thread::sleep_for`."),
        Peer("ideal", "ideal", "pool/ideal.cpp",
             about="Calculated: a pool whose starts cost nothing."),
    ],
    cases=[
        loaded(10, 4_000),
        loaded(50, 20_000),
        loaded(90, 40_000),
        Case("wake-up", "wake", {"workers": 8, "jobs": 300, "pause": 2_000_000},
             quick={"jobs": 20}, figures=PERCENTILES, unit="ns", group=WAKE, peers=POOLS),
        Case("lateness", "timers", {"workers": 8, "period": 1_000_000, "rounds": 250},
             quick={"rounds": 20}, figures=PERCENTILES, unit="ns", group=TIMERS,
             peers=("weir", "weir_threads", "asio", "std_thread")),
        Case("for 3 s", "idle", {"workers": 8, "seconds": 3}, quick={"seconds": 1},
             figures=("cpu", "switches"), unit="a second", group=IDLE, peers=POOLS),
    ],
    plots=[
        # Without the ideal: where nobody waits it is 0, which a logarithmic axis has not.
        Plot("median", "Submit to start, jobs of 20 µs: median", START, figure="p50", log_y=True,
             y_label="ns", peers=POOLS),
        Plot("p99", "Submit to start, jobs of 20 µs: 99th percentile", START, figure="p99",
             log_y=True, y_label="ns", peers=POOLS),
        Plot("wake", "A job for an idle pool: median", WAKE, figure="p50", y_label="ns"),
        Plot("timers", "8 timers of 1 ms: 99th percentile of the lateness", TIMERS, figure="p99",
             log_y=True, y_label="ns"),
    ],
    remarks=lambda results: losses(results, results.suite.cases,
                                    ("onetbb", "asio", "std_thread")),
)
