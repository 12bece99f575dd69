# SPDX-License-Identifier: BSL-1.0
"""GDB pretty-printers for fixpool. They are tested with GDB 13, and need Python 3.8 in it.

    (gdb) source /path/to/fixpool.py

A pool shows its counts and a map of its blocks. A block shows its index and its object. A violation shows its sentence.
The printers only read memory, and call no function of the program. So they work on core files, too.
"""

# The printers find types and members by name. The inline namespace may be that of any version.
# Who renames one of these members changes it here, too. tests/debuggers/run fails otherwise.
#
#   pools               list_ reporter_ pool_ state_ objects_ blocks_ large_
#   reporter            name_
#   geometry            block_size block_count alignment stride
#   free_list           layout_ base_ bottom_ top_ fresh_ states_ handed_out_ refused_
#   static_list         free_ carved_ handed_out_ refused_ stack_ states_ blocks_
#   debug_list          blocks_ metadata_ carved_ out_ peak_ refused_; guarded_blocks: layout_ base_
#   debug_record        allocated_at state is_free is_filled; debug_frame_record: its size
#   shared_state        depot_ slots_; guarded: value_; depot: pool ever_out
#   slots               first_ plan_ stride_; slot: at_hand; magazine: capacity count never_out, and the stack behind it
#   growing_blocks      layout_ total_ in_use_ peak_ blocks_; debug level: layout_ frames_
#   paged_blocks        queues_ table_; page_queue: refused; address_table: places_ mask_ size_
#   page_state          tag links countdown linked capacity is_filled, and its constants
#   large_block         tag size
#   block               owner_ object_; shared_objects: blocks_
#   arena               source_; source: all but release and context
#   site, holder        all
#   violation           all but context
#
# Of the standard library: the pointer in std::shared_ptr; pointer and size in std::span.

import array
import functools
import re
import sys

import gdb
import gdb.printing
import gdb.types

COLUMNS = 64  # of a map
MOST_BLOCKS = 0xFFFF_FFFE  # of a pool, as in layout.hpp
MOST_MAPPED = 1 << 22  # blocks: larger pools get no map, which would take seconds
IN_USE, FREE, NEVER = b"#.-"


class Unreadable(Exception):
    """The memory does not hold what its type says."""


# ---- memory and types


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""


def byte_order():
    return "big" if "big endian" in gdb.execute("show endian", to_string=True) else "little"


def numbers(address, count, size):
    """`count` unsigned numbers of `size` bytes each."""
    found = array.array({1: "B", 2: "H", 4: "I", 8: "Q"}[size], read(address, count * size))
    if byte_order() != sys.byteorder:
        found.byteswap()
    return found


