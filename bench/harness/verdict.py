# SPDX-License-Identifier: MIT
"""Who loses to whom, in words: remarks for a suite."""
from .stats import ratio


def lost(results, cases, name, rivals, by=1.05):
    """(case, peer, ratio) wherever `name` is slower than a rival by more than that."""
    found = []
    for case in cases:
        mine = results.samples(case, name)
        for peer in results.peers([case]):
            other = results.samples(case, peer.name)
            if peer.name != name and peer.name in rivals and mine and other and min(other) > 0:
                found.append((case, peer, ratio(mine, other)))
    return [one for one in found if one[2] > by]


def losses(results, cases, rivals, name="weir"):
    """Markdown: each row in which `name` is more than 5 % slower than a rival."""
    label = next(peer.label for peer in results.suite.peers if peer.name == name)
    rows = [f"- {case.group}, {case.label}: {r:.2f} times {peer.label}'s time"
            for case, peer, r in lost(results, cases, name, rivals)]
    if not rows:
        return [f"{label} is nowhere more than 5 % slower than another pool."]
    return [f"{label} is more than 5 % slower than another pool in:", "", *rows]
