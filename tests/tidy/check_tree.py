#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_tree.py <root>: the house rules that no compiler checks, on every file of the tree.

Prints one line per fault, `file:line: what: remedy`, and ends with 1 when there is any. Each rule
has a test in check_tree_test.py that shows it the fault it is for.
"""

import os
import re
import sys

# ------------------------------------------------------------------------------------ the tables

# Who may know whom: downwards only. pool and queue do not know each other.
ROOMS = {
    "port": {"port"},
    "runtime": {"runtime", "port"},
    "sync": {"sync", "runtime", "port"},
    "pool": {"pool", "sync", "runtime", "port"},
    "queue": {"queue", "sync", "runtime", "port"},
    "tool": {"tool", "queue", "pool", "sync", "runtime", "port"},
}
HEIGHT = {room: height for height, room in enumerate(ROOMS)}

# The room of each public word. Headers that are not listed (those of detail/, as a rule) live in
# the highest room that they include something of.
PUBLIC = {
    "version.hpp": "port",
    "amount.hpp": "port",
    "error.hpp": "port",
    "runtime.hpp": "runtime",
    "go.hpp": "runtime",
    "blocking.hpp": "runtime",
    "testing.hpp": "runtime",
    "debug.hpp": "runtime",
    "context.hpp": "sync",
    "channel.hpp": "sync",
    "select.hpp": "sync",
    "sync.hpp": "sync",
    "timer.hpp": "sync",
    "coroutine.hpp": "sync",
    "limit.hpp": "sync",
    "resource_pool.hpp": "sync",
    "task_group.hpp": "pool",
    "pool.hpp": "pool",
    "advise.hpp": "pool",
    "pool_options.hpp": "pool",
    "future.hpp": "pool",
    "outcome.hpp": "pool",
    "histogram.hpp": "pool",
    "metrics.hpp": "pool",
    "trace.hpp": "pool",
    "pool_coroutine.hpp": "pool",
    "process.hpp": "pool",
    "queue.hpp": "queue",
    "weir.hpp": "tool",  # includes all, so only the top may include it
}

# Third-party headers and where alone they may be included (tests and bench may include anything).
THIRD_PARTY = [
    (re.compile(r"boost/"), ("src/runtime/", "src/port/")),
    (re.compile(r"sqlite3"), ("src/queue/",)),
    (re.compile(r"(CLI|fmt|nlohmann)/"), ("tool/",)),
    (re.compile(r"(gtest|gmock|benchmark)/"), ()),
]

COLUMNS = 100
FUNCTION_LINES = 70
ORDERING_LINES = 4
FILE_LINES = [("include/", 400), ("tests/", 500), ("", 600)]

# (pattern, where, topic, what, remedy); the comment `tidy: <topic> is the subject` excuses a line.
BANNED_CODE = [
    (re.compile(r"\bsystem_clock\b"), "", "clock", "system_clock jumps", "use steady_clock"),
    (re.compile(r"(?<!weir::)\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w:])sleep\s*\("),
     "tests/", "sleep", "a test that sleeps",
     "use the virtual clock, a latch, or wait until the task is parked"),
    (re.compile(r"\batomic_thread_fence\b"), "", "fence", "a standalone fence",
     "put the order on an operation on the shared word"),
    (re.compile(r"\bstd::endl\b"), "", "endl", "std::endl flushes", r"write '\n'"),
]
BANNED_ANYWHERE = [
    (re.compile(r"\bFIXME\b"), "FIXME", "repair it, or open an issue and name it"),
    (re.compile(r"\bTODO\b"), "TODO", "do it, or open an issue and name it"),
]

SKIPPED_FOLDERS = {".git", ".cache", "build", "__pycache__", "node_modules", "vendor"}
CPP = (".hpp", ".cpp")
TEXT = CPP + (".py", ".sh", ".cmake", ".go")
MEMORY_ORDER = re.compile(r"\bmemory_order(_|::)\w+")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
SCOPE = re.compile(r"^(inline\s+)?(namespace|class|struct|union|enum|extern)\b")
TEMPLATE = re.compile(r"^template\s*<")
CONTROL = re.compile(r"\b(public|private|protected)\s*$")


# ------------------------------------------------------------------------------------ reading C++

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def without_text(source):
    """The source with comments blanked and literals emptied; every line keeps its number."""
    def blank(match):
        text = match.group(0)
        lines = "\n" * text.count("\n")
        if text.startswith("/"):
            return lines + " "
        return ("''" if text.startswith("'") else '""') + lines
    return TOKEN.sub(blank, source)


def without_directives(code):
    """The code with its preprocessor lines blanked, continuations too."""
    kept, continued = [], False
    for line in code.split("\n"):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.rstrip().endswith("\\")
        kept.append("" if directive else line)
    return "\n".join(kept)


def without_template(head):
    """The head of a declaration without its leading `template <...>`."""
    head = head.strip()
    while TEMPLATE.match(head):
        depth = 0
        for place, letter in enumerate(head):
            depth += {"<": 1, ">": -1}.get(letter, 0)
            if letter == ">" and depth == 0:
                break
        head = head[place + 1:].strip()
    return head


def kind_of_block(head):
    """What a `{` after this head opens: a scope to look into, a function, or plain data."""
    head = without_template(head)
    head = re.sub(r"^(\[\[[^\]]*\]\]|export|typedef|static|constexpr|inline|const)\s+", "", head)
    if SCOPE.match(head):
        return "scope"
    if ")" in head and not head.endswith(("=", ",", "(")):
        return "function"
    return "data"


def functions(source):
    """(first line, last line) of each outermost function, by matching braces."""
    code = without_directives(without_text(source))
    found, stack = [], []
    head, head_line, line, parens = "", 0, 1, 0
    for place, letter in enumerate(code):
        if letter == "\n":
            line += 1
        inside = any(kind != "scope" for kind, _, _ in stack)
        if letter == "{":
            kind = "nested" if inside else kind_of_block(head)
            stack.append((kind, head_line, head))
            if kind == "scope":
                head, parens = "", 0
        elif letter == "}" and stack:
            kind, start, old_head = stack.pop()
            follower = code[place + 1:].lstrip()[:1]
            if kind in ("function", "data") and (follower in ("{", ",") or parens > 0):
                head = old_head + "()"  # an initialiser of a constructor: its body is still to come
                head_line = start
            elif kind == "function":
                found.append((start, line))
                head, parens = "", 0
            elif kind != "nested":
                head, parens = "", 0
        elif not inside:
            parens += {"(": 1, ")": -1}.get(letter, 0)
            if letter == ";" or (letter == ":" and CONTROL.search(head)):
                head, parens = "", 0
            else:
                if not head.strip() and not letter.isspace():
                    head, head_line = "", line
                head += letter
    return found


# ------------------------------------------------------------------------------------ the tree

class Tree:
    def __init__(self, root):
        self.root = root
        self.faults = []
        self.room_of_header = {}
        self.files = sorted(self.walk())

    def walk(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.root)
                if path.endswith(TEXT + (".md",)):
                    yield path.replace(os.sep, "/")

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def fault(self, path, line, what, remedy):
        self.faults.append((path, line, f"{path}:{line}: {what}: {remedy}"))

    def check(self):
        for path in self.files:
            source = self.read(path)
            if path.endswith(".md"):
                self.check_links(path, source)
                continue
            self.check_columns(path, source)
            if not path.startswith("tests/tidy/"):
                self.check_words_anywhere(path, source)
            if path.endswith(CPP):
                self.check_cpp(path, source)
        return [text for _, _, text in sorted(self.faults)]

    def check_cpp(self, path, source):
        self.check_top(path, source)
        self.check_file_length(path, source)
        self.check_functions(path, source)
        self.check_words_in_code(path, source)
        self.check_includes(path, source)
        if path.startswith(("src/", "include/", "tool/", "examples/")):
            self.check_ordering(path, source)

    # ---------------------------------------------------------------- shape

    def check_top(self, path, source):
        # examples/seed.cpp is a quotation: its text is the README's, to the letter.
        licensed = source.startswith("// SPDX-License-Identifier: MIT\n")
        if not licensed and path != "examples/seed.cpp":
            self.fault(path, 1, "no licence line",
                       "begin with `// SPDX-License-Identifier: MIT`")
        if path.endswith(".hpp") and not re.search(r"^#pragma once$", source, re.MULTILINE):
            self.fault(path, 1, "no include guard", "write `#pragma once` below the licence line")

    def check_columns(self, path, source):
        for number, line in enumerate(source.split("\n"), 1):
            if len(line) > COLUMNS and "://" not in line:
                self.fault(path, number, f"{len(line)} columns", f"break it: {COLUMNS} at most")

    def check_file_length(self, path, source):
        lines = source.count("\n")
        limit = next(limit for prefix, limit in FILE_LINES if path.startswith(prefix))
        if lines > limit:
            self.fault(path, limit, f"{lines} lines",
                       f"split it by idea: {limit} at most in this kind of file")

    def check_functions(self, path, source):
        for first, last in functions(source):
            lines = last - first + 1
            if lines > FUNCTION_LINES:
                self.fault(path, first, f"a function of {lines} lines",
                           f"split it by step: {FUNCTION_LINES} at most")

    # ---------------------------------------------------------------- words

    def check_words_in_code(self, path, source):
        raw = source.split("\n")
        for number, line in enumerate(without_text(source).split("\n"), 1):
            for pattern, prefix, topic, what, remedy in BANNED_CODE:
                excused = f"tidy: {topic} is the subject" in raw[number - 1]
                if path.startswith(prefix) and not excused and pattern.search(line):
                    self.fault(path, number, what, remedy)

    def check_words_anywhere(self, path, source):
        for number, line in enumerate(source.split("\n"), 1):
            for pattern, what, remedy in BANNED_ANYWHERE:
                if pattern.search(line):
                    self.fault(path, number, what, remedy)

    def check_ordering(self, path, source):
        """Near each memory order: on its line, or in a comment that ends at most 4 lines above."""
        raw = source.split("\n")
        for number, line in enumerate(without_text(source).split("\n"), 1):
            if not MEMORY_ORDER.search(line) or "Ordering:" in raw[number - 1]:
                continue
            if not self.ordering_above(raw, number - 1):
                self.fault(path, number, "a memory order without its reason",
                           "write `// Ordering: ...; pairs with ...; publishes ...` above it")

    @staticmethod
    def ordering_above(raw, place):
        above = place - 1
        for _ in range(ORDERING_LINES):
            while above >= 0 and raw[above].lstrip().startswith("//"):
                if "Ordering:" in raw[above]:
                    return True
                above -= 1  # a comment counts from its last line
            if above >= 0 and "Ordering:" in raw[above]:
                return True
            above -= 1
        return False

    # ---------------------------------------------------------------- layers

    def room_of(self, path):
        """The room a file is in, None for those that may see anything (tests, bench, examples)."""
        if path.startswith("src/"):
            return path.split("/")[1]
        if path.startswith("tool/"):
            return "tool"
        if path.startswith("include/weir/"):
            return self.room_of_public(path[len("include/weir/"):])
        return None

    def room_of_public(self, name):
        if name in PUBLIC:
            return PUBLIC[name]
        if name not in self.room_of_header:
            self.room_of_header[name] = "port"  # ends a circle of includes
            rooms = ["port"]
            path = "include/weir/" + name
            if os.path.exists(os.path.join(self.root, path)):
                for _, target in self.includes(path, self.read(path)):
                    rooms.append(self.room_of_include(path, target) or "port")
            self.room_of_header[name] = max(rooms, key=lambda room: HEIGHT.get(room, 0))
        return self.room_of_header[name]

    def room_of_include(self, path, target):
        """The room an include leads to, None when it is not one of ours or stays in its folder."""
        if target.startswith((".", "detail/")):
            here = os.path.normpath(os.path.join(os.path.dirname(path), target))
            return self.room_of(here.replace(os.sep, "/"))
        if target.startswith("weir/"):
            return self.room_of_public(target[len("weir/"):])
        room = target.split("/")[0]
        return room if "/" in target and room in ROOMS else None

    @staticmethod
    def includes(path, source):
        for number, line in enumerate(source.split("\n"), 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(2)

    def check_includes(self, path, source):
        room = self.room_of(path)
        if path.startswith("include/weir/") and path.count("/") == 2:
            if path[len("include/weir/"):] not in PUBLIC:
                self.fault(path, 1, "a public word without a layer",
                           "give it one in PUBLIC of tests/tidy/check_tree.py")
        for number, target in self.includes(path, source):
            if room is None:
                continue
            other = self.room_of_include(path, target)
            if other is not None and other not in ROOMS.get(room, ROOMS):
                self.fault(path, number, f"{room} includes {target}, which is of {other}",
                           "layers point downwards only: move the code, or turn the call around")
            for pattern, homes in THIRD_PARTY:
                if pattern.match(target) and not path.startswith(homes or ("tests/",)):
                    where = " or ".join(homes) or "tests/ or bench/"
                    self.fault(path, number, f"{target} outside its room", f"only in {where}")

    # ---------------------------------------------------------------- documents

    def check_links(self, path, source):
        fenced = False
        for number, line in enumerate(source.split("\n"), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            if fenced:
                continue
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:|#", target):
                    continue
                file = target.split("#")[0]
                base = "" if file.startswith("/") else os.path.dirname(path)
                if not os.path.exists(os.path.join(self.root, base, file.lstrip("/"))):
                    self.fault(path, number, f"a dead link to {target}", "correct or remove it")


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print("usage: check_tree.py <root>", file=sys.stderr)
        return 2
    faults = Tree(sys.argv[1]).check()
    for fault in faults:
        print(fault)
    if faults:
        print(f"{len(faults)} faults", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
