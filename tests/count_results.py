#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count_results.py <build>...: prints "<passed> <failed>", of the tests that ctest ran there last.

A test program that ran as one counts as many as it has: its own results are in tests/results.
"""

import sys
import xml.etree.ElementTree as xml
from pathlib import Path


def of_program(results):
    """(passed, failed) of a GoogleTest program; None: it ended before it had written them."""
    try:
        cases = list(xml.parse(results).getroot().iter("testcase"))
    except (OSError, xml.ParseError):
        return None
    failed = sum(case.find("failure") is not None for case in cases)
    ran = sum(case.get("result") == "completed" for case in cases)
    return ran - failed, failed


def of_build(build):
    """(passed, failed) of all, by ctest's word; a program that ended badly has failed once more."""
    passed = failed = 0
    for case in xml.parse(build / "junit.xml").getroot().iter("testcase"):
        results = build / "tests" / "results" / f"{case.get('name')}.xml"
        inner = of_program(results)
        if inner:
            passed += inner[0]
            failed += inner[1]
        if case.get("status") == "fail":
            failed += not (inner and inner[1])
        elif case.get("status") == "run" and not inner:
            program = case.get("name").removesuffix(".seeds")
            is_program = (build / "tests" / program).is_file()  # and told of no end
            passed += not is_program
            failed += is_program
    return passed, failed


def main():
    counts = [of_build(Path(build)) for build in sys.argv[1:]]
    print(sum(passed for passed, _ in counts), sum(failed for _, failed in counts))


if __name__ == "__main__":
    main()
