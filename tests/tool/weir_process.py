# SPDX-License-Identifier: MIT
"""What the tool's tests share: running it, and waiting for things to be so."""

import array
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import termios
import time
import unittest

PATIENCE = 60  # seconds that anything may take on a busy machine
SANITIZED = "WEIR_SANITIZED" in os.environ  # memory cannot be judged


def as_from_a_shell():
    """Gives the child the signals a shell would give it, whatever started the tests."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def limited(what, soft, hard=None):
    """For start(prepare=...): sets a resource limit."""
    return lambda: resource.setrlimit(what, (soft, soft if hard is None else hard))


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.005)


def state_of(pid):
    """The letter of its state, None when there is no such process (a zombie counts as none)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else state


def of_threads(pid, name):
    """What /proc says so of each of its threads; one that ends meanwhile is left out."""
    said = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/{name}", encoding="utf-8") as file:
                said.append(file.read())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return said


def sleeps_of(pid):
    """How often its threads have gone to sleep."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
               for status in of_threads(pid, "status"))


def status_of(pid, field):
    """The first word that /proc says of it under that name."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(field + ":"):
                return line.split()[1]
    raise AssertionError(f"no {field}")


def kib_of(pid, field):
    return int(status_of(pid, field))


def unread(pipe):
    """Bytes in it."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class ToolTest(unittest.TestCase):
    weir = None  # the path of the tool

    def start(self, *arguments, prepare=None, env=None, **streams):
        def before():
            as_from_a_shell()
            if prepare:
                prepare()

        for name in ("stdin", "stdout", "stderr"):
            streams.setdefault(name, subprocess.PIPE)
        environment = {**os.environ, **(env or {})}
        process = subprocess.Popen([self.weir, "run", *arguments], preexec_fn=before,
                                   env=environment, **streams)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def run_weir(self, *arguments, text=b"", **options):
        """Runs it to the end with `text` as its input; (status, stdout, stderr)."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(text, timeout=PATIENCE)
        return process.returncode, out, err

    def lines_of(self, path, count, writer=None):
        """The lines of a file, once there are so many; it may not exist yet. Fails at once when
        weir, the writer, has ended without."""
        def read():
            try:
                with open(path, encoding="utf-8") as file:
                    return [line for line in file.read().split("\n")[:-1] if line]
            except FileNotFoundError:
                return []

        def enough():
            ended = writer is not None and writer.poll() is not None
            if len(read()) >= count:
                return True
            if ended:
                self.fail(f"weir has ended with {writer.returncode}: {writer.stderr.read()}")
            return False

        wait_until(enough, f"{path} has {count} lines")
        return read()


def main():
    """Runs one test, which must exist, or all of them."""
    ToolTest.weir = os.path.abspath(sys.argv.pop(1))
    if len(sys.argv) == 1:
        unittest.main(verbosity=2)
    name = sys.argv[1]
    classes = [item for item in vars(sys.modules["__main__"]).values()
               if isinstance(item, type) and issubclass(item, ToolTest) and hasattr(item, name)]
    if len(classes) != 1:
        sys.exit(f"{len(classes)} tests are called {name}")
    result = unittest.TextTestRunner(verbosity=2).run(classes[0](name))
    sys.exit(0 if result.wasSuccessful() else 1)
