# SPDX-License-Identifier: MIT
"""Tables, as rows of text, printed for a terminal or as Markdown."""
from . import stats


def ratios(results, cases):
    """Rows of ratios to the yardstick; none where there is nothing to compare."""
    suite = results.suite
    peers = [peer for peer in results.peers(cases) if peer.name != suite.yardstick]
    yardstick = next((p.label for p in suite.peers if p.name == suite.yardstick), None)
    if yardstick is None or not any(results.samples(c, suite.yardstick) for c in cases):
        return []
    rows = [("work", *(f"{peer.label} / {yardstick}" for peer in peers))]
    for case in cases:
        found = [results.ratio(case, peer.name) for peer in peers]
        if any(r is not None for r in found):
            rows.append((case.label, *("–" if r is None else f"{r:.3f}" for r in found)))
    return rows


def cell(results, case, peer, figure):
    if results.failed(case, peer.name):
        return "failed"
    samples = results.samples(case, peer.name, figure)
    if samples and isinstance(samples[0], str):
        return samples[0]
    return stats.summary(samples) if samples else "–"


def medians(results, cases):
    """Rows of medians and spreads, a row a figure."""
    peers = results.peers(cases)
    units = list(dict.fromkeys(case.unit for case in cases))
    head = f"work, {units[0]}" if len(units) == 1 and units[0] else "work"
    rows = [(head, *(peer.label for peer in peers))]
    for case in cases:
        shown = [figure for figure in case.figures if figure != "why"]
        for figure in shown:
            label = case.label if len(shown) == 1 else f"{case.label}: {figure}"
            if len(units) > 1:
                label += f" ({case.unit})"
            rows.append((label, *(cell(results, case, peer, figure) for peer in peers)))
    return rows


def markdown(rows):
    lines = ["| " + " | ".join(rows[0]) + " |",
             "| --- |" + " ---: |" * (len(rows[0]) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows[1:]]


def text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([name.ljust(widths[0])]
                      + [cell.rjust(width) for cell, width in zip(cells, widths[1:])])
            for name, *cells in rows]
