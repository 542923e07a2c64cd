# SPDX-License-Identifier: MIT
"""The article's benchmark."""
from harness.suite import Case, Peer, Plot, Suite


def pool(label, case, workers, depth, jobs, **more):
    return Case(label, case, {"workers": workers, "depth": depth, "jobs": jobs},
                quick={"jobs": jobs // 40}, group="pool", **more)


IDIOM = {"go": "pool", "crossbeam": "pool"}  # pool-ctx is Weir's: against the others' select

SUITE = Suite(
    name="seed",
    title="The article's worker pool",
    about="What a job costs in the article's worker pool when the job itself costs nothing.",
    order=10,
    yardstick="go",
    peers=[
        Peer("weir", "Weir", "seed/weir_seed.cpp"),
        Peer("go", "Go", "seed/go_seed.go"),
    ],
    cases=[
        *(pool(f"{n} worker{'s' if n > 1 else ''}, 1,024 deep", "pool", n, 1024, 2_000_000)
          for n in (1, 2, 4, 8)),
        pool("8 workers, 1,024 deep, receive(ctx) and send(ctx, v)", "pool-ctx", 8, 1024, 2_000_000,
             instead=IDIOM),
    ],
    plots=[Plot("pool", "The article's pool, 1,024 deep", "pool")],
)
