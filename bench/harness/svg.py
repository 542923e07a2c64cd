# SPDX-License-Identifier: MIT
"""Plots as SVG: horizontal bars in clusters, and lines; linear or logarithmic; whiskers from the
least to the most. Knows nothing of benchmarks."""
import math
from dataclasses import dataclass, field
from html import escape

WIDTH = 860
FONT = "font-family='Helvetica, Arial, DejaVu Sans, sans-serif'"
INK, FAINT, PAPER = "#222222", "#dddddd", "#ffffff"
# Told apart by eyes of all kinds (after Okabe and Ito), the first for whom it is about.
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c6d31", "#666666",
           "#332288", "#aa4499"]


@dataclass
class Series:
    label: str
    # Bars: one value a cluster. Lines: (x, value) pairs. A value is (median, least, most) or None.
    points: list = field(default_factory=list)
    colour: int = 0
    dashed: bool = False


class Scale:
    """Maps values to pixels; knows where its ticks are."""

    def __init__(self, least, most, start, end, log):
        self.log = log
        if log:
            self.least = 10 ** math.floor(math.log10(least))
            self.most = 10 ** math.ceil(math.log10(most) - 1e-9)
            if self.most <= self.least:
                self.most = self.least * 10
        else:
            self.least, self.most = 0, most
            self.step = self.nice(most / 6)
            self.most = math.ceil(most / self.step - 1e-9) * self.step
        self.start, self.end = start, end

    @staticmethod
    def nice(step):
        power = 10 ** math.floor(math.log10(step))
        return next(power * k for k in (1, 2, 5, 10) if power * k >= step * (1 - 1e-9))

    def __call__(self, value):
        if self.log:
            part = (math.log(max(value, self.least) / self.least)
                    / math.log(self.most / self.least))
        else:
            part = value / self.most
        return self.start + part * (self.end - self.start)

    def ticks(self):
        if self.log:
            decades = round(math.log10(self.most / self.least))
            every = 1 if decades <= 10 else 2
            return [self.least * 10 ** k for k in range(0, decades + 1, every)]
        return [self.step * k for k in range(int(round(self.most / self.step)) + 1)]


def shown(value):
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


class Page:
    """An SVG that is being written."""

    def __init__(self, title):
        self.title = title
        self.parts = []

    def line(self, x1, y1, x2, y2, colour=INK, width=1.0, dash=""):
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' "
                          f"stroke='{colour}' stroke-width='{width}'{dashed}/>")

    def text(self, x, y, what, anchor="start", size=13, bold=False, turn=0):
        weight = " font-weight='bold'" if bold else ""
        turned = f" transform='rotate({turn} {x:.1f} {y:.1f})'" if turn else ""
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' "
                          f"font-size='{size}' fill='{INK}'{weight}{turned}>{escape(what)}</text>")

    def box(self, x, y, width, height, colour):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0.5):.1f}' "
                          f"height='{height:.1f}' fill='{colour}'/>")

    def dot(self, x, y, colour):
        self.parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>")

    def legend(self, series, x, y):
        """In one or more lines from x on; the height it took."""
        at, line = x, 0
        for s in series:
            width = 34 + 7.2 * len(s.label)
            if at + width > WIDTH - 10 and at > x:
                at, line = x, line + 1
            top = y + 20 * line
            colour = COLOURS[s.colour % len(COLOURS)]
            self.line(at, top - 4, at + 18, top - 4, colour, 5, "5 3" if s.dashed else "")
            self.text(at + 23, top, s.label)
            at += width
        return 20 * (line + 1)

    def written(self, height):
        return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height:.0f}' "
                f"viewBox='0 0 {WIDTH} {height:.0f}' role='img' {FONT}>\n"
                f"<title>{escape(self.title)}</title>\n"
                f"<rect width='100%' height='100%' fill='{PAPER}'/>\n"
                + "\n".join(self.parts) + "\n</svg>\n")


def extremes(values):
    least = min(v[1] for v in values if v is not None)
    most = max(v[2] for v in values if v is not None)
    return least, most


