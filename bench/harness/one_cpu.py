# SPDX-License-Identifier: MIT
"""One CPU for a process: by its affinity, or by a cgroup's quota. Each is a function that the child
calls before it becomes the program."""
import contextlib
import os
from pathlib import Path

PERIOD = 100_000  # microseconds


def pinned():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def make_group(folder):
    """A new group below, with a quota of one CPU: version 1's files, or version 2's."""
    folder.mkdir()
    if (folder / "cpu.cfs_quota_us").exists():
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD), encoding="ascii")
        (folder / "cpu.cfs_quota_us").write_text(str(PERIOD), encoding="ascii")
    else:
        (folder / "cpu.max").write_text(f"{PERIOD} {PERIOD}", encoding="ascii")


@contextlib.contextmanager
def quota():
    """Gives the function for the child; None where no group can be made (it takes root)."""
    for parent in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")):
        folder = parent / f"weir-bench-{os.getpid()}"
        try:
            make_group(folder)
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        try:
            yield lambda: (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()
        return
    yield None
