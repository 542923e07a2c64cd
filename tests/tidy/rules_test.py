#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rules_test.py <root>: each of Go's hundred rules has a test that names it, or a line that says
what differs; and the table of docs/semantics.md has them all, with tests that exist."""
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(sys.argv[1])
RULES = set(range(1, 101))


def rules_of(path):
    """Every number in the name of a test, in a file or in a folder's."""
    found = set()
    for file in path.rglob("*_test.cpp") if path.is_dir() else [path]:
        for name in re.findall(r"\b(?:r\d+_)+", file.read_text(encoding="utf-8")):
            found.update(int(n) for n in re.findall(r"r(\d+)_", name))
    return found


def rows(page):
    """The numbers of the first column, and the row, of each table row that begins with some."""
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| (\d+(?:, \d+)*) \|", line):
            yield [int(n) for n in match.group(1).split(", ")], line


class Rules(unittest.TestCase):
    def test_each_rule_has_a_test_or_a_line_of_differences(self):
        differ = {n for numbers, _ in rows("go-differences.md") for n in numbers}
        self.assertEqual(sorted(RULES - rules_of(ROOT / "tests") - differ), [])

    def test_the_table_has_each_rule_once(self):
        listed = [n for numbers, _ in rows("semantics.md") for n in numbers]
        self.assertEqual(sorted(listed), sorted(RULES))

    def test_the_tests_of_the_table_have_the_rule_in_a_name(self):
        for numbers, row in rows("semantics.md"):
            for name in re.findall(r"`([a-z_]+_test|[a-z]+/)`", row.rsplit("|", 2)[1]):
                path = ROOT / "tests" / (name if name.endswith("/") else f"{name}.cpp")
                self.assertTrue(path.exists(), f"{path} of: {row}")
                self.assertTrue(rules_of(path) & set(numbers), f"no such rule in {path}: {row}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
