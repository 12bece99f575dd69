# SPDX-License-Identifier: BSL-1.0
"""What GDB does in the test of the printers: runs pools.cpp, and prints what it asks for wherever it stops."""
import random

import gdb

ROUNDS = 60  # of a fuzz


def fuzz(value, region):
    """Prints a value while words of its memory, or of the memory of `region`, have any values. The text may be any: the
    printers must not fail."""
    try:
        region = gdb.parse_and_eval(region)
    except gdb.error:  # libc++ has another name in std::shared_ptr
        region = gdb.parse_and_eval(region.replace("_M_ptr", "__ptr_"))
    memory = gdb.selected_inferior()
    address, size = int(region.address), region.type.sizeof
    kept = bytes(memory.read_memory(address, size))
    for _ in range(ROUNDS):
        changed = bytearray(kept)
        for _ in range(random.choice((1, 1, 1, 2, size // 8))):
            at = random.randrange(0, size, 4)
            near = int.from_bytes(kept[at : at + 4], "little") + random.randrange(-9, 9)
            word = random.choice((0, 1, 1 << 31, 0xFFFFFFFF, near & 0xFFFFFFFF, random.getrandbits(32)))
            changed[at : at + 4] = word.to_bytes(4, "little")
        memory.write_memory(address, bytes(changed[:size]))
        gdb.parse_and_eval(value).format_string(max_elements=20)
    memory.write_memory(address, kept)


def same(seen, line):
    """The text is the program's own."""
    shown = gdb.parse_and_eval(seen).format_string()
    own = gdb.parse_and_eval(line).string()
    print(shown if shown == own else f"GDB says: {shown}\nfixpool says: {own}")


def execute(command):
    words = command.split()
    if words[0] == "fuzz":
        fuzz(words[1], words[-1])
    elif words[0] == "same":
        same(*words[1:])
    else:
        print(f"(gdb) {command}")
        try:
            gdb.execute(command)
        except gdb.error as error:
            print(error)


random.seed(20)
for setting in ("confirm off", "disable-randomization off", "pagination off", "width 0"):
    gdb.execute("set " + setting)
for setting in ("inferior-events off", "pretty on", "thread-events off"):
    gdb.execute("set print " + setting)
gdb.Breakpoint("stop").silent = True
gdb.execute("run", to_string=True)
while gdb.selected_inferior().pid:
    wanted = gdb.parse_and_eval("wanted").string()
    gdb.newest_frame().older().older().select()
    for command in wanted.split("; "):
        execute(command)
    gdb.execute("continue", to_string=True)
