#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py [--only NAME…] [--jobs 2] [--seeds 1000]: is the suite awake when the code is wrong?

Each entry of list.txt and pool.txt is one small mistake in Weir's own concurrent code: a notify
removed, a re-check skipped, two steps swapped, a claim not made, a count off by one. For each, a
copy of the tree is changed, built, and tested: first the rules under many schedules of the
deterministic mode, and if those notice nothing, the same rules on real threads. It passes if all
mutants but those that the lists explain are killed, 95 in 100 of them by the deterministic mode.

What one carrier cannot see, weakened memory orders, is not here: tests/model has those.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutants"
# The killers, likely ones first: every test binary that has rules for the deterministic mode.
SUITES = ("channel_test", "channel_rules_test", "select_test", "sync_test", "context_test",
          "context_rules_test", "timer_test", "timer_rules_test", "wait_group_rules_test",
          "throwing_move_test", "channel_batches_test", "go_programs_test",
          "go_select_forms_test", "go_chan_test", "exhaustive_test", "runtime_test",
          "standing_wait_test", "stack_pool_test")
POOL_SUITES = ("pool_pool_test", "pool_pool_inbox_test", "pool_pool_rare_test",
               "pool_pool_life_test", "pool_process_test", "pool_process_batch_test",
               "pool_process_stages_test", "pool_process_ends_test",
               "pool_pool_conservation_test", "pool_job_inbox_test", "pool_handful_test",
               "pool_stoppable_count_test", "limit_test", "pool_future_context_test",
               "pool_pool_memory_test", "pool_memory_bound_test", "pool_room_forecast_test",
               "pool_pool_last_handle_test", "pool_pool_ends_test")
LISTS = {"list.txt": SUITES, "pool.txt": POOL_SUITES}
DETERMINISTIC = "*seeds*:exhaustive.*"
SHARE = 0.95
HANG = 60  # seconds; a mutant that hangs is noticed


class Mutant:
    def __init__(self, name, path, old, new, explained, where):
        self.name, self.path, self.old, self.new = name, path, old, new
        self.explained, self.where = explained, where
        self.verdict, self.seconds = "", 0.0


def parse(where):
    """Entries stand between lines of dashes: see the head of list.txt."""
    text = Path(__file__).with_name(where).read_text(encoding="utf-8")
    for block in re.split(r"^-{10,}\n", text, flags=re.MULTILINE):
        head = re.search(r"^mutant: ([^\n]+)\nfile: ([^\n]+)\n(?:survives: ([^\n]+)\n)?"
                         r"<<<<\n(.*?)====\n(.*?)>>>>$", block, flags=re.MULTILINE | re.DOTALL)
        if head is None:
            if block.strip() and not block.lstrip().startswith("#"):
                sys.exit(f"mutants: not an entry of {where}:\n{block}")
            continue
        name, path, explained, old, new = head.groups()
        yield Mutant(name, path, old, new, explained, where)


class Bench:
    """A copy of the tree with a build of its own."""

    def __init__(self, number, args):
        self.tree = WORK / f"tree-{number}"
        self.build = WORK / f"build-{number}"
        self.args = args

    def prepare(self, suites):
        files = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                               capture_output=True, text=True, check=True).stdout.split("\n")
        for name in filter(None, files):
            source, target = ROOT / name, self.tree / name
            if not source.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copyfile(source, target)
        self.make("cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja",
                  "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -g0")
        self.make("cmake", "--build", self.build, "--target", *suites)

    @staticmethod
    def make(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f"mutants: {' '.join(map(str, command))}:\n{done.stdout[-4000:]}")

    def try_mutant(self, mutant):
        path = self.tree / mutant.path
        good = path.read_text(encoding="utf-8")
        if good.count(mutant.old) != 1:
            return "stale"  # the code has changed: so must the list
        stamp = path.stat()
        path.write_text(good.replace(mutant.old, mutant.new), encoding="utf-8")
        try:
            return self.build_and_test(mutant, stamp)
        finally:
            path.write_text(good, encoding="utf-8")

    def build_and_test(self, mutant, stamp):
        if mutant.path.startswith("include/weir/detail/waiter"):
            # Only the library's objects use what is in there; the tests' need not be made again.
            os.utime(self.tree / mutant.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
            for thing in (self.build / "CMakeFiles" / "weir.dir").rglob("*.o"):
                thing.unlink()
        suites = LISTS[mutant.where]
        done = subprocess.run(["cmake", "--build", self.build, "--target", *suites],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode != 0:
            return "does not build"
        if self.noticed(suites, DETERMINISTIC):
            return "seeds"
        return "threads" if self.noticed(suites, f"-{DETERMINISTIC}") else "survives"

    def noticed(self, suites, selection):
        environment = dict(os.environ, WEIR_SEEDS=str(self.args.seeds), WEIR_DEADLOCK="end_program")
        for suite in suites:
            command = [str(self.build / "tests" / suite), f"--gtest_filter={selection}",
                       "--gtest_fail_fast", "--gtest_brief=1"]
            try:
                done = subprocess.run(command, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, env=environment, timeout=HANG,
                                      check=False)
            except subprocess.TimeoutExpired:
                return True
            if done.returncode != 0:
                return True
        return False


def work_through(bench, queue, lock):
    while True:
        with lock:
            if not queue:
                return
            mutant = queue.pop(0)
        start = time.monotonic()
        mutant.verdict = bench.try_mutant(mutant)
        mutant.seconds = time.monotonic() - start
        with lock:
            print(f"{mutant.verdict:>14}  {mutant.name}  ({mutant.seconds:.0f} s)", flush=True)


def report(mutants):
    by = {}
    for mutant in mutants:
        by.setdefault(mutant.verdict, []).append(mutant)
    print(f"\n{len(mutants)} mutants: " + ", ".join(f"{len(v)} {k}" for k, v in by.items()))
    good = True
    for mutant in mutants:
        if mutant.verdict in ("stale", "does not build"):
            good = False
            print(f"{mutant.verdict}: {mutant.name}: change its entry in {mutant.where}")
        elif mutant.verdict == "survives" and mutant.explained:
            print(f"survives: {mutant.name}: {mutant.explained}")
        elif mutant.verdict == "survives":
            good = False
            print(f"survives: {mutant.name}: nobody notices; write a test, or explain it")
    counted = [m for m in mutants if not (m.verdict == "survives" and m.explained)]
    killed = [m for m in counted if m.verdict == "seeds"]
    if counted:
        print(f"killed by the deterministic mode: {100 * len(killed) / len(counted):.1f} %")
        good = good and len(killed) >= SHARE * len(counted)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="those whose name contains it")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seeds", type=int, default=1000)
    args = parser.parse_args()
    mutants = [mutant for where in LISTS for mutant in parse(where)]
    if args.only:
        mutants = [m for m in mutants if any(word in m.name for word in args.only)]
    if not mutants:
        sys.exit("mutants: none of that name")
    wanted = {mutant.where for mutant in mutants}
    suites = [suite for where in LISTS if where in wanted for suite in LISTS[where]]
    benches = [Bench(i, args) for i in range(max(1, args.jobs))]
    for bench in benches:
        bench.prepare(suites)
    if benches[0].noticed(suites, "*"):
        sys.exit("mutants: the suite fails as it is: mend that first")
    queue, lock = list(mutants), threading.Lock()
    threads = [threading.Thread(target=work_through, args=(b, queue, lock)) for b in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(0 if report(mutants) else 1)


if __name__ == "__main__":
    main()
