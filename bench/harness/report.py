# SPDX-License-Identifier: MIT
"""Writes what was found: a page and plots a suite, the samples, the README's table."""
import json
import re

from . import plots, summary, table
from .machine import in_one_line
from .notice import say
from .paths import DOCS, ROOT
from .results import Results


def method(results):
    n = results.rounds
    return (f"Median (least–most) of {n} round{'s' if n > 1 else ''}; a ratio is the median of the "
            "rounds' ratios.")


def chapter(results, form):
    """The tables of one suite: (heading, rows) as lines of text or Markdown."""
    lines = []
    for group in results.groups():
        cases = results.cases(group)
        if not results.peers(cases):
            continue
        if group and len(results.groups()) > 1:
            lines += [f"### {group[0].upper()}{group[1:]}", ""]
        for rows in (table.ratios(results, cases), table.medians(results, cases)):
            if rows:
                lines += [*form(rows), ""]
    if results.failures:
        lines += ["Failed:", ""]
        lines += [f"- {label}, {peer}: {why}" for ((_, label), peer), why
                  in results.failures.items()] + [""]
    return lines


def remarks(results):
    return [*results.suite.remarks(results), ""] if results.suite.remarks else []


def peers(results):
    return [f"- **{peer.label}**: {peer.about}" for peer in results.suite.peers if peer.about]


def page(results, drawn):
    suite = results.suite
    lines = [f"# {suite.title}", "", suite.about.strip(), ""]
    lines += ["## Ratios and figures", "", method(results), "", *chapter(results, table.markdown)]
    lines += ["## What it says", "", *remarks(results)] if suite.remarks else []
    lines += ["## Plots", ""] if drawn else []
    for plot in drawn:
        lines += [f"![{plot.title}]({suite.name}-{plot.name}.svg)", ""]
    lines += ["## Who is measured", "", *peers(results), ""] if peers(results) else []
    packages = ", ".join(f"{k} {v}" for k, v in results.where["packages"].items())
    lines += [in_one_line(results.where) + (f"; {packages}." if packages else "."), "",
              "Written by `scripts/bench`; all samples are in `results.json`."]
    return "\n".join(lines) + "\n"


def write_samples(everything, path, quick):
    """One line for the samples of one figure, so that they can be read."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.update({results.suite.name: results.as_json(quick) for results in everything})
    text = json.dumps(known, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[-\d.,\s]+\]", lambda numbers: " ".join(numbers[0].split()), text)
    path.write_text(text + "\n", encoding="utf-8")


def write(everything, folder, quick):
    """Samples, pages and plots of these suites; those of others stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    write_samples(everything, folder / "results.json", quick)
    for results in everything:
        suite, drawn = results.suite, []
        for plot in suite.plots:
            picture = plots.draw(plot, results)
            if picture:
                (folder / f"{suite.name}-{plot.name}.svg").write_text(picture, encoding="utf-8")
                drawn.append(plot)
        (folder / f"{suite.name}.md").write_text(page(results, drawn), encoding="utf-8")
    say(f"written to {folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}")


def renew_summaries(suites):
    """From all that docs/benchmarks has, of this run or of another."""
    known = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))
    everything = [Results.restored(suite, known[suite.name]) for suite in suites
                  if suite.name in known]
    summary.renew(DOCS / "README.md", "results", summary.aims(everything))
    for results in everything:
        if results.suite.name == "seed" and results.ratio(results.suite.cases[0], "weir"):
            summary.renew(ROOT / "README.md", "bench", summary.headline(results))


def print_all(everything, markdown):
    for results in everything:
        print(f"## {results.suite.title}\n\n{in_one_line(results.where)}\n\n{method(results)}\n")
        print("\n".join(chapter(results, table.markdown if markdown else table.text)))
        print("\n".join(remarks(results)))
