# SPDX-License-Identifier: MIT
"""More of everything: do costs grow as documented?"""
from harness.stats import exponent, number
from harness.suite import Case, Peer, Plot, Suite

ONE = "one channel"
PATTERNS = {"1 to 1": (1, 1), "8 to 1": (8, 1), "1 to 8": (1, 8), "8 to 8": (8, 8)}


def amount(n):
    return f"{n:,}"


def counted(n, noun):
    """noun: "worker", or "child, children"."""
    one, _, many = noun.partition(", ")
    return f"{amount(n)} {one if n == 1 else many or one + 's'}"


def series(group, case, key, counts, noun, unit, figures=("ns",), aim=None, **params):
    """A row for each count of something; the aim is the last one's."""
    return [Case(counted(n, noun), case, {key: n, **params}, quick={key: min(n, 1000)},
                 figures=figures, unit=unit, group=group,
                 aim=aim if aim and n == counts[-1] else {}) for n in counts]


def powers(most):
    return [10 ** k for k in range(most + 1)]


def channel_rows():
    for pattern, (senders, receivers) in PATTERNS.items():
        for depth in (0, 1, 16, 1024):
            yield Case(f"{pattern}, {amount(depth)} deep", "ends",
                       {"from": senders, "to": receivers, "depth": depth, "items": 400_000},
                       quick={"items": 4_000}, unit="ns an item", group=ONE)


def select_rows(depth, group):
    # Two channels of 32 hold as much as 64 of one, so that one case is ready nearly always.
    return [Case(f"{n} cases", "select",
                 {"cases": n, "depth": depth, "items": 200_000 if n < 64 else 40_000},
                 quick={"items": 2_000}, unit="ns an item", group=group) for n in (2, 8, 64)]


