# SPDX-License-Identifier: MIT
"""The machine, the compilers and the settings that figures belong to."""
import datetime
import os
import platform
import subprocess
from pathlib import Path

from .paths import ROOT

TUNING = ("WEIR_CARRIERS", "GOMAXPROCS", "GOGC", "GODEBUG", "RUSTFLAGS", "CXXFLAGS")


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def package_versions(packages):
    """{package: version} of Debian's packages that are installed."""
    found = {}
    for package in packages:
        version = first_line("dpkg-query", "--show", "--showformat=${Version}", package)
        if version:
            found[package] = version
    return found


def describe(packages=()):
    # Before the build, whose load would be counted.
    return {"date": datetime.date.today().isoformat(), "cpu": cpu_model(),
            "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "compiler": first_line("g++", "--version"), "go": first_line("go", "version"),
            "rust": first_line("rustc", "--version"), "packages": package_versions(packages),
            "commit": first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
            "load_before": round(os.getloadavg()[0], 2),
            "tuning": {name: os.environ[name] for name in TUNING if name in os.environ}}


def in_one_line(where):
    tools = [where["compiler"], where["go"], where["rust"]]
    tuning = [f"{name}={value}" for name, value in where["tuning"].items()]
    return "; ".join([f"{where['cpu']}, {where['cpus']} CPUs, Linux {where['kernel']}",
                      *filter(None, tools), f"Weir {where['commit'] or '?'}",
                      f"load {where['load_before']} before", where["date"], *tuning])
