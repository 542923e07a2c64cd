# SPDX-License-Identifier: MIT
"""From jobs that are too small for a pool to jobs that hide its price."""
import os

from harness.stats import median, ratio
from harness.suite import Case, Peer, Plot, Suite
from harness.verdict import losses

CORES = len(os.sched_getaffinity(0))
NAMES = {0: "nothing", 100: "100 ns", 1_000: "1 µs", 10_000: "10 µs", 100_000: "100 µs",
         1_000_000: "1 ms"}
POOLS = ("weir", "weir_any", "weir_threads", "onetbb", "asio")
ONE_EACH = ("std_async", "std_thread")
AGAINST_IDEAL = ("slowdown", "ns")
ROUNDS = 5  # in one sample, whose figures are their medians
COMPUTE, WAIT = "jobs that compute", "jobs that wait, 8 workers"
STREAMS, NOTHING = "streams that are not even", "jobs of nothing"
WANTED = {1_000: 0.90, 10_000: 0.97, 100_000: 0.99}  # of the ideal, by Weir
RIVALS = ("onetbb", "asio", *ONE_EACH)


def case(label, which, grain, workers, jobs, few, group, **more):
    """few: {peer: jobs} for those that need longer for each."""
    params = {"grain": grain} if grain is not None else {}
    rounds = {} if which == "wait" else {"rounds": ROUNDS}
    return Case(label, which, {**params, "workers": workers, "inside": 1, "jobs": jobs, **rounds},
                quick={"jobs": max(jobs // 10, 100), **({"rounds": 1} if rounds else {})},
                group=group, only={peer: {"jobs": n} for peer, n in few.items()}, **more)


def computing(grain):
    """Rounds of 50 ms of work, for those whose price is below a microsecond."""
    jobs = 50_000_000 * CORES // max(grain, 400 * CORES)
    threads = min(jobs, 600)
    few = {"std_async": threads, "std_thread": threads,
           "weir_threads": min(jobs, 40_000), "asio": min(jobs, 80_000)}
    figures = AGAINST_IDEAL if grain else ("ns",)
    return case(NAMES[grain], "compute", grain, CORES, jobs, few,
                COMPUTE if grain else NOTHING, figures=figures)


def waiting(grain):
    jobs = 2_000 if grain >= 1_000_000 else 8_000
    few = {"loop": jobs // 8, "std_async": jobs // 2, "std_thread": jobs // 2}
    return case(NAMES[grain], "wait", grain, 8, jobs, few, WAIT, figures=AGAINST_IDEAL,
                peers=("weir", "weir_threads", "onetbb", "asio", "loop", *ONE_EACH))


def stream(label, which, **more):
    return case(label, which, None, CORES, 40_000 if which != "heavy_producer" else 8_000, {},
                STREAMS, figures=AGAINST_IDEAL, **more)


def of_the_possible(results, one):
    """Round by round: the machine's slow moments are everybody's."""
    possible = results.samples(one, "split")
    shares = [f"{peer.label} {ratio(possible, results.samples(one, peer.name)):.1%}"
              for peer in results.peers([one]) if peer.name in POOLS
              and len(results.samples(one, peer.name)) == len(possible)]
    return [f"  - of what `split` gets here: {', '.join(shares)}"] if possible and shares else []


def remarks(results):
    lines = ["How much of the CPUs becomes work: ideal ÷ time. What else runs on the machine takes",
             "its part of everybody's share: see that of `split`.", ""]
    for one in (*results.cases(COMPUTE), *results.cases(STREAMS)):
        shares = [f"{peer.label} {1 / median(results.samples(one, peer.name)):.1%}"
                  for peer in results.peers([one]) if results.samples(one, peer.name)]
        wanted = WANTED.get(one.params.get("grain"))
        aim = f" (wanted of Weir: {wanted:.0%})" if wanted else ""
        lines += [f"- {one.label}{aim}: {', '.join(shares)}"] if shares else []
        lines += of_the_possible(results, one) if wanted else []
    return [*lines, "", *losses(results, results.suite.cases, RIVALS)]


SUITE = Suite(
    name="grain",
    title="The grain of the work",
    about=f"""How big must a job be before a pool pays? Jobs of a calibrated number of arithmetic
steps, which read no clock, in a pool of as many workers as there are CPUs (here {CORES}); and
jobs that sleep, in one of 8. *Slowdown* is the time a job takes divided by the ideal: work ÷
workers, or wait ÷ workers. How long the work takes is measured anew before and after each of
{ROUNDS} rounds of some 50 ms (streams and the smallest jobs: 10 to 20), on all CPUs at once, for a
shared machine may be half as fast a tenth of a second later; a sample is the rounds' median, and
the ratios are those of the slowdown. Two yardsticks are no pools: `loop` calls each job where it
would have been submitted, and `split` has a thread a CPU, each of which does every n-th job of a
list that is known. The producer runs where the pool's jobs run.

The streams: one of 100 ns jobs whose last hundredth takes 100 µs each; a mixture of the same, in
which any job may be a heavy one; and a producer that computes for 5 µs before it submits a job of
100 ns, whose ideal is the producer alone. Results of all jobs are checked.""",
    order=31,
    yardstick="weir",
    peers=[
        Peer("weir", "Weir", "pool/weir.cpp",
             about="`weir::pool`, workers are tasks; they sleep with `weir::sleep_for`."),
        Peer("weir_any", "Weir, any order", "pool/weir_any.cpp",
             about="`.order = start_order::any`: jobs need not start in the order in which they "
                   "were submitted, as those of oneTBB and of `split`."),
        Peer("weir_threads", "Weir, host::threads", "pool/weir_threads.cpp",
             about="`.host = host::threads`; they sleep with `std::this_thread::sleep_for`, as all "
                   "below."),
        Peer("onetbb", "oneTBB", "pool/onetbb.cpp",
             about="A `task_group`; the producer is in the arena."),
        Peer("asio", "Boost.Asio", "pool/asio.cpp", about="`thread_pool`; the producer is a job."),
        Peer("std_async", "std::async", "pool/std_async.cpp",
             about="A thread a job, as many at once as a pool would have workers."),
        Peer("std_thread", "std::thread a job", "pool/std_thread.cpp",
             about="The same, detached."),
        Peer("loop", "loop", "pool/loop.cpp", about="No pool."),
        Peer("split", "split", "pool/split.cpp", about="No pool: the work is known beforehand."),
    ],
    cases=[
        computing(0),
        *(computing(grain) for grain in NAMES if grain),
        *(waiting(grain) for grain in NAMES if grain >= 1_000),
        stream("turns heavy", "turns_heavy", peers=(*POOLS, "loop", "split")),
        stream("1 % heavy", "mixture", peers=(*POOLS, "loop", "split")),
        stream("heavy producer", "heavy_producer", peers=(*POOLS, "loop")),
    ],
    plots=[
        Plot("compute", "Jobs that compute: time ÷ ideal", COMPUTE, x="grain", figure="slowdown",
             log_x=True, log_y=True, x_label="ns of work a job", y_label="time ÷ ideal",
             peers=(*POOLS, "loop", "split")),
        Plot("threads", "Jobs that compute, and a thread for each: time ÷ ideal", COMPUTE,
             x="grain", figure="slowdown", log_x=True, log_y=True, x_label="ns of work a job",
             y_label="time ÷ ideal", peers=("weir", "loop", *ONE_EACH)),
        Plot("wait", "Jobs that wait, 8 workers: time ÷ ideal", WAIT, x="grain", figure="slowdown",
             log_x=True, log_y=True, x_label="ns of waiting a job", y_label="time ÷ ideal"),
        Plot("streams", "Streams that are not even: time ÷ ideal", STREAMS, figure="slowdown",
             y_label="time ÷ ideal"),
    ],
    remarks=remarks,
)