def fields_of(struct):
    """The offset and the size of each member, in bytes."""
    own = (field for field in struct.fields() if hasattr(field, "bitpos"))  # and none that are static
    return {field.name: (field.bitpos // 8, field.type.sizeof) for field in own}


def members_of(data, struct):
    """The unsigned numbers in the bytes of a struct, by name."""
    order = byte_order()
    return {name: int.from_bytes(data[at : at + size], order) for name, (at, size) in fields_of(struct).items()}


def object_at(address, of_type):
    pointer = of_type.pointer()
    value = gdb.Value(address & (1 << 8 * pointer.sizeof) - 1).cast(pointer).dereference()
    value.fetch_lazy()  # fails here, and not when it is printed
    return value


def member(value, *names):
    """The member that has one of these names: standard libraries differ."""
    for name in names[:-1]:
        try:
            return value[name]
        except gdb.error:
            pass
    return value[names[-1]]


def shared_by(pointer):
    """What a std::shared_ptr points to, of libstdc++ or of libc++."""
    return member(pointer, "_M_ptr", "__ptr_").dereference()


def elements(span):
    """The elements of a std::span, of libstdc++ or of libc++."""
    data, count = member(span, "_M_ptr", "__data_"), member(span, "_M_extent", "__size_")
    count = member(count, "_M_extent_value") if count.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT else count
    of_type = data.type.strip_typedefs().target()
    return [object_at(int(data + i), of_type) for i in range(min(int(count), 1000))]


def text_of(pointer):
    """A C string."""
    return pointer.string(encoding="utf-8", errors="replace") if int(pointer) else ""


def name_of_type(of_type):
    """The class, without its namespaces and arguments; and its inline namespace."""
    found = re.match(r"(fixpool::(?:\w+::)??)(?:detail::)?(\w+)(?:<|$)", gdb.types.get_basic_type(of_type).name or "")
    return (found.group(2), found.group(1)) if found else ("", "")


def level_of(of_type, argument=0):
    """What stands in front of a pool's name. 3 is the class that debug level derives from."""
    level = int(of_type.strip_typedefs().template_argument(argument))
    return {0: "unchecked ", 1: ""}.get(level, "debug ")


def name_of(reporter):
    """A pool's name, quoted, or nothing."""
    try:
        name = reporter["name_"].string(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
    return f' "{name}"' if name and name.isprintable() else ""


def enumerators(of_type):
    return {field.enumval: field.name.split("::")[-1] for field in of_type.strip_typedefs().fields()}


def plural(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# ---- what pools keep of their blocks


def map_of(marks, total):
    """A character per block, or per run of blocks in a large pool, as in census; and what the characters mean. Blocks
    behind the last mark were never handed out."""
    run = max(1, -(-total // COLUMNS))

    def character(marks):
        used = marks.count(IN_USE)
        return "#" if used == run else "+" if used else "." if FREE in marks else "-"

    line = "".join(character(marks[first : first + run]) for first in range(0, total - run + 1, run))
    if rest := total % run:
        run = rest  # the last character is of fewer blocks
        line += character(marks[total - rest :])
    legend = "# in use, . free, - never handed out"
    if total > COLUMNS:
        legend = f"{-(-total // COLUMNS)} blocks per character: # in use, + some in use, . free, - never handed out"
    return f"{line}  ({legend})"


class Blocks:
    """What a pool keeps of its blocks. All counts are in blocks."""

    total = 0
    in_use = peak = refused = None  # None: unknown
    drawn = 0  # blocks that `draw` marks: the others were never handed out
    live = None  # after `draw`: whether each of them has an object; None if only `marks` tells
    problem = ""  # after `draw`: what does not agree
    more = ""  # what else the summary says

    def lay_out(self, layout, base):
        self.total, self.stride = int(layout["block_count"]), int(layout["stride"])
        self.block_size, alignment = int(layout["block_size"]), int(layout["alignment"])
        self.base = int(base)
        is_power = alignment > 0 and alignment & (alignment - 1) == 0
        if not is_power or self.stride == 0 or self.stride % alignment or self.block_size > self.stride:
            raise Unreadable("its layout makes no sense")
        if self.total > MOST_BLOCKS or self.total * self.stride >= 1 << 63:
            raise Unreadable("its layout makes no sense")

    def disagree(self, problem):
        self.problem = self.problem or problem

    @functools.cached_property
    def marks(self):
        """A character per block, up to `drawn`; None if those are too many."""
        return self.draw() if self.drawn <= MOST_MAPPED else None

    def draw_list(self, carved, free):
        """The marks of blocks 0 to `drawn`, of which those above `carved` and those of a free list are free."""
        marks = bytearray([IN_USE] * carved + [FREE] * (self.drawn - carved))
        for index in free:
            if index is None or index >= carved:
                self.disagree("its free list has a block that was never handed out")
            elif marks[index] != IN_USE:
                self.disagree("its free list has a block twice")
            else:
                marks[index] = FREE
        return marks

    def read_states(self, states, of_type, marks):
        """The states of the blocks in use and of free ones, `marks` of which there are."""
        names = enumerators(of_type)
        names = [names.get(state) for state in states]
        self.live = [name in ("live", "given_up") for name in names]
        if not {"out_of_use", "live", "given_up"}.issuperset(names):
            self.disagree("a block's state was overwritten")
        elif any(is_live and mark != IN_USE for is_live, mark in zip(self.live, marks)):
            self.disagree("a block is free and in use")

    def objects(self):
        """The indices of the blocks that have an object."""
        if self.live is not None:
            return (index for index, is_live in enumerate(self.live) if is_live)
        return (index for index, mark in enumerate(self.marks or b"") if mark == IN_USE)

    def has_object(self, index):
        """Whether a block has one; None if unknown."""
        return None

    def address(self, index):
        return self.base + index * self.stride

    def index_of(self, address):
        index, rest = divmod(address - self.base, self.stride)
        return index if rest == 0 and 0 <= index < self.total else None

    def label(self, index):
        return f"[{index}]"

    def place(self, index):
        return f"{index} of {self.total}"

    def site(self, index):
        """Where a block in use was allocated; None if unknown."""
        return None


def is_live(state):
    """Whether a block_state, in the pool's memory, is of a block that has an object."""
    return enumerators(state.type).get(int(state)) in ("live", "given_up")


class FreeList(Blocks):
    """detail::free_list, of the levels checked and unchecked."""

    def __init__(self, kept):
        self.kept = kept
        self.lay_out(kept["layout_"], kept["base_"])
        self.entry = kept["bottom_"].type.target().strip_typedefs()
        self.is_checked = self.entry.code != gdb.TYPE_CODE_PTR
        fresh, rest = int(kept["fresh_"]), 0
        if self.is_checked:
            self.carved = fresh & 0xFFFF_FFFF
        else:
            self.carved, rest = divmod(fresh - self.base, self.stride)
        self.free, left = divmod(int(kept["top_"]) - int(kept["bottom_"]), self.entry.sizeof)
        peak = max(self.carved, int(kept["handed_out_"]))
        if rest or left or not 0 <= self.free <= self.carved <= peak <= self.total:
            self.disagree("its counters do not agree")
            return
        self.in_use, self.peak, self.refused = self.carved - self.free, peak, int(kept["refused_"])
        self.drawn = peak

    def index_in(self, entry):
        """The index of a block in a stack; None if it is none."""
        return entry if self.is_checked else self.index_of(entry)

    def draw(self):
        if self.drawn == 0:
            return b""
        end, *free = numbers(int(self.kept["bottom_"]), self.free + 1, self.entry.sizeof)
        if end != (0xFFFF_FFFF if self.is_checked else 0):
            self.disagree("the end of its free list was overwritten")
        marks = self.draw_list(self.carved, map(self.index_in, free))
        if self.is_checked:
            self.read_list_states(marks)
        return marks

    def read_list_states(self, marks):
        states = self.kept["states_"]
        self.read_states(read(int(states), self.carved), states.type.target(), marks)

    def has_object(self, index):
        if not self.is_checked or self.in_use is None:
            return None
        return index < self.carved and is_live(self.kept["states_"][index])


class SharedList(FreeList):
    """detail::shared_state: a free list, and magazines, which hold some of its free blocks."""

    def __init__(self, state):
        depot, slots = state["depot_"]["value_"], state["slots_"]
        super().__init__(depot["pool"]["list_"])
        self.magazines = []
        if self.in_use is None:
            return
        of_slot = slots.type.strip_typedefs().unqualified().name.replace("detail::slots<", "detail::slot<", 1)
        plan, first, stride = slots["plan_"], int(slots["first_"]), int(slots["stride_"])
        for i in range(min(int(plan["slots"]), 16)):
            magazine = object_at(first + i * stride, gdb.lookup_type(of_slot))["at_hand"]["value_"]
            if int(magazine["never_out"]) <= int(magazine["count"]) <= 2 * int(plan["size"]):
                self.magazines.append(magazine)
            else:
                self.disagree("a magazine was overwritten")
        self.in_use -= sum(int(magazine["count"]) for magazine in self.magazines)
        self.peak = int(depot["ever_out"]) - sum(int(magazine["never_out"]) for magazine in self.magazines)
        if self.in_use < 0:
            self.disagree("its counters do not agree")

    def draw(self):
        marks = super().draw()
        for magazine in self.magazines:
            stack = int(magazine.address) + magazine.type.sizeof
            for at, entry in enumerate(numbers(stack, int(magazine["count"]), self.entry.sizeof)):
                index = self.index_in(entry)
                if index is None or index >= len(marks):
                    self.disagree("a magazine has a block that was never handed out")
                else:
                    marks[index] = NEVER if at < int(magazine["never_out"]) else FREE
        return marks

    def read_list_states(self, marks):
        """They tell which blocks were in a magazine only. Handles do not change them."""
        states = self.kept["states_"]
        names = enumerators(states.type.target())
        for index, state in enumerate(read(int(states), self.drawn)):
            if index >= self.carved and names.get(state) == "fresh":
                marks[index] = NEVER

    def has_object(self, index):
        return None


class StaticList(Blocks):
    """detail::static_list."""

    def __init__(self, kept):
        self.kept = kept
        of_objects, count = (kept.type.strip_typedefs().template_argument(i) for i in (0, 1))
        self.total, self.block_size = int(count), of_objects.sizeof
        self.base, self.stride = int(kept["blocks_"].address), kept["blocks_"].type.sizeof // self.total
        self.carved, self.free = int(kept["carved_"]), int(kept["free_"])
        peak = max(self.carved, int(kept["handed_out_"]))
        if not self.free <= self.carved <= peak <= self.total:
            raise Unreadable("its counters do not agree")
        self.in_use, self.peak, self.refused = self.carved - self.free, peak, int(kept["refused_"])
        self.drawn = peak
        self.entry = kept["stack_"].type.target().strip_typedefs()
        self.is_checked = self.entry.code != gdb.TYPE_CODE_PTR

    def draw(self):
        free = numbers(int(self.kept["stack_"].address), self.free, self.entry.sizeof)
        marks = self.draw_list(self.carved, free if self.is_checked else map(self.index_of, free))
        if self.is_checked:
            states = self.kept["states_"]
            self.read_states(read(int(states.address), self.carved), states.type.target(), marks)
        return marks

    def has_object(self, index):
        return is_live(self.kept["states_"][index]) if self.is_checked else None


class DebugList(Blocks):
    """detail::debug_list: a record per block that was ever handed out."""

    def __init__(self, kept, namespace):
        self.lay_out(kept["blocks_"]["layout_"], kept["blocks_"]["base_"])
        self.metadata = int(kept["metadata_"])
        self.record = gdb.lookup_type(namespace + "detail::debug_record")
        carved, out, peak = int(kept["carved_"]), int(kept["out_"]), int(kept["peak_"])
        if not out <= peak <= carved <= self.total:
            self.disagree("its counters do not agree")
            return
        self.in_use, self.peak, self.refused, self.drawn = out, peak, int(kept["refused_"]), carved

    def record_of(self, index):
        return object_at(self.metadata + index * self.record.sizeof, self.record)

    def draw(self):
        members, size = fields_of(self.record), self.record.sizeof
        records = read(self.metadata, self.drawn * size)
        states, is_free = (records[members[name][0] :: size] for name in ("state", "is_free"))
        marks = bytearray(FREE if free else IN_USE for free in is_free)
        self.read_states(states, self.record["state"].type, marks)
        if marks.count(IN_USE) != self.in_use:
            self.disagree("its blocks' states do not agree with the number in use")
        return marks

    def has_object(self, index):
        return None if self.in_use is None else index < self.drawn and is_live(self.record_of(index)["state"])

    def site(self, index):
        record = self.record_of(index)
        return None if int(record["is_filled"]) else record["allocated_at"]


class Page:
    """detail::page_state."""

    ADDRESS, FRESH, LIVE, GIVEN_UP = ~0xFFF, 0x4000, 0x8000, 0x8001  # as there
    MOST = 8192  # blocks

    def __init__(self, kept):
        self.address = kept["tag"] & self.ADDRESS
        self.size_class = (kept["tag"] & ~self.ADDRESS) - 1
        self.capacity, self.linked, self.at_links = kept["capacity"], kept["linked"], kept["links"]
        self.out = self.capacity if kept["is_filled"] else kept["countdown"] & (self.LIVE - 1)
        if not (self.linked <= self.capacity <= self.MOST and self.out <= self.capacity):
            raise Unreadable("what is kept of a page was overwritten")

    @functools.cached_property
    def links(self):
        return numbers(self.at_links, self.linked, 2)

    def draw(self):
        marks = (IN_USE if link & self.LIVE else NEVER if link & self.FRESH else FREE for link in self.links)
        return bytes(marks).ljust(self.capacity, bytes([NEVER]))

    def has_object(self, number):
        return number < self.linked and self.links[number] in (self.LIVE, self.GIVEN_UP)


def entries_of(table):
    """The members of each entry of an address_table."""
    entry = table["places_"].type.target().strip_typedefs()
    count, size = int(table["mask_"]) + 1, int(table["size_"])
    if count & (count - 1) or count > MOST_MAPPED or size > count:
        raise Unreadable("its table makes no sense")
    data = read(int(table["places_"]), count * entry.sizeof)
    at, tag_size = fields_of(entry)["tag"]
    parts = (data[i : i + entry.sizeof] for i in range(0, len(data), entry.sizeof))
    found = [members_of(part, entry) for part in parts if any(part[at : at + tag_size])]
    if len(found) != size:
        raise Unreadable("its table makes no sense")
    return found


def pages_of(paged):
    """The pages of detail::paged_blocks, in order of addresses."""
    return sorted(map(Page, entries_of(paged["table_"])), key=lambda page: page.address)


class GrowingBlocks(Blocks):
    """detail::growing_blocks. Its pages have numbers in order of addresses, and blocks have numbers in their page."""

    front = 0  # bytes between the start of a frame and its block

    def __init__(self, kept):
        layout = {name: kept["layout_"][name] for name in ("block_size", "alignment", "stride")}
        self.lay_out({**layout, "block_count": 0}, 0)
        self.in_use, self.peak = int(kept["in_use_"]), int(kept["peak_"])
        self.refused = int(kept["blocks_"]["queues_"][0]["refused"])
        self.pages = pages_of(kept["blocks_"])
        self.more = ", " + plural(len(self.pages), "page")
        self.total = self.drawn = sum(page.capacity for page in self.pages)
        if self.total != int(kept["total_"]) or sum(page.out for page in self.pages) != self.in_use:
            self.disagree("its counters do not agree")

    def draw(self):
        marks = b"".join(page.draw() for page in self.pages)
        self.live = [page.has_object(number) for page in self.pages for number in range(page.capacity)]
        return marks

    def page_of(self, index):
        """The page of a block, the page's number, and the block's number in it."""
        for number, page in enumerate(self.pages):
            if index < page.capacity:
                return page, number, index
            index -= page.capacity
        raise IndexError(index)

    def has_object(self, index):
        page, _, at = self.page_of(index)
        return page.has_object(at)

    def address(self, index):
        page, _, at = self.page_of(index)
        return page.address + at * self.stride + self.front

    def index_of(self, address):
        before = 0
        for page in self.pages:
            index, rest = divmod(address - self.front - page.address, self.stride)
            if rest == 0 and 0 <= index < page.capacity:
                return before + index
            before += page.capacity
        return None

    def label(self, index):
        _, number, at = self.page_of(index)
        return f"[{number}][{at}]"

    def place(self, index):
        page, number, at = self.page_of(index)
        return f"{at} of {page.capacity} of page {number}"


class DebugGrowingBlocks(GrowingBlocks):
    """The same at debug level: each block lies in a frame, behind its record and a guard."""

    def __init__(self, kept, namespace):
        super().__init__(kept["frames_"])
        self.block_size, self.alignment = int(kept["layout_"]["block_size"]), int(kept["layout_"]["alignment"])
        self.record = gdb.lookup_type(namespace + "detail::debug_frame_record")
        gap, step = 16, max(16, self.alignment)  # as in debug_frame.hpp
        self.front = -(-(self.record.sizeof + gap) // step) * step

    def site(self, index):
        record = object_at(self.address(index) - self.front, self.record)
        return None if int(record["is_filled"]) else record["allocated_at"]


# ---- pools


class Pool:
    """A pool of any type, or what the copies of a shared pool share."""

    # By type: which argument is the level, and what has the list and the reporter, or is the state of a shared pool.
    PARTS = {
        "basic_memory_pool": (0, lambda pool: pool),
        "typed_pool": (1, lambda pool: pool["pool_"]),
        "basic_shared_memory_pool": (0, lambda pool: shared_by(pool["state_"])),
        "shared_pool": (1, lambda pool: shared_by(pool["objects_"])["blocks_"]),
        "shared_objects": (1, lambda objects: objects["blocks_"]),
        "static_pool": (2, lambda pool: pool),
        "basic_growing_pool": (0, lambda pool: pool),
        "growing_typed_pool": (1, lambda pool: pool["pool_"]),
    }

    def __init__(self, value):
        self.address = value.address
        kind, namespace = name_of_type(value.type)
        of_type = gdb.types.get_basic_type(value.type)
        level, part = self.PARTS[kind]
        self.objects = of_type.template_argument(0) if level else None  # their type
        self.title = level_of(of_type, level) + kind.replace("basic_", "").replace("_objects", "_pool")
        if level:
            self.title += f"<{self.objects}>"
        self.blocks, self.name, self.problem = None, "", ""
        try:
            state = part(value)
            is_shared = "depot_" in fields_of(gdb.types.get_basic_type(state.type))
            pool = state["depot_"]["value_"]["pool"] if is_shared else state
            self.name = name_of(pool["reporter_"])
            self.blocks = self.blocks_of(pool["list_"], state if is_shared else None, namespace)
        except (Unreadable, gdb.error, OverflowError, ValueError) as error:
            self.problem = str(error)

    @staticmethod
    def blocks_of(kept, shared_state, namespace):
        kind = name_of_type(kept.type)[0]
        if kind == "debug_list":
            return DebugList(kept, namespace)
        if kind == "static_list":
            return StaticList(kept)
        if kind == "growing_blocks":
            return DebugGrowingBlocks(kept, namespace) if level_of(kept.type) == "debug " else GrowingBlocks(kept)
        return FreeList(kept) if shared_state is None else SharedList(shared_state)

    def full_name(self):
        """Its type and its name, or its address if it has none."""
        return self.title + (self.name or f" at {hex(int(self.address))}")

    def summary(self):
        blocks, title = self.blocks, self.title + self.name
        if blocks is None:
            return f"{title}, not constructed or overwritten: {self.problem}"
        if blocks.total == 0 and not isinstance(blocks, GrowingBlocks):
            return f"{title}: no blocks, it was moved from"
        try:
            blocks.marks  # may find a problem
        except gdb.MemoryError as error:
            blocks.disagree(str(error))
        if blocks.problem:
            title += f", overwritten ({blocks.problem})"
        counts = plural(blocks.total, "block")
        if blocks.in_use is not None:
            counts = f"{blocks.in_use} of {counts} in use, peak {blocks.peak}, refused {blocks.refused}"
        return f"{title}: {counts}, block size {blocks.block_size}, stride {blocks.stride}{blocks.more}"

    def parts(self):
        blocks = self.blocks
        if blocks is None or blocks.total == 0 or blocks.in_use is None:
            return
        if blocks.marks is None:
            yield "map", f"left out, for more than {MOST_MAPPED} blocks were in use"
        else:
            yield "map", map_of(blocks.marks, blocks.total)
        for index in blocks.objects():
            if self.objects is not None:
                yield blocks.label(index), object_at(blocks.address(index), self.objects)
            elif (site := blocks.site(index)) is not None:
                yield blocks.label(index), site


# ---- printers


class Printer:
    """What all printers share. What cannot be read is said in words: no Python exception reaches the user."""

    def __init__(self, value):
        is_reference = value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF)
        self.value = value.referenced_value() if is_reference else value

    def to_string(self):
        try:
            return self.text()
        except Exception as error:
            return f"{name_of_type(self.value.type)[0]}, not readable: {error}"

    def children(self):
        try:
            yield from self.parts()
        except Exception as error:
            yield "not readable", str(error)

    def parts(self):
        return ()


class PoolPrinter(Printer):
    @functools.cached_property
    def pool(self):
        return Pool(self.value)

    def text(self):
        return self.pool.summary()

    def parts(self):
        return self.pool.parts()


class BlockPrinter(Printer):
    """block, whatever its pool is."""

    KINDS = {"shared_objects": "shared_block", "static_pool": "static_block", "growing_typed_pool": "growing_block"}

    def text(self):
        owner, address = self.value["owner_"], int(self.value["object_"])
        kind = self.KINDS.get(name_of_type(owner.type.target())[0], "block")
        if address == 0:
            return f"empty {kind}"
        pool = Pool(owner.dereference())
        if pool.blocks is None:
            return f"{kind} without a pool, not constructed or overwritten"
        index = pool.blocks.index_of(address)
        if index is None:
            return f"{kind} of no block in {pool.full_name()}"
        text = f"{kind} {pool.blocks.place(index)} in {pool.full_name()}"
        return text + ", which is not in use" if pool.blocks.has_object(index) is False else text

    def parts(self):
        if int(self.value["object_"]) != 0:
            yield "object", object_at(int(self.value["object_"]), self.value["object_"].type.target())


class ResourcePrinter(Printer):
    """basic_pool_resource."""

    @functools.cached_property
    def pages(self):
        return pages_of(self.value["blocks_"])

    @functools.cached_property
    def large(self):
        """The sizes of the large blocks, in bytes."""
        return [large["size"] for large in entries_of(self.value["large_"]["table_"])]

    @staticmethod
    def size_of_class(number):  # as in size_classes.hpp
        if number < 4:
            return 8 * (number + 1)
        if number < 10:
            return 16 * (number - 1)
        doubling, quarter = divmod(number - 10, 4)
        return (5 + quarter) * (32 << doubling)

    def text(self):
        title = level_of(gdb.types.get_basic_type(self.value.type)) + "pool_resource"
        try:
            title += name_of(self.value["reporter_"])
            out = sum(page.out for page in self.pages)
            pages, large = plural(len(self.pages), "page"), plural(len(self.large), "large block")
        except (Unreadable, gdb.error) as error:
            return f"{title}, not constructed or overwritten: {error}"
        return f"{title}: {plural(out, 'block')} in use, {pages}, {large}"

    def parts(self):
        try:
            all_pages, large = self.pages, self.large
        except (Unreadable, gdb.error):  # the text says so
            return
        for size_class in sorted({page.size_class for page in all_pages}):
            pages = [page for page in all_pages if page.size_class == size_class]
            total, out = (sum(counts) for counts in zip(*((page.capacity, page.out) for page in pages)))
            drawn = map_of(b"".join(page.draw() for page in pages), total)
            yield f"stride {self.size_of_class(size_class)}", f"{out} of {plural(total, 'block')} in use, map {drawn}"
        if large:
            yield "large", f"{plural(len(large), 'block')}, {plural(sum(large), 'byte')}"


def place_of(site):
    """Where a site is: its line, or what GDB knows of its code address. "" if unknown."""
    address = int(site["address"])
    if int(site["file"]):
        return f"{text_of(site['file'])}:{int(site['line'])}"
    found = gdb.find_pc_line(address) if address else None
    if found is not None and found.symtab is not None:
        return f"{found.symtab.filename}:{found.line}"
    return hex(address) if address else ""


class SitePrinter(Printer):
    def text(self):
        place = place_of(self.value) or "unknown place"
        function, block = text_of(self.value["function"]), gdb.block_for_pc(int(self.value["address"]))
        if not function and block is not None and block.function is not None:
            function = str(block.function)
        return f"{place} in {function}" if function else place


class HolderPrinter(Printer):
    def text(self):
        return f"{int(self.value['blocks'])} allocated at {place_of(self.value['where']) or 'an unknown place'}"


class ViolationPrinter(Printer):
    """The sentence of detail::describe or, at debug level, of detail::describe_debug, and who holds blocks. Code
    addresses are lines here, as far as GDB knows them."""

    DEEDS = {
        "double_free": "double free of block ",
        "not_allocated": "not allocated: block ",
        "foreign_pointer": "foreign pointer ",
        "misaligned_pointer": "misaligned pointer ",
        "write_after_free": "write after free in block ",
        "buffer_overflow": "buffer overflow of block ",
        "leak": "leak of ",
        "pool_destroyed_with_live_blocks": "pool destroyed with ",
        "corrupted_pool": "corrupted pool at ",
        "size_mismatch": "size mismatch: block ",
        "still_owned": "still owned: block ",
    }

    def text(self):
        value = self.value
        kind = enumerators(value["kind"].type).get(int(value["kind"]))
        if kind is None:
            return "violation, not constructed or overwritten"
        address, total, live = int(value["address"]), int(value["total_blocks"]), int(value["live_blocks"])
        line = "fixpool: " + self.DEEDS[kind]
        if kind in ("leak", "pool_destroyed_with_live_blocks"):
            line += plural(live, "block" if kind == "leak" else "live block")
            if address:
                line += ", " if live == 1 else ", the first "
        if address:
            line += hex(address)
        index, npos = int(value["index"]), (1 << 8 * value["index"].type.sizeof) - 1
        of = f"of {total}" if index == npos else f"{index} of {total}"
        if kind == "foreign_pointer":
            of = f"none of the {total} blocks"
        elif kind == "misaligned_pointer":
            of = f"inside {of}"
        name = text_of(value["pool_name"])
        line += f" ({of}) in pool " + (f'"{name}"' if name else hex(int(value["pool"])))
        problem = text_of(value["problem"])
        problem = f": {problem}" if problem else ""
        return line + problem + self.debug_part(kind) if int(value["print"]) else line + self.sites() + problem

    def sites(self):
        text = ""
        for deed in ("allocated", "released"):
            if place := place_of(self.value[deed + "_at"]):
                text += f"{', ' if text else '; '}{deed} at {place}"
        return text

    def debug_part(self, kind):
        value, text = self.value, ""
        if kind in ("write_after_free", "buffer_overflow"):
            text = f": byte {int(value['offset'])} is {hex(int(value['byte']))}"
        holders = elements(value["holders"])
        if len(holders) > 1 or int(value["allocation"]) == 0:
            return text
        text += self.sites()
        if holders:
            return text
        text += self.both("; operation", "allocation", "release")
        return text + self.both(", thread", "allocated_by", "released_by")

    def both(self, noun, first, second):
        one, other = int(self.value[first]), int(self.value[second])
        return f"{noun} {one}" if other in (0, one) else f"{noun}s {one} and {other}"

    def parts(self):
        return ((f"[{number}]", holder) for number, holder in enumerate(elements(self.value["holders"])))


class ArenaPrinter(Printer):
    FUNCTIONS = {
        "fetch_from_heap": "operator new",
        "fetch_from_resource": "a memory_resource",
        "fetch_pages": "the system",
    }

    def text(self):
        source = self.value["source_"]
        fetch, size = int(source["fetch"]), int(source["blocks_size"])
        alignment = int(source["alignment"])
        if size >= 1 << 63 or alignment & (alignment - 1):
            return "arena, not constructed or overwritten"
        where = f"{plural(size, 'byte')} at {hex(int(source['blocks']))}"
        if fetch:
            block = gdb.block_for_pc(fetch)
            name = str(block.function) if block is not None and block.function is not None else hex(fetch)
            name = re.sub(r"\(.*", "", name).split("::")[-1]
            return f"arena of {where if size else 'memory'} from {self.FUNCTIONS.get(name, name)}"
        if int(source["is_apart"]):
            return f"arena of {where}, and {int(source['metadata_size'])} at {hex(int(source['metadata']))}, lent"
        return f"arena of {where}, lent" if size else "arena of no bytes"


def printers():
    found = gdb.printing.RegexpCollectionPrettyPrinter("fixpool")
    pools = "|".join(name for name in Pool.PARTS if name != "shared_objects")
    for name, pattern, printer in (
        ("pool", pools, PoolPrinter),
        ("block", "block", BlockPrinter),
        ("pool_resource", "basic_pool_resource", ResourcePrinter),
        ("violation", "violation", ViolationPrinter),
        ("site", "site", SitePrinter),
        ("holder", "holder", HolderPrinter),
        ("arena", "arena", ArenaPrinter),
    ):
        found.add_printer(name, rf"^fixpool::(\w+::)?({pattern})(<.*>)?$", printer)
    return found


gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)
