# SPDX-License-Identifier: MIT
"""The tables of README.md and docs/benchmarks/README.md, renewed between their marks."""
import re

from . import stats, table
from .machine import in_one_line


def label_of(suite, name):
    return next((peer.label for peer in suite.peers if peer.name == name), name)


def headline(results):
    """The front page's table: Weir and the yardstick, no more."""
    suite = results.suite
    other = label_of(suite, suite.yardstick)
    rows = [("work", f"Weir / {other}", "Weir, ns a job", f"{other}, ns a job")]
    for case in suite.cases:
        ratio = results.ratio(case, "weir")
        if ratio is not None and case.unit == "ns a job":
            rows.append((f"{case.group}: {case.label}", f"{ratio:.3f}",
                         *(stats.summary(results.samples(case, peer))
                           for peer in ("weir", suite.yardstick))))
    where = f"{in_one_line(results.where)}; {results.rounds} rounds."
    return [*table.markdown(rows), "", where]


def found_for(results, case, figure):
    """What stands beside an aim: Weir's figure, or the ratios that it is about."""
    suite = results.suite
    if figure != "ratio":
        samples = results.samples(case, "weir", figure)
        return f"{figure} {stats.summary(samples)}" if samples else None
    others = [suite.yardstick] if suite.yardstick != "weir" else [
        peer.name for peer in suite.peers if not peer.name.startswith("weir")]
    asked = "weir" if suite.yardstick != "weir" else None
    ratios = {name: results.ratio(case, asked or name) for name in others}
    known = [f"{'Weir / ' if asked else ''}{label_of(suite, name)}"
             f"{'' if asked else ' / Weir'} {ratio:.3f}"
             for name, ratio in ratios.items() if ratio is not None]
    return ", ".join(known) or None


def aims(everything):
    rows = [("suite", "work", "aim", "found")]
    for results in everything:
        page = f"[{results.suite.name}]({results.suite.name}.md)"
        for case in results.suite.cases:
            for figure, aim in case.aim.items():
                found = found_for(results, case, figure)
                if found:
                    label = f"{case.group}: {case.label}" if case.group else case.label
                    rows.append((page, label, aim, found))
    lines = ["| " + " | ".join(rows[0]) + " |", "| --- | --- | ---: | ---: |",
             *("| " + " | ".join(row) + " |" for row in rows[1:])]
    pages = [f"- [{results.suite.title}]({results.suite.name}.md): Weir {results.where['commit']}, "
             f"{results.where['date']}, rounds: {results.rounds}" for results in everything]
    return [*lines, "", *pages]


def renew(path, mark, lines):
    """Puts the lines between <!-- mark --> and <!-- /mark -->."""
    text = path.read_text(encoding="utf-8")
    block = "\n".join([f"<!-- {mark} -->", *lines, f"<!-- /{mark} -->"])
    path.write_text(re.sub(f"<!-- {mark} -->\n.*?<!-- /{mark} -->", lambda _: block, text,
                           flags=re.DOTALL), encoding="utf-8")
