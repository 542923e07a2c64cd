# SPDX-License-Identifier: MIT
"""The machine's own floor, and how far above it Weir's operations are."""
from harness.stats import number
from harness.suite import Case, Peer, Plot, Suite

MACHINE, WEIR = "the machine", "Weir"


def one(peer, label, case, n):
    return Case(label, case, {"n": n}, quick={"n": max(n // 100, 2) // 2 * 2}, peers=(peer,),
                unit="ns", group=MACHINE if peer == "machine" else WEIR)


CASES = [
    one("machine", "a clock read", "clock", 4_000_000),
    one("machine", "an atomic exchange, uncontended", "exchange", 20_000_000),
    one("machine", "an allocation and its release, 128 bytes", "allocation", 10_000_000),
    one("machine", "a switch to another stack (fcontext)", "switch", 20_000_000),
    one("machine", "a cache line to another core and back", "cache-line", 1_000_000),
    one("machine", "an item through a ring between two cores", "ring", 10_000_000),
    one("machine", "a futex wake of a thread on another core", "futex", 20_000),
    one("machine", "a thread, started and joined", "thread", 4_000),
    one("weir", "is this context cancelled?", "context-check", 100_000_000),
    one("weir", "send and receive in one task, buffered", "send-receive", 5_000_000),
    one("weir", "send, and a select of two that receives it", "select", 2_000_000),
    one("weir", "yield to another task", "yield", 4_000_000),
    one("weir", "ping-pong of two tasks, unbuffered", "ping-pong", 1_000_000),
    one("weir", "go and join", "go-join", 1_000_000),
    one("weir", "a job through a pool of one worker", "pool-job", 1_000_000),
    one("weir", "an item from one thread to another, 1,024 deep", "threads", 1_000_000),
    one("weir", "a hand-over to a thread that waits", "wake-thread", 20_000),
]
EXCHANGE, SWITCH = CASES[1].label, CASES[3].label
# What each of Weir's does at the very least: how many of the machine's.
LEAST = {
    "send and receive in one task, buffered": [(2, EXCHANGE)],        # two locks
    "send, and a select of two that receives it": [(3, EXCHANGE)],    # one lock, and two
    "yield to another task": [(1, SWITCH)],
    "ping-pong of two tasks, unbuffered": [(2, SWITCH), (2, EXCHANGE)],
    "go and join": [(2, SWITCH), (1, EXCHANGE)],
    "a job through a pool of one worker": [(2, EXCHANGE)],            # in, and out
    "an item from one thread to another, 1,024 deep": [(1, CASES[5].label)],
    "a hand-over to a thread that waits": [(1, CASES[6].label)],
}


def remarks(results):
    rows = ["How far above the floor: what an operation needs at the very least, and how many",
            "times that it takes.", "",
            "| Weir | ns | the floor | ns | times the floor |",
            "| --- | ---: | --- | ---: | ---: |"]
    for label, parts in LEAST.items():
        mine = results.median(results.case(label), "weir")
        costs = [(n, what, results.median(results.case(what), "machine")) for n, what in parts]
        if mine is None or any(cost is None for _, _, cost in costs):
            continue
        floor = sum(n * cost for n, _, cost in costs)
        made_of = " + ".join(f"{n} × {what}" if n > 1 else what for n, what, _ in costs)
        rows.append(f"| {label} | {number(mine)} | {made_of} | {number(floor)} | "
                    f"{number(mine / floor)} |")
    return rows


SUITE = Suite(
    name="floor",
    title="The machine's floor",
    about="""\
What the machine can do at best, measured without any library in the same run: no scheduler gets
below. Threads of the machine's rows are pinned to two CPUs.""",
    order=30,
    peers=[Peer("weir", "Weir", "floor/weir_floor.cpp"),
           Peer("machine", "the machine", "floor/machine_floor.cpp")],
    cases=CASES,
    plots=[Plot("machine", "What the machine can do", MACHINE, log_y=True),
           Plot("weir", "Weir's basic operations", WEIR, log_y=True)],
    remarks=remarks,
)
