# SPDX-License-Identifier: MIT
"""Where things are."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RELEASE = ROOT / "build" / "release"
OUT = ROOT / "build" / "bench"
DOCS = ROOT / "docs" / "benchmarks"
