#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the harness computes, draws and believes."""
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import machine, plots, report, run, stats, summary, table  # noqa: E402
from harness.outcome import verdict  # noqa: E402
from harness.results import Results  # noqa: E402
from harness.suite import Case, Peer, Plot, Suite  # noqa: E402

MACHINE = machine.describe()
CASES = [Case("few", "c", {"n": 10}, aim={"ratio": "≤ 0.5"}), Case("many", "c", {"n": 1000})]
PLOTS = [Plot("bars", "Bars & <more>", ""), Plot("lines", "Lines", "", x="n", log_x=True,
                                                log_y=True)]


def program(text):
    """An executable that prints it, whatever it is asked."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False, encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    path = Path(file.name)
    path.chmod(0o700)
    return path


def suite(**more):
    return Suite("s", "A suite", "", [Peer("weir", "Weir", "w"), Peer("go", "Go", "g")], CASES,
                 yardstick="go", plots=PLOTS, **more)


def measured():
    results = Results(suite(), 3, MACHINE)
    for case, factor in zip(CASES, (1, 4)):
        for mine, other in ((1, 4), (2, 2), (1, 5)):
            results.add(case, "weir", {"ns": mine * factor})
            results.add(case, "go", {"ns": other * factor})
    return results


class Stats(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_medians(self):
        self.assertEqual(stats.ratio([1, 10, 3], [2, 10, 1]), 1)

    def test_the_exponent_of_a_power_is_found(self):
        k, off = stats.exponent([(x, 3 * x ** 1.5) for x in (1, 10, 100, 1000)])
        self.assertAlmostEqual(k, 1.5)
        self.assertAlmostEqual(off, 1)


class Running(unittest.TestCase):
    case = Case("x", "pool", {"n": 3}, quick={"n": 1}, only={"go": {"n": 2}})
    peer = Peer("weir", "Weir", "")

    def sample(self, text):
        path = program(text)
        try:
            return run.sample(path, self.peer, self.case, False)
        finally:
            path.unlink()

    def test_the_right_answer_is_believed(self):
        line = '{"impl":"weir","case":"pool","n":3,"ns":1.5}'
        self.assertEqual(self.sample(f"echo '{line}'"), {"ns": 1.5})

    def test_anything_else_is_not(self):
        for text in ('echo \'{"impl":"weir","case":"pool","n":4,"ns":1.5}\'',  # another n
                     'echo \'{"impl":"go","case":"pool","n":3,"ns":1.5}\'',
                     'echo \'{"impl":"weir","case":"pool","n":3,"ns":-1}\'',
                     'echo \'{"impl":"weir","case":"pool","n":3}\'',
                     "echo nothing", "exit 1"):
            with self.assertRaises(run.Broken, msg=text):
                self.sample(text)

    def test_a_peer_may_have_parameters_of_its_own_but_quick_is_quick_for_all(self):
        self.assertEqual(self.case.params_of("go", False), {"n": 2})
        self.assertEqual(self.case.params_of("go", True), {"n": 1})

    def test_each_peer_is_first_equally_often(self):
        everybody = {"w": None, "g": None}
        first = [run.turns(suite(), CASES[0], everybody, r)[0].name for r in range(4)]
        self.assertEqual(sorted(first), ["go", "go", "weir", "weir"])

    def test_verdicts(self):
        for text, word in (("echo 'passes: well'", "passes"), ("exit 3", "–"),
                           ("kill -9 $$", "aborts"), ("exec sleep 60", "hangs")):
            path = program(text)
            self.assertEqual(verdict([str(path)], 0.5 if word == "hangs" else 60)[0], word)
            path.unlink()


class Reporting(unittest.TestCase):
    def test_the_ratio_stands_in_the_table(self):
        rows = table.ratios(measured(), CASES)
        self.assertEqual(rows[1], ("few", "0.250"))

    def test_the_aim_stands_beside_what_was_found(self):
        self.assertIn("| [s](s.md) | few | ≤ 0.5 | Weir / Go 0.250 |", summary.aims([measured()]))

    def test_a_failure_is_no_figure(self):
        results = measured()
        results.add_failure(CASES[0], "weir", "wrong sum")
        self.assertIsNone(results.ratio(CASES[0], "weir"))
        self.assertIn("failed", table.medians(results, CASES)[1])

    def test_what_is_written_can_be_read(self):
        results = measured()
        again = Results.restored(suite(), results.as_json(False))
        self.assertEqual(again.taken, results.taken)

    def test_a_folder_anywhere_will_do(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write([measured()], Path(folder), quick=True)
            self.assertTrue((Path(folder) / "s.md").exists())

    def test_plots_are_well_formed_and_hold_the_points(self):
        for plot in PLOTS:
            picture = xml.etree.ElementTree.fromstring(plots.draw(plot, measured()))
            title = picture.find("{http://www.w3.org/2000/svg}title")
            self.assertEqual(title.text, plot.title)
            marks = [e for e in picture if e.tag.endswith(("circle", "rect"))]
            self.assertGreaterEqual(len(marks), 4)


if __name__ == "__main__":
    unittest.main()
