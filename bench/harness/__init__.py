# SPDX-License-Identifier: MIT
"""What builds, runs, compares and draws the benchmarks; scripts/bench is its command."""