WAITING, READY = "select that waits", "select with ready cases"
CASES = [
    *series("workers", "workers", "workers", powers(6), "worker", "ns a job, or a worker",
            ("ns", "start", "end"), jobs=200_000),
    *(Case(counted(n, "producer"), "ends",
           {"from": n, "to": 8, "depth": 1024, "items": 1_000_000}, quick={"items": 10_000},
           unit="ns an item", group="producers") for n in (1, 2, 4, 8, 16, 32, 64)),
    *series("parked tasks", "parked", "tasks", [10_000, 100_000, 1_000_000], "task",
            "bytes a task", ("bytes",), aim={"bytes": "≤ Go's + 4,096"}),
    *channel_rows(),
    *select_rows(0, WAITING),
    *select_rows(16, READY),
    *(Case(f"{amount(n)} waiters", "cancel", {"waiters": n, "turns": max(1, 20_000 // n)},
           quick={"waiters": min(n, 100), "turns": 1}, unit="ns a waiter", group="cancellation")
      for n in (100, 1_000, 10_000, 100_000)),
    *series("contexts in a chain", "deep", "contexts", powers(4), "context",
            "ns a context, or a question", ("ns", "make", "value")),
    *series("contexts side by side", "broad", "contexts", powers(5), "child, children",
            "ns a context, or a question", ("ns", "make", "value")),
]
# (group, parameter, figure, what it is, documented growth with the parameter: the power of it)
DOCUMENTED = [
    ("workers", "workers", "ns", "a job", 0),
    ("workers", "workers", "start", "starting a worker", 0),
    ("workers", "workers", "end", "ending a worker", 0),
    ("producers", "from", "ns", "an item of many producers", 0),
    ("parked tasks", "tasks", "bytes", "bytes of a parked task", 0),
    (WAITING, "cases", "ns", "a select that waits", 1),
    (READY, "cases", "ns", "a select with a ready case", 1),
    ("cancellation", "waiters", "ns", "cancelling, a waiter", 0),
    ("contexts in a chain", "contexts", "ns", "cancelling, a context of a chain", 0),
    ("contexts in a chain", "contexts", "make", "deriving, a context of a chain", 0),
    ("contexts in a chain", "contexts", "value", "a value of the first of a chain", 1),
    ("contexts side by side", "contexts", "ns", "cancelling, a child", 0),
    ("contexts side by side", "contexts", "make", "deriving a child", 0),
    ("contexts side by side", "contexts", "value", "a value of the parent", 0),
]
TOLERANCE = 0.2
ALIKE = 0.1


def growth(results, group, parameter, figure, peer):
    """(smallest figure's, largest figure's, exponent), where it has grown up: from 10 on."""
    points = []
    for case in results.cases(group):
        x = case.params[parameter]
        y = results.median(case, peer, figure)
        if y and (x >= 10 or parameter in ("cases", "from")):
            points.append((x, y))
    return (points, exponent(points)[0]) if len(points) > 2 else None


def remarks(results):
    lines = [
        "Does the cost of one grow with how many there are? Fitted: the power k of cost = c × nᵏ,",
        "from n = 10 on (cases and producers: from the first), least squares on logarithms. 0 is a",
        "cost that does not grow, 1 one in proportion. A power that is up to 0.2 above the",
        "documented one is as documented: beyond the caches every memory access costs more. What",
        "grows alike in Go, with a power up to 0.1 less, is the machine's.", "",
        "| cost of | documented | Weir | Go | Weir, from first to last | |",
        "| --- | ---: | ---: | ---: | ---: | --- |"]
    for group, parameter, figure, what, power in DOCUMENTED:
        mine = growth(results, group, parameter, figure, "weir")
        other = growth(results, group, parameter, figure, "go")
        if not mine:
            continue
        points, k = mine
        if k <= power + TOLERANCE:
            verdict = "as documented"
        elif other and k <= other[1] + ALIKE:
            verdict = "grows more than documented, as Go's does"
        else:
            verdict = "grows more than documented"
        gos = f"{other[1]:.2f}" if other else "–"
        lines.append(f"| {what} | {power} | {k:.2f} | {gos} | {number(points[0][1])} to "
                     f"{number(points[-1][1])} | {verdict} |")
    return lines


SUITE = Suite(
    name="scale",
    title="More of everything",
    about="""\
Crews of 1 to a million tasks that wait on one channel; 1 to 64 producers; channels with one or
eight ends on either side; selects over 2 to 64 cases (Go: `select`, for 64 `reflect.Select`; Weir:
the form with arguments, for 64 the span); cancelling up to 100,000 waiters; chains and fans of
contexts. Per unit: a cost that does not grow with n is a level line. Bytes a task are pages that
are really there (resident memory), Weir's with 256 KiB of address space each. A crew of a million
is not warmed up: its `start` includes the kernel's first touch of each page.""",
    order=40,
    yardstick="go",
    peers=[Peer("weir", "Weir", "scale/weir_scale.cpp"), Peer("go", "Go", "scale/go_scale.go")],
    cases=CASES,
    plots=[
        Plot("workers", "A job through a crew of so many workers", "workers", x="workers",
             log_x=True, log_y=True, y_label="ns a job"),
        Plot("start", "Starting a worker, until all wait", "workers", x="workers", figure="start",
             log_x=True, log_y=True, y_label="ns a worker"),
        Plot("producers", "An item of so many producers, 8 receivers", "producers", x="from",
             x_label="producers", log_x=True),
        Plot("channels", "An item through one channel: senders to receivers", ONE),
        Plot("select", "A select that waits, of so many cases", WAITING, x="cases", log_x=True,
             log_y=True),
        Plot("cancel", "Cancelling so many waiters", "cancellation", x="waiters", log_x=True,
             log_y=True),
        Plot("deep", "Cancelling a chain of contexts", "contexts in a chain", x="contexts",
             log_x=True, log_y=True, y_label="ns a context"),
        Plot("value", "A value of the first of a chain of contexts", "contexts in a chain",
             x="contexts", figure="value", log_x=True, log_y=True, y_label="ns a question"),
        Plot("broad", "Cancelling children of one context", "contexts side by side", x="contexts",
             log_x=True, log_y=True, y_label="ns a context"),
    ],
    remarks=remarks,
)
