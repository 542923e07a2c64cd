# SPDX-License-Identifier: MIT
"""Who hangs, who loses something: beside the times."""
from harness import hangs, one_cpu
from harness.notice import say
from harness.suite import Case, Peer, Suite
from harness.outcome import verdict

LIMIT = 10  # seconds, after which a program hangs
HANGS, HERE = "tests/hangs", "bench/behaviour"


def row(label, case, where=HERE, cpu=""):
    return Case(label, case, {"where": where, "cpu": cpu}, figures=("verdict", "why"), unit="")


def run(case, command):
    """(word, why): of a run on all CPUs, on one, or with the quota of one."""
    command = [*command, case.case]
    if case.params["cpu"] == "pinned":
        return verdict(command, LIMIT, preexec_fn=one_cpu.pinned)
    if case.params["cpu"] == "quota":
        with one_cpu.quota() as join:
            if join is None:
                return "–", "no cgroup can be made here"
            return verdict(command, LIMIT, preexec_fn=join)
    return verdict(command, LIMIT)


def measure(suite, programs, round_number, _quick, results):
    """Once: these are not times."""
    if round_number > 0:
        return
    of_hangs = dict(hangs.programs())
    for case in suite.cases:
        for peer in suite.peers:
            if case.params["where"] == HANGS:
                command = of_hangs.get(peer.label)
            else:
                command = [programs[peer.source]] if peer.source in programs else None
            if command is None:
                continue
            word, why = run(case, command)
            results.add(case, peer.name, {"verdict": word, "why": why})
            if peer.name == "weir" and word != "passes" and why != "no cgroup can be made here":
                results.add_failure(case, peer.name, f"{word}: {why}")
                say(f"behaviour, {case.label}: Weir {word}")


def remarks(results):
    lines = ["Passes: ended, and did all. Hangs: had not ended after ten seconds. Lost: ended as",
             "if all were well, but a job or an exception was dropped. –: has no such thing. Some",
             "words more:", ""]
    for case in results.suite.cases:
        said = [f"{peer.label}: {why}" for peer in results.suite.peers
                for why in results.samples(case, peer.name, "why") if why and why != "?"]
        if said:
            lines.append(f"- {case.label}. {'; '.join(said)}.")
    return lines


SUITE = Suite(
    name="behaviour",
    title="What hangs, what gets lost",
    about="""\
Beside the times: small programs that do what one easily does with a pool or a channel, run under a
time limit. Those of [tests/hangs](../hangs.md), and some of channels and of one CPU.""",
    order=60,
    peers=[
        Peer("weir", "Weir", "behaviour/weir_behaviour.cpp"),
        Peer("go", "Go", "behaviour/go_behaviour.go"),
        Peer("crossbeam", "crossbeam-channel", "behaviour/crossbeam_behaviour.rs"),
        Peer("tbb", "oneTBB", "behaviour/tbb_behaviour.cpp"),
        Peer("asio", "Boost.Asio `thread_pool`", "behaviour/asio_behaviour.cpp"),
        Peer("boost_thread", "Boost.Thread", "behaviour/boost_thread_behaviour.cpp"),
        Peer("fiber", "Boost.Fiber", "behaviour/fiber_behaviour.cpp"),
        Peer("async", "`std::async`", "behaviour/async_behaviour.cpp"),
    ],
    cases=[
        row("a job waits for a job of its own pool, of 1 worker", "nested", HANGS),
        row("a job fills its own bounded queue", "full", HANGS),
        row("a posted job throws", "throw", HANGS),
        row("the pool ends with jobs queued", "destructor", HANGS),
        row("a submit that waits for room is cancelled", "cancel"),
        row("close releases who waits, on both sides", "close"),
        row("selects of both sides race with timeouts", "select"),
        row("two jobs, each computes until the other has begun", "spin"),
        row("the same, pinned to one CPU", "spin", cpu="pinned"),
        row("the same, with a cgroup's quota of one CPU", "spin", cpu="quota"),
    ],
    measure=measure,
    remarks=remarks,
)
