# SPDX-License-Identifier: MIT
"""Builds the programs of peers, those that can be built here, offline."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from .notice import fail, say
from .paths import BENCH, OUT, RELEASE, ROOT

CRATES = Path("/usr/share/cargo/registry")  # where Debian's packages put them
RUST_NEEDS = re.compile(r"^// Needs: (.*)$", re.MULTILINE)


def step(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def check_optimised():
    """CMake forgets the preset's build type when the compiler's path changes, and says nothing."""
    cache = (RELEASE / "CMakeCache.txt").read_text(encoding="utf-8")
    if not re.search(r"^CMAKE_BUILD_TYPE:\w+=RelWithDebInfo$", cache, re.MULTILINE):
        fail("build/release is not an optimised build: run `cmake --fresh --preset release`")


def target_of(peer):
    if peer.source.startswith("<"):
        return peer.source.strip("<>")
    return str(Path(peer.source).with_suffix("")).replace("/", "_")


def missing_packages():
    """{target: packages} of the C++ programs that CMake could not make a target of."""
    lines = (RELEASE / "bench" / "left-out.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def built_program(target):
    found = [path for path in (RELEASE / "bench").glob(f"**/{target}")
             if path.is_file()] + list((RELEASE / "tests").glob(f"*/{target}"))
    if not found:
        fail(f"{target} was built, but is not below build/release")
    return found[0]


def cpp_programs(peers):
    if not peers:
        return {}
    step("cmake", "--preset", "release", cwd=ROOT)
    check_optimised()
    missing = missing_packages()
    targets = {}
    for peer in peers:
        target = target_of(peer)
        if target in missing:
            say(f"{peer.label} is left out of {target}: {missing[target]} is missing "
                "(scripts/deps bench)")
        else:
            targets[peer.source] = target
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(len(os.sched_getaffinity(0))))
    step("cmake", "--build", "--preset", "release", "-j", jobs, "--target",
         *sorted(set(targets.values())), cwd=ROOT)
    return {source: built_program(target) for source, target in targets.items()}


def go_programs(peers):
    if peers and not shutil.which("go"):
        say("no go here (scripts/deps bench): its programs are left out")
        return {}
    offline = dict(os.environ, GOCACHE=str(OUT / "gocache"), GOFLAGS="-mod=mod", GOPROXY="off")
    programs = {}
    for peer in peers:
        programs[peer.source] = OUT / target_of(peer)
        step("go", "build", "-o", str(programs[peer.source]), f"./{peer.source}", cwd=BENCH,
             env=offline)
    return programs


def rust_package(peer, folder, crates):
    """A package of one source file, made in the build folder: Cargo has no shorter way."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = "".join(f'{crate} = "*"\n' for crate in crates)
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "{target_of(peer)}"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[[bin]]\nname = "{target_of(peer)}"\npath = "{BENCH / peer.source}"\n'
        f"[dependencies]\n{wanted}[workspace]\n", encoding="utf-8")
    config = folder / ".cargo"
    config.mkdir(exist_ok=True)
    (config / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "debian"\n'
        f'[source.debian]\ndirectory = "{CRATES}"\n', encoding="utf-8")


def rust_programs(peers):
    if peers and not shutil.which("cargo"):
        say("no cargo here (scripts/deps bench): Rust's programs are left out")
        return {}
    programs = {}
    for peer in peers:
        source = (BENCH / peer.source).read_text(encoding="utf-8")
        crates = [crate for line in RUST_NEEDS.findall(source) for crate in line.split()]
        lacking = [crate for crate in crates if not list(CRATES.glob(f"{crate}-[0-9]*"))]
        if lacking:
            say(f"{peer.label} is left out: librust-{lacking[0]}-dev is missing "
                "(scripts/deps bench)")
            continue
        folder = OUT / "rust" / target_of(peer)
        rust_package(peer, folder, crates)
        step("cargo", "build", "--release", "--offline", "--quiet", cwd=folder)
        programs[peer.source] = folder / "target" / "release" / target_of(peer)
    return programs


def programs_of(peers):
    """{source: program} of all that can be built here."""
    OUT.mkdir(parents=True, exist_ok=True)
    unique = list({peer.source: peer for peer in peers}.values())
    go = [peer for peer in unique if peer.source.endswith(".go")]
    rust = [peer for peer in unique if peer.source.endswith(".rs")]
    cpp = [peer for peer in unique if peer not in go and peer not in rust]
    return {**cpp_programs(cpp), **go_programs(go), **rust_programs(rust)}
