# SPDX-License-Identifier: MIT
"""The article's benchmark."""
from harness.suite import Case, Peer, Plot, Suite

# Threads take microseconds where tasks take nanoseconds: fewer jobs make as long a sample.
FEW = {"weir_threads": 400_000, "crossbeam": 200_000, "moodycamel": 400_000}
FEWER = {"weir_threads": 10_000, "crossbeam": 10_000}


def row(label, case, workers, depth, jobs, few=None, **more):
    """few: {peer: jobs} for those that need longer for each."""
    return Case(label, case, {"workers": workers, "depth": depth, "jobs": jobs},
                quick={"jobs": min(jobs, 20_000)},
                only={peer: {"jobs": n} for peer, n in (few or {}).items()}, **more)


def pool(workers, depth, jobs, few, case="pool", **more):
    label = f"{workers} worker{'s' if workers > 1 else ''}"
    label += ", receive(ctx) and send(ctx, v)" if case == "pool-ctx" else ""
    return row(label, case, workers, depth, jobs, few,
               # pool-ctx is Weir's idiom: against the others' select.
               instead={"go": "pool", "crossbeam": "pool", "fiber": "pool", "moodycamel": "pool"},
               **more)


BOUNDED = ("weir", "weir_threads", "go", "crossbeam", "fiber")
DEEP, NONE = "channels that hold 1,024", "unbuffered channels"

SUITE = Suite(
    name="seed",
    title="The article's worker pool",
    about="""\
What does a job cost in the article's worker pool when the job itself costs nothing? That is the
price of the pool alone: two channels, a select, a task. A producer sends the numbers 1 to n and
closes `jobs`; each worker selects on `done` and a job, then on `done` and sending its square; main
drains `results` and checks the sum. `receive(ctx)` and `send(ctx, v)` are Weir's idiom for the two
selects (they look at the context first); the other peers' side of that row is their plain pool. `a
task a job` has no pool: each job is a task, which sends its square and ends. Jobs here do nothing:
with jobs of 100 µs the difference disappears in the work.""",
    order=10,
    yardstick="go",
    peers=[
        Peer("weir", "Weir", "seed/weir_seed.cpp"),
        Peer("weir_threads", "Weir, threads", "seed/weir_threads_seed.cpp",
             about="Its channels, contexts and selects between plain threads, as crossbeam's and "
             "moodycamel's."),
        Peer("go", "Go", "seed/go_seed.go"),
        Peer("crossbeam", "crossbeam-channel", "seed/crossbeam_seed.rs",
             about="Rust. Threads, with its select! over done and jobs."),
        Peer("fiber", "Boost.Fiber", "seed/fiber_seed.cpp",
             about="Its channels, with fibers on one thread, which is its common use. No select "
             "and no context: a worker cannot be cancelled while it waits. The channel of 1,024 "
             "holds 1,023."),
        Peer("moodycamel", "moodycamel", "seed/moodycamel_seed.cpp",
             about="BlockingConcurrentQueue with threads. No bound, so no backpressure; no close, "
             "no select, no context: a worker ends at a number that says so."),
    ],
    cases=[
        *(pool(n, 1024, 2_000_000, FEW, group=DEEP) for n in (1, 2, 4)),
        *(pool(8, 1024, 2_000_000, FEW, case, group=DEEP, aim={"ratio": "≤ 0.125"})
          for case in ("pool", "pool-ctx")),
        pool(1, 0, 400_000, FEWER, group=NONE, peers=BOUNDED),
        *(pool(8, 0, 400_000, FEWER, case, group=NONE, peers=BOUNDED, aim={"ratio": "≤ 0.2"})
          for case in ("pool", "pool-ctx")),
        row("results: 1,024 deep", "unbounded", 8, 1024, 400_000, group="a task a job",
            peers=("weir", "go", "fiber"), aim={"ratio": "≤ 0.25"}),
        # Here a worker is a waiter, a job a turn.
        row("10,000 waiters, p99 of 60 turns", "cancel", 10_000, 0, 60, group="cancel, to the last",
            unit="ns until the last waiter runs", peers=("weir", "go")),
    ],
    plots=[Plot("deep", "The article's pool, channels that hold 1,024", DEEP),
           Plot("unbuffered", "The article's pool, unbuffered channels", NONE, log_y=True)],
)
