# SPDX-License-Identifier: MIT
"""The command line of scripts/bench."""
import argparse
import importlib
import time
from pathlib import Path

from . import build, machine, report, run
from .notice import fail, say
from .paths import BENCH, DOCS, OUT
from .results import Results

PACKAGES = ("libboost-dev", "libboost-fiber-dev", "libtbb-dev", "libconcurrentqueue-dev",
            "librust-crossbeam-channel-dev", "nettle-dev")


def all_suites():
    names = sorted(path.stem for path in (BENCH / "suites").glob("*.py"))
    suites = [importlib.import_module(f"suites.{name}").SUITE for name in names
              if name != "__init__"]
    return sorted(suites, key=lambda suite: (suite.order, suite.name))


def chosen(suites, only):
    if not only:
        return suites
    wanted = only.split(",")
    known = {suite.name: suite for suite in suites}
    for name in wanted:
        if name not in known:
            fail(f"no suite {name}: there are {', '.join(known)}")
    return [suite for suite in suites if suite.name in wanted]


def print_list(suites):
    for suite in suites:
        print(f"{suite.name}: {suite.title} ({', '.join(p.label for p in suite.peers)})")
        for case in suite.cases:
            print(f"    {case.group + ': ' if case.group else ''}{case.label}")


def arguments(about):
    parser = argparse.ArgumentParser(description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="at least 5 (default: 5)")
    parser.add_argument("--quick", action="store_true",
                        help="one short round: does it run? Its figures mean nothing")
    parser.add_argument("--only", metavar="SUITE[,SUITE]",
                        help="these suites; they stay out of docs")
    parser.add_argument("--into", type=Path, metavar="FOLDER",
                        help="write there (default: docs/benchmarks for a whole run, "
                        "build/bench/report for a --quick or an --only one)")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--list", action="store_true", help="list the suites and their cases")
    args = parser.parse_args()
    if args.rounds < 5:
        parser.error("--rounds must be at least 5: fewer make no median to quote (or use --quick)")
    return args


def measure(suites, rounds, quick, where):
    programs = build.programs_of([peer for suite in suites for peer in suite.peers])
    everything = [Results(suite, rounds, where) for suite in suites]
    start = time.monotonic()
    for r in range(rounds):
        for suite, results in zip(suites, everything):
            (suite.measure or run.measure)(suite, programs, r, quick, results)
        spent = time.monotonic() - start
        say(f"round {r + 1} of {rounds}, {spent:.0f} s; {spent / (r + 1) * (rounds - r - 1):.0f} s "
            "to go")
    return everything


def main(about):
    args = arguments(about)
    known = all_suites()
    suites = chosen(known, args.only)
    if args.list:
        return print_list(suites)
    whole = not args.quick and not args.only
    where = machine.describe(PACKAGES)
    everything = measure(suites, 1 if args.quick else args.rounds, args.quick, where)
    into = (args.into or (DOCS if whole else OUT / "report")).resolve()
    report.write(everything, into, args.quick)
    report.print_all(everything, args.markdown)
    if into == DOCS:
        report.renew_summaries(known)
    return 1 if any(results.failures for results in everything) else 0
