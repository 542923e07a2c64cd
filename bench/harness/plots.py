# SPDX-License-Identifier: MIT
"""A suite's plots, from its results."""
from . import svg
from .stats import median


def value(samples):
    return (median(samples), min(samples), max(samples)) if samples else None


def shown_peers(plot, results, cases):
    peers = results.peers(cases)
    return [peer for peer in peers if not plot.peers or peer.name in plot.peers]


def colour_of(suite, peer):
    """The same in all plots of a suite."""
    return list(suite.peers).index(peer)


def bars(plot, results, cases):
    series = []
    for peer in shown_peers(plot, results, cases):
        points = [value(results.samples(case, peer.name, plot.figure)) for case in cases]
        if any(points):
            series.append(svg.Series(peer.label, points, colour_of(results.suite, peer)))
    kept = [i for i in range(len(cases)) if any(s.points[i] for s in series)]
    for s in series:
        s.points = [s.points[i] for i in kept]
    if not kept:
        return None
    return svg.bars(plot.title, [cases[i].label for i in kept], series,
                    plot.y_label or cases[0].unit, plot.log_y)


def lines(plot, results, cases):
    groups = {}
    for case in cases:
        for peer in shown_peers(plot, results, cases):
            params = case.params_of(peer.name, False)
            point = value(results.samples(case, peer.name, plot.figure))
            if point and plot.x in params:
                groups.setdefault((params.get(plot.series), peer.name), []).append(
                    (params[plot.x], point))
    splits = list(dict.fromkeys(split for split, _ in groups))
    series = []
    for (split, name), points in groups.items():
        peer = next(peer for peer in results.suite.peers if peer.name == name)
        # One colour a peer; where a parameter splits it, one a pair, dashed for the peers after
        # the first.
        alone = not plot.series
        label = peer.label if alone else f"{peer.label}, {plot.series} {split:,}"
        colour = colour_of(results.suite, peer) if alone else splits.index(split)
        dashed = not alone and peer is not results.suite.peers[0]
        series.append(svg.Series(label, sorted(points), colour, dashed))
    if not series:
        return None
    return svg.lines(plot.title, series, plot.x_label or plot.x, plot.y_label or cases[0].unit,
                     plot.log_x, plot.log_y)


def draw(plot, results):
    """The SVG's text, None when there is nothing to draw."""
    cases = results.cases(plot.group)
    return lines(plot, results, cases) if plot.x else bars(plot, results, cases)
