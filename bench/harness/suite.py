# SPDX-License-Identifier: MIT
"""What a suite says of itself: bench/suites/<name>.py has one SUITE = Suite(...)."""
from dataclasses import dataclass, field
from typing import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Peer:
    """One implementation: a program of its own."""
    name: str    # what its JSON line calls "impl"
    label: str   # in tables and plots
    source: str  # below bench/, .cpp, .go or .rs; or "<target>", a CMake target of another folder
    env: Mapping[str, str] = field(default_factory=dict)
    about: str = ""  # what the reader must know: which of its features this uses, what it has not


@dataclass(frozen=True)
class Case:
    """One row: what each of its peers runs with the same parameters."""
    label: str
    case: str                      # the program's first argument
    params: Mapping[str, int] = field(default_factory=dict)
    quick: Mapping[str, int] = field(default_factory=dict)  # instead, in a --quick run
    peers: Sequence[str] = ()      # names; empty: all of the suite's
    instead: Mapping[str, str] = field(default_factory=dict)  # peer: its own name of the case
    only: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # peer: its own parameters
    figures: Sequence[str] = ("ns",)  # of the JSON line; the ratio is the first one's
    unit: str = "ns a job"
    better: str = "less"           # or "more": rates, efficiencies
    group: str = ""                # rows of one group make one table
    # What Weir is to reach, for the summary: {figure, or "ratio": such as "≤ 0.125"}
    aim: Mapping[str, str] = field(default_factory=dict)

    def case_of(self, peer):
        return self.instead.get(peer, self.case)

    def params_of(self, peer, quick):
        return {**self.params, **self.only.get(peer, {}), **(self.quick if quick else {})}


@dataclass(frozen=True)
class Plot:
    """One SVG. Bars: one cluster a case, one bar a peer. Lines: `x` is a parameter of the cases."""
    name: str                      # docs/benchmarks/<suite>-<name>.svg
    title: str
    group: str                     # its cases
    x: str = ""                    # parameter on the x axis: lines; none: bars
    series: str = ""               # a parameter that splits a peer's line into several
    figure: str = ""               # none: the cases' first
    log_x: bool = False
    log_y: bool = False
    x_label: str = ""
    y_label: str = ""              # none: the cases' unit
    peers: Sequence[str] = ()      # none: all


@dataclass(frozen=True)
class Suite:
    name: str
    title: str
    about: str                     # Markdown: what is measured, in a few sentences
    peers: Sequence[Peer]
    cases: Sequence[Case]
    yardstick: str = ""            # the peer below the ratio's line; none: no ratios
    plots: Sequence[Plot] = ()
    order: int = 50                # of its chapter
    # Results -> Markdown lines below the tables: fits, distances, verdicts. See results.py.
    remarks: Callable = None
    # (runner, rounds, quick) -> samples: a suite that measures in another way than by programs.
    measure: Callable = None
