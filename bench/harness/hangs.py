# SPDX-License-Identifier: MIT
"""The programs of tests/hangs, for every peer that is installed."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .notice import say
from .paths import ROOT

HERE = ROOT / "tests" / "hangs"
OUT = ROOT / "build" / "hangs"
CASES = {
    "nested": "a job waits for a job of its own pool, of 1 worker",
    "recursion": "fib(25), a job a call",
    "full": "a job fills its own bounded queue",
    "events": "two jobs wait for each other, the pool has 1 thread",
    "lock": "a lock is held while waiting for a part",
    "throw": "a posted job throws",
    "destructor": "the pool ends with jobs queued",
}
CXX = ["g++", "-std=c++20", "-O1"]
# Name, source, header that must be there, libraries.
PEERS = [
    ("Boost.Asio `thread_pool`", "asio.cpp", "boost/asio/thread_pool.hpp", ["-pthread"]),
    ("Boost.Thread", "boost_thread.cpp", "boost/thread/executors/basic_thread_pool.hpp",
     ["-pthread", "-lboost_thread", "-lboost_chrono", "-lboost_system"]),
    ("`std::async`", "std_async.cpp", "future", ["-pthread"]),
    ("oneTBB", "onetbb.cpp", "oneapi/tbb/task_group.h", ["-pthread", "-ltbb"]),
]


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return done.stdout if done.returncode == 0 else None


def build(command, what, **options):
    if output(*command, **options) is None:
        sys.exit(f"hangs: {what} does not build: {' '.join(map(str, command))}")


def programs():
    """(name, command) of each that can be run here, Weir first."""
    build(["cmake", "--preset", "release"], "Weir", cwd=ROOT)
    build(["cmake", "--build", "--preset", "release", "-j1", "--target", "hangs_weir"], "Weir",
          cwd=ROOT)
    OUT.mkdir(parents=True, exist_ok=True)
    yield "Weir", [ROOT / "build" / "release" / "tests" / "hangs" / "hangs_weir"]
    for name, source, header, libraries in PEERS:
        if output(*CXX, "-E", "-x", "c++", "-", input=f"#include <{header}>\n") is None:
            say(f"no {name} here (scripts/deps bench)")
            continue
        program = OUT / Path(source).stem
        build([*CXX, "-o", program, HERE / source, *libraries], name)
        yield name, [program]
    if shutil.which("go"):
        program = OUT / "hangs_go"
        build(["go", "build", "-o", program, HERE / "hangs.go"], "Go",
              env=dict(os.environ, GOCACHE=str(OUT / "gocache"), GOPROXY="off"))
        yield "Go", [program]
    else:
        say("no Go here (scripts/deps bench)")
    yield "Python `concurrent.futures`", [sys.executable, "-B", HERE / "hangs.py"]


def versions():
    def macro(header, *names):
        source = f"#include <{header}>\n" + " ".join(names)
        text = output(*CXX, "-E", "-P", "-x", "c++", "-", input=source)
        return ".".join(text.split()[-len(names):]) if text else "none"
    boost = macro("boost/version.hpp", "BOOST_LIB_VERSION").strip('"').replace("_", ".")
    tbb = macro("oneapi/tbb/version.h", "TBB_VERSION_MAJOR", "TBB_VERSION_MINOR")
    return "; ".join([
        f"Boost {boost}", f"oneTBB {tbb}",
        (output("g++", "--version") or "no g++").splitlines()[0],
        (output("go", "version") or "no go").strip() if shutil.which("go") else "no go",
        f"Python {sys.version.split()[0]}",
        "Weir " + (output("git", "-C", str(ROOT), "describe", "--always") or "?").strip()])
