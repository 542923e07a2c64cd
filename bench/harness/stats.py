# SPDX-License-Identifier: MIT
"""The few numbers that stand for many samples."""
import math
import statistics


def median(samples):
    return statistics.median(samples)


def ratio(samples, yardstick):
    """The median of the rounds' ratios: what hits a whole round hits both."""
    return statistics.median(a / b for a, b in zip(samples, yardstick))


def exponent(points):
    """k of y = c * x**k, least squares on the logarithms; and the largest factor it is off by."""
    xs = [math.log(x) for x, _ in points]
    ys = [math.log(y) for _, y in points]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    k = (sum((x - mx) * (y - my) for x, y in zip(xs, ys))
         / sum((x - mx) ** 2 for x in xs))
    off = max(abs(y - my - k * (x - mx)) for x, y in zip(xs, ys))
    return k, math.exp(off)


def number(value):
    """Three digits that count, thousands separated."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def summary(samples):
    return f"{number(median(samples))} ({number(min(samples))}–{number(max(samples))})"
