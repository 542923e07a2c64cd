# SPDX-License-Identifier: MIT
"""Weir's tasks in gdb: in a core file, or in a program that it holds.

  (gdb) source weir-gdb.py
  (gdb) weir tasks                every live task: what it waits for, and about how long
  (gdb) weir backtrace 7          where task 7 is, while it does not run

Needs Weir's debug information (cmake's RelWithDebInfo or Debug). Backtraces: x86-64 only.
"""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

COLOURS = 16  # stack_pool::colours
# What Boost.Context saves of a task that does not run, from its context pointer on.
SAVED = {"r12": 0x08, "r13": 0x10, "r14": 0x18, "r15": 0x20, "rbx": 0x28, "rbp": 0x30, "rip": 0x38}
SAVED_SIZE = 0x40
UNITS = ((3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"),
         (1_000_000, "ms"))


def raw(value):
    """The content of a relaxed<T> or a std::atomic<T>."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        names = [f.name for f in value.type.strip_typedefs().fields()]
        for inner in ("v_", "_M_base", "_M_i", "_M_b", "_M_p"):
            if inner in names:
                value = value[inner]
                break
        else:
            base = [f for f in value.type.strip_typedefs().fields() if f.is_base_class]
            value = value[base[0]]
    return value


def registry():
    symbol = gdb.lookup_global_symbol("weir::detail::registry_for_debuggers")
    if symbol is None:
        raise gdb.GdbError("weir: Weir's debug information is missing: build it with -g")
    if not symbol.value():
        raise gdb.GdbError("weir: no runtime has been started")
    return symbol.value().dereference()


def runtimes():
    core = registry()["runtimes_"]
    while core:
        yield core.dereference()
        core = core["next"]


def tasks_of(core):
    """Every header of every stack that was ever mapped."""
    header_type = gdb.lookup_type("weir::detail::task")
    header_size = (header_type.sizeof + 63) // 64 * 64
    pool = core["stacks"]
    size = int(pool["stack_size_"])
    slabs = pool["slabs_"]["_M_impl"]
    slab = slabs["_M_start"]
    while slab != slabs["_M_finish"]:
        for i in range(int(slab["count"])):
            stack = int(slab["base"]) + i * size
            place = stack + size - header_size - stack // size % COLOURS * 64
            task = gdb.Value(place).cast(header_type.pointer()).dereference()
            if bool(raw(task["alive"])):
                yield task
        slab += 1


def newest_time(core):
    """About when the program stopped: the newest time that a carrier or a task has noted."""
    newest = 0
    for task in tasks_of(core):
        newest = max(newest, int(raw(task["wait_since"])))
    carriers = core["carriers_"]["_M_t"]
    for i in range(int(raw(core["carrier_count_"]))):
        pointer = find_pointer(carriers)
        carrier = find_pointer((pointer + i).dereference()["_M_t"]).dereference()
        newest = max(newest, int(raw(carrier["grain"]["since_"])))
    return newest


def find_pointer(value):
    """The pointer inside a std::unique_ptr, whatever its library wraps it in; None if none."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        return value
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    found = (find_pointer(value[field]) for field in kind.fields())
    return next((pointer for pointer in found if pointer is not None), None)


def duration(ns):
    for size, name in UNITS:
        if ns >= size:
            return f", {ns // size} {name}"
    return ""


def state_of(task, now):
    kind = raw(task["waits"])
    if not kind:
        return "ready" if bool(raw(task["parked"])) else "running"
    text = kind["verb"].string()
    where = int(raw(task["wait_object"]))
    if where:
        text += f" {where:#x}"
    if kind["measure"]:
        text += f" ({kind['measure'].string()} {int(raw(task['wait_amount']))})"
    return text + duration(now - int(raw(task["wait_since"])))


def describe(task):
    name = task["name"].string()
    return f"task {int(raw(task['id']))}" + (f" '{name}'" if name else "")


class WeirPrefix(gdb.Command):
    """Weir's tasks: weir tasks, weir backtrace ID."""

    def __init__(self):
        super().__init__("weir", gdb.COMMAND_STACK, prefix=True)


class WeirTasks(gdb.Command):
    """Lists the live tasks of every runtime, and what each waits for."""

    def __init__(self):
        super().__init__("weir tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        count = 0
        for core in runtimes():
            now = newest_time(core)
            for task in tasks_of(core):
                count += 1
                print(f"  {describe(task)}: {state_of(task, now)}")
        print(f"{count} task{'' if count == 1 else 's'}")


class WeirBacktrace(gdb.Command):
    """weir backtrace ID: the frames of a task that does not run."""

    def __init__(self):
        super().__init__("weir backtrace", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if not argument.strip().isdigit():
            raise gdb.GdbError("weir backtrace: which task? Give its number, from: weir tasks")
        for core in runtimes():
            for task in tasks_of(core):
                if int(raw(task["id"])) == int(argument):
                    return self.show(task)
        raise gdb.GdbError(f"weir backtrace: there is no task {argument}")

    @staticmethod
    def show(task):
        if not bool(raw(task["parked"])):
            raise gdb.GdbError("weir backtrace: it runs; look at the threads instead")
        if gdb.selected_frame().architecture().name() != "i386:x86-64":
            raise gdb.GdbError("weir backtrace: on x86-64 only")
        print(describe(task))
        UNWINDER.show(int(raw(task["context"])))


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(Unwinder):
    """While it shows a task: that task's frames come after the innermost one."""

    def __init__(self):
        super().__init__("weir")
        self.context = None

    def __call__(self, pending):
        if self.context is None or pending.level() != 0:
            return None
        word = gdb.lookup_type("unsigned long")
        # gdb stops where stacks do not grow: so the innermost frame pretends to be on this one.
        below = gdb.Value(self.context).cast(word)
        info = pending.create_unwind_info(FrameId(below, pending.read_register("rip")))
        for register, offset in SAVED.items():
            value = gdb.Value(self.context + offset).cast(word.pointer()).dereference()
            info.add_saved_register(register, value)
        info.add_saved_register("rsp", gdb.Value(self.context + SAVED_SIZE).cast(word))
        return info

    def show(self, context):
        self.context = context
        gdb.invalidate_cached_frames()
        try:
            frame, n = gdb.newest_frame().older(), 0
            while frame is not None and frame.pc() != 0:
                line = frame.find_sal()
                place = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
                print(f"#{n:<3} {frame.name() or hex(frame.pc())}{place}")
                frame, n = frame.older(), n + 1
        finally:
            self.context = None
            gdb.invalidate_cached_frames()


UNWINDER = TaskUnwinder()
register_unwinder(None, UNWINDER, replace=True)
WeirPrefix()
WeirTasks()
WeirBacktrace()