def wrapped(label, columns):
    """The label in at most three lines."""
    lines = [""]
    for word in label.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns and len(lines) < 3:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def bars(title, clusters, series, label, log=False):
    """clusters: their labels; a bar a series in each."""
    page = Page(title)
    page.text(16, 26, title, size=16, bold=True)
    top = 40 + page.legend(series, 16, 52)
    thick, gap, left = (13 if len(series) > 2 else 18), 14, 250
    heights = [max(thick * sum(s.points[i] is not None for s in series),
                   15 * len(wrapped(c, 34))) + gap for i, c in enumerate(clusters)]
    bottom = top + sum(heights) + 4
    least, most = extremes([v for s in series for v in s.points])
    scale = Scale(least * 0.7 if log else 0, most * 1.02, left, WIDTH - 70, log)
    for tick in scale.ticks():
        page.line(scale(tick), top, scale(tick), bottom, FAINT)
        page.text(scale(tick), bottom + 16, shown(tick), "middle", 12)
    page.text((left + WIDTH - 70) / 2, bottom + 36, label, "middle")
    y = top + gap / 2
    for i, cluster in enumerate(clusters):
        lines = wrapped(cluster, 34)
        present = [s for s in series if s.points[i] is not None]
        middle = y + (heights[i] - gap) / 2
        for k, line in enumerate(lines):
            page.text(left - 10, middle + 5 + 15 * (k - (len(lines) - 1) / 2), line, "end")
        at = middle - thick * len(present) / 2
        for s in present:
            value, low, high = s.points[i]
            page.box(left, at + 1, scale(value) - left, thick - 2, COLOURS[s.colour % len(COLOURS)])
            page.line(scale(low), at + thick / 2, scale(high), at + thick / 2, INK, 1.2)
            for end in (low, high):
                page.line(scale(end), at + 4, scale(end), at + thick - 4, INK, 1.2)
            page.text(scale(high) + 5, at + thick / 2 + 4, figure(value), size=11)
            at += thick
        y += heights[i]
    page.line(left, top, left, bottom)
    return page.written(bottom + 50)


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def lines(title, series, x_label, y_label, log_x=False, log_y=False):
    page = Page(title)
    page.text(16, 26, title, size=16, bold=True)
    top = 46 + page.legend(series, 16, 52)
    left, right, bottom = 90, WIDTH - 30, top + 330
    least, most = extremes([v for s in series for _, v in s.points])
    xs = [x for s in series for x, _ in s.points]
    across = Scale(min(xs), max(xs), left, right, log_x)
    if log_x:  # no empty decade on either side
        across.least, across.most = min(xs), max(xs)
    up = Scale(least, most * 1.02, bottom, top, log_y)
    for tick in up.ticks():
        page.line(left, up(tick), right, up(tick), FAINT)
        page.text(left - 8, up(tick) + 4, shown(tick), "end", 12)
    for tick in sorted(set(xs)) if len(set(xs)) <= 9 else across.ticks():
        page.line(across(tick), top, across(tick), bottom, FAINT)
        page.text(across(tick), bottom + 17, shown(tick), "middle", 12)
    page.text((left + right) / 2, bottom + 38, x_label, "middle")
    page.text(22, (top + bottom) / 2, y_label, "middle", turn=-90)
    for s in series:
        colour = COLOURS[s.colour % len(COLOURS)]
        places = [(across(x), up(v[0]), up(v[1]), up(v[2])) for x, v in s.points]
        for (x1, y1, *_), (x2, y2, *_) in zip(places, places[1:]):
            page.line(x1, y1, x2, y2, colour, 2, "6 4" if s.dashed else "")
        for x, y, low, high in places:
            page.line(x, low, x, high, colour, 1.2)
            for end in (low, high):
                page.line(x - 4, end, x + 4, end, colour, 1.2)
            page.dot(x, y, colour)
    page.line(left, bottom, right, bottom)
    page.line(left, top, left, bottom)
    return page.written(bottom + 52)
