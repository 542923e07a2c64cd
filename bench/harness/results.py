# SPDX-License-Identifier: MIT
"""The samples of one suite, and what is asked of them."""
from . import stats


class Results:
    def __init__(self, suite, rounds, where):
        self.suite = suite
        self.rounds = rounds
        self.where = where
        self.taken = {}    # (group, label) -> peer -> figure -> samples, one a round
        self.failures = {}  # (group, label), peer -> why

    @classmethod
    def restored(cls, suite, data):
        """What as_json() wrote, of the cases that the suite still has."""
        results = cls(suite, data["rounds"], data["machine"])
        rows = {(row["group"], row["label"]): row for row in data["cases"]}
        for case in suite.cases:
            row = rows.get(cls.key(case), {"samples": {}, "failures": {}})
            results.taken[cls.key(case)] = {
                peer: {figure: found[figure] for figure in case.figures if figure in found}
                for peer, found in row["samples"].items()}
            results.failures.update({(cls.key(case), peer): why
                                     for peer, why in row["failures"].items()})
        return results

    @staticmethod
    def key(case):
        return (case.group, case.label)

    def add(self, case, peer, figures):
        of_peer = self.taken.setdefault(self.key(case), {}).setdefault(peer, {})
        for name, value in figures.items():
            of_peer.setdefault(name, []).append(value)

    def add_failure(self, case, peer, why):
        self.failures[self.key(case), peer] = why

    def failed(self, case, peer):
        return (self.key(case), peer) in self.failures

    def samples(self, case, peer, figure=""):
        """All of them, or an empty list where there are none, or not in every round."""
        if self.failed(case, peer):
            return []
        of_peer = self.taken.get(self.key(case), {}).get(peer, {})
        return of_peer.get(figure or case.figures[0], [])

    def median(self, case, peer, figure=""):
        samples = self.samples(case, peer, figure)
        return stats.median(samples) if samples else None

    def ratio(self, case, peer, figure=""):
        mine = self.samples(case, peer, figure)
        other = self.samples(case, self.suite.yardstick, figure)
        return stats.ratio(mine, other) if mine and other else None

    def cases(self, group):
        return [case for case in self.suite.cases if case.group == group]

    def groups(self):
        return list(dict.fromkeys(case.group for case in self.suite.cases))

    def case(self, label, group=None):
        """The case of that label; a remark that names none is wrong."""
        return next(case for case in self.suite.cases
                    if case.label == label and group in (None, case.group))

    def peers(self, cases):
        """Those that have samples of any of the cases, in the suite's order."""
        return [peer for peer in self.suite.peers
                if any(self.samples(case, peer.name, figure)
                       or self.failed(case, peer.name)
                       for case in cases for figure in case.figures)]

    def as_json(self, quick):
        rows = []
        for case in self.suite.cases:
            of_peers = self.taken.get(self.key(case), {})
            rows.append({
                "group": case.group, "label": case.label, "unit": case.unit,
                "samples": {peer: {"case": case.case_of(peer),
                                   "parameters": case.params_of(peer, quick), **figures}
                            for peer, figures in of_peers.items()},
                "failures": {peer: why for (key, peer), why in self.failures.items()
                             if key == self.key(case)}})
        return {"machine": self.where, "rounds": self.rounds, "yardstick": self.suite.yardstick,
                "cases": rows}
