# SPDX-License-Identifier: MIT
"""The price of a pool: jobs that are empty."""
from harness.suite import Case, Peer, Plot, Suite
from harness.verdict import losses

WAYS = {"from a plain thread": {"producers": 1, "inside": 0},
        "from inside": {"producers": 1, "inside": 1},
        "from 4 plain threads": {"producers": 4, "inside": 0}}
POOLS = ("weir", "weir_threads", "onetbb", "asio")
# Some need microseconds where others need nanoseconds: fewer jobs make as long a sample.
FEW = {"weir_threads": {"jobs": 50_000}, "asio": {"jobs": 50_000},
       "std_async": {"jobs": 3_000}, "std_thread": {"jobs": 3_000}}
RIVALS = ("onetbb", "asio", "std_async", "std_thread")
THREADS = {"post": ("std_thread",), "submit": ("std_async",)}


def rows(case, group):
    for way, params in WAYS.items():
        also = THREADS[case] if params == WAYS["from a plain thread"] else ()
        also += ("weir_any",) if case == "post" else ()  # what has a future starts in its order
        yield Case(way, case, {"workers": 8, **params, "jobs": 300_000}, quick={"jobs": 20_000},
                   only=FEW, group=group, peers=(*POOLS, *also), aim={"ratio": "> 1"})


POST, SUBMIT = "post: no result", "submit: a result for each, through a future"

SUITE = Suite(
    name="submission",
    title="Submitting an empty job",
    about="""What does a pool of 8 workers cost when the jobs cost nothing? A producer submits
them and waits until all have run; the figure is the time from the first submit to the end of the
last job, divided by their number. *From inside*: the producer runs where the pool's jobs run
(Weir: in `weir::run`; oneTBB: in the arena; Asio: as a job). With futures, a producer submits
1,000 jobs, takes their results, and goes on. Each job adds to a counter of its thread, and the
sums are checked.""",
    order=30,
    yardstick="weir",
    peers=[
        Peer("weir", "Weir", "pool/weir.cpp",
             about="`weir::pool` with its default options, so a queue of 1,024 and backpressure, "
                   "which the others have not. Workers are tasks."),
        Peer("weir_any", "Weir, any order", "pool/weir_any.cpp",
             about="`.order = start_order::any`."),
        Peer("weir_threads", "Weir, host::threads", "pool/weir_threads.cpp",
             about="The same with `.host = host::threads`: a thread for each worker."),
        Peer("onetbb", "oneTBB", "pool/onetbb.cpp",
             about="A `task_group` in a `task_arena` of that many threads. No futures: a "
                   "`std::packaged_task`, and who needs its result waits for the group, so that it "
                   "helps. A plain thread posts by `execute` and `run`, which is faster than "
                   "`enqueue`."),
        Peer("asio", "Boost.Asio", "pool/asio.cpp",
             about="`thread_pool` and `post`, with a `std::packaged_task` for a future. `join` "
                   "ends the pool: it is made before the clock starts."),
        Peer("std_async", "std::async", "pool/std_async.cpp",
             about="A thread a job, of which 8 run at once."),
        Peer("std_thread", "std::thread a job", "pool/std_thread.cpp",
             about="Detached, and 8 at once."),
    ],
    cases=[*rows("post", POST), *rows("submit", SUBMIT)],
    plots=[Plot("post", "An empty job, posted to a pool of 8", POST, log_y=True),
           Plot("submit", "An empty job with a future, in a pool of 8", SUBMIT, log_y=True)],
    remarks=lambda results: losses(results, results.suite.cases, RIVALS),
)
