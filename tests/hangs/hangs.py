# SPDX-License-Identifier: MIT
"""The hang programs with Python's concurrent.futures."""
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


def nested():
    p = ThreadPoolExecutor(1)
    assert p.submit(lambda: p.submit(lambda: 41).result() + 1).result() == 42
    return "passes"


def recursion():
    p = ThreadPoolExecutor(8)

    def fib(n):
        if n < 2:
            return n
        a, b = p.submit(fib, n - 1), p.submit(fib, n - 2)
        return a.result() + b.result()

    assert p.submit(fib, 25).result() == 75025
    return "passes"


def full():
    """A thread that runs what is in a bounded queue; the executor's own has no bound."""
    jobs = queue.Queue(maxsize=2)

    def many():
        for _ in range(10):
            jobs.put(lambda: None)
        jobs.put(None)

    def work():
        while job := jobs.get():
            job()

    jobs.put(many)
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    return "passes"


def events():
    a, b = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as p:
        p.submit(lambda: (a.set(), b.wait()))
        p.submit(lambda: (b.set(), a.wait()))
    return "passes"


def throwing():
    with ThreadPoolExecutor(1) as p:
        p.submit(lambda: 1 // 0)
    return "lost: the future is dropped, and the exception with it"


def destructor():
    ran = []
    with ThreadPoolExecutor(1) as p:
        for i in range(100):
            p.submit(ran.append, i)
    return f"passes: {len(ran)} of 100 ran" if len(ran) == 100 else "lost"


CASES = {"nested": nested, "recursion": recursion, "full": full, "events": events,
         "throw": throwing, "destructor": destructor}
if sys.argv[1] not in CASES:
    sys.exit(3)
print(CASES[sys.argv[1]](), flush=True)
