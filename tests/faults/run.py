#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Plants the faults of faults.txt into copies of the headers, one at a time. Each must make a test fail.

The tests that are nearest to the header come first, the whole suite comes last. The compiler is CXX, or g++; clang++ for
what only MemorySanitizer finds.
"""
import argparse
import html
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

WORKERS = 2
TIMEOUT = 40  # seconds; the longest test takes some ten

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "faults"

# The tests of each header, which run first. A name is a file of tests, or the start of other tests' names (see Tree.nearest).
NEAREST = {
    "arena": ["arena", "moves"],
    "arenas": ["arenas"],
    "block": ["block", "typed_pool", "shared_pool"],
    "checking": ["memory_pool", "debug"],
    "detail/address_table": ["detail/address_table", "detail/paged_blocks", "pool_resource"],
    "detail/debug_bytes": ["debug", "address sanitizer: .*, debug"],
    "census": ["census"],
    "detail/debug_frame": ["detail/debug_frame", "detail/debug_growing_pool", "address sanitizer: growing_.*, debug"],
    "detail/debug_growing_blocks": ["detail/debug_growing_pool", "memcheck: growing_", "address sanitizer: growing_.*, debug"],
    "detail/debug_growing_pool": ["detail/debug_growing_pool", "sites: "],
    "detail/debug_page_report": ["detail/debug_growing_pool", "debug death: growing_"],
    "detail/debug_list": ["debug", "audit", "random_walk", "census", "memcheck: ", "address sanitizer: .*, debug"],
    "detail/debug_memory_pool": ["debug", "moves", "random_walk"],
    "detail/debug_platform": ["debug", "debug death: ", "sites: ", "memcheck: ", "address sanitizer: .*, debug"],
    "detail/debug_record": ["debug"],
    "detail/debug_report": ["debug", "debug death: "],
    "detail/debug_shared_memory_pool": ["debug", "model"],
    "detail/debug_state": ["debug", "audit", "model", "failures", "under_tsan"],
    "detail/depot": ["model", "detail/shared_state", "order"],
    "detail/finding": ["audit", "debug"],
    "detail/free_list": ["detail/free_list", "order", "memory_pool", "moves", "exhaustive", "typed_pool", "stats", "arena", "address sanitizer: .*checked$"],
    "detail/guarded_blocks": ["debug", "audit", "layout", "address sanitizer: .*, debug"],
    "detail/large_blocks": ["pool_resource", "detail/debug_pool_resource"],
    "detail/frame_pages": ["detail/debug_pool_resource"],
    "detail/debug_pool_resource": ["detail/debug_pool_resource", "pool_resource", "pool_allocator", "memcheck: ", "address sanitizer: .*, debug"],
    "detail/list_audit": ["audit", "census"],
    "detail/object": ["typed_pool", "refused"],
    "detail/page_state": ["detail/size_classes", "detail/paged_blocks", "pool_resource"],
    "detail/paged_blocks": ["pool_resource", "detail/paged_blocks", "growing_pool", "address sanitizer: resource_.*, checked$"],
    "detail/platform": ["detail/platform"],
    "detail/block_marks": ["shared_memory_pool", "shared_pool", "magazines", "under_tsan", "interleavings: quick"],
    "detail/block_numbers": ["shared_memory_pool", "shared_pool"],
    "detail/list_batches": ["detail/shared_state", "order", "shared_memory_pool", "interleavings: quick", "address sanitizer: .*checked$"],
    "detail/magazine": ["detail/magazine", "interleavings: quick", "magazines", "shared_pool", "shared_memory_pool"],
    "detail/shared_state": ["detail/shared_state", "model", "interleavings: quick", "shared_pool", "shared_memory_pool", "order", "under_tsan", "audit", "address sanitizer: .*checked$"],
    "detail/system_memory": ["arenas", "without exceptions: "],
    "detail/size_classes": ["detail/size_classes", "pool_resource"],
    "detail/threads": ["detail/shared_state", "shared_pool", "magazines", "under_tsan"],
    "detail/text_line": ["violation", "memory_pool"],
    "exhausted": ["memory_pool", "debug"],
    "detail/attempt": ["growing_pool", "without exceptions: "],
    "detail/growing_blocks": ["growing_pool", "detail/debug_growing_pool"],
    "detail/page_audit": ["growing_pool"],
    "detail/page_limits": ["growing_pool"],
    "detail/page_memory": ["growing_pool", "detail/paged_blocks", "pool_resource"],
    "detail/page_report": ["growing_pool", "pool_resource", "detail/debug_growing_pool"],
    "growing_pool": ["growing_pool", "death: "],
    "layout": ["layout", "arena", "detail/free_list", "memory_pool", "address sanitizer: .*, debug"],
    "memory_pool": ["memory_pool", "moves", "order", "typed_pool", "stats", "arena", "debug", "audit"],
    "options": ["memory_pool", "address sanitizer: .*checked$"],
    "pool_allocator": ["pool_allocator", "address sanitizer: resource_.*, checked$"],
    "pool_resource": ["pool_resource", "pool_allocator", "standard/promises", "death: resource_"],
    "release_status": ["memory_pool"],
    "shared_memory_pool": ["shared_memory_pool"],
    "shared_pool": ["shared_pool", "under_tsan", "typed_pool", "foreign_names", "debug"],
    "detail/static_list": ["static_pool", "bss: ", "address sanitizer: static.*checked$"],
    "static_pool": ["static_pool", "bss: ", "refused", "foreign_names"],
    "stats": ["stats"],
    "typed_pool": ["typed_pool", "order", "foreign_names", "debug", "refused", "death: "],
    "version": ["version"],
    "violation": ["violation", "audit", "death: ", "debug death: "],
}
FILES = sorted({name for names in NEAREST.values() for name in names if ": " not in name} - {"under_tsan", "refused"})

# Builds each file of tests as a separate program. One target has the programs that run in many processes.
ALONE = """
add_library(alone OBJECT EXCLUDE_FROM_ALL support/heap.cpp)
target_link_libraries(alone PRIVATE fixpool::fixpool Catch2::Catch2WithMain)
target_compile_definitions(alone PUBLIC FIXPOOL_PACKAGE_VERSION="${PROJECT_VERSION}")
target_precompile_headers(alone PRIVATE support/catch.hpp)
set_target_properties(alone PROPERTIES CXX_EXTENSIONS OFF)
foreach(name IN ITEMS """ + " ".join(FILES) + """)
    string(MAKE_C_IDENTIFIER "alone_${name}" target)
    add_executable(${target} EXCLUDE_FROM_ALL ${name}.cpp)
    target_link_libraries(${target} PRIVATE alone fixpool::fixpool Catch2::Catch2WithMain)
    target_precompile_headers(${target} REUSE_FROM alone)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endforeach()
add_executable(alone_under_tsan EXCLUDE_FROM_ALL shared_pool.cpp shared_memory_pool.cpp support/heap.cpp)
target_link_libraries(alone_under_tsan PRIVATE fixpool::fixpool Catch2::Catch2WithMain)
target_compile_options(alone_under_tsan PRIVATE -fsanitize=thread)
target_link_options(alone_under_tsan PRIVATE -fsanitize=thread)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")  # as for fixpool_tests
    target_link_options(alone_under_tsan PRIVATE --driver-mode=gcc)
    target_link_libraries(alone_under_tsan PRIVATE stdc++ m)
endif()
set_target_properties(alone_under_tsan PROPERTIES CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
get_property(deaths DIRECTORY deaths PROPERTY BUILDSYSTEM_TARGETS)
get_property(sanitized DIRECTORY sanitized PROPERTY BUILDSYSTEM_TARGETS)
add_custom_target(processes DEPENDS ${deaths} ${sanitized})
add_custom_target(nothing)
"""
# The target to build for a test that a hint names.
TARGETS = {"death": "deaths", "debug death": "debug_deaths", "without exceptions": "without_exceptions", "address sanitizer": "sanitized_address", "memcheck": "memchecked",
           "interleavings": "interleavings_shared_state"}
PROCESSES = "^(death: |debug death: |sites: |bss: |without exceptions: |[a-z]+ sanitizer: )"
REFUSED = "^(accepted: |refused: |headers: no warnings)"
# Tests that are left out. Some compare files or count lines, and would notice any change. Patches may not fit any more.
# Slow tests are left out if another test is a part of them.
BLIND = ["-LE", "package|planted", "-E", "^(headers: layers|readme: |guide: |pages: |prose: |reference: |interleavings: shared_state$)"]


class Broken(Exception):
    """No verdict on the tests: some faults do not fit their headers, or a fault does not compile."""


class Fault:
    """`changes` are pairs of texts: the old one, in the header, and the new one. `hint` is the test to try first."""

    def __init__(self, header, what, changes, hint):
        self.header, self.what, self.changes, self.hint = header, what, changes, hint

    def nearest(self):
        """The tests to run first, as names for Tree.nearest."""
        names = NEAREST.get(self.header.removesuffix(".hpp"), [])
        return ([self.hint] if self.hint else []) + [name for name in names if name != self.hint]

    def misfit(self):
        """The old texts that are not in the header exactly once, or ""."""
        text = (ROOT / "include" / "fixpool" / self.header).read_text()
        return "\n".join(f"{self.header}: {self.what}: this stands there {text.count(old)} times, not once: {old}"
                         for old, _ in self.changes if text.count(old) != 1)

    def planted_in(self, text):
        for start, old, new in sorted(((text.index(old), old, new) for old, new in self.changes), reverse=True):
            text = text[:start] + new + text[start + len(old):]
        return text


def read_faults(path):
    faults = []
    for paragraph in path.read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        header, what = lines[0].split(": ", 1)
        hint = lines.pop(1)[2:] if lines[1].startswith("? ") else None
        changes = []
        last = ""
        for line in lines[1:]:
            sign, text = line[0], line[2:]
            if sign + last in ("-", "-+"):
                changes.append(([], []))
            changes[-1]["-+".index(sign)].append(text)
            last = sign
        faults.append(Fault(header, what, [("\n".join(old), "\n".join(new)) for old, new in changes], hint))
    return faults


def run(command, timeout=None, **options):
    """Returns the exit status and the output. The status is None if the command was killed after `timeout` seconds."""
    try:
        done = subprocess.run(command, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")


class Tree:
    """A copy of the sources, and a build of it. Its functions return the test that failed, or None."""

    def __init__(self, name):
        self.sources, self.build = BUILD / name / "sources", BUILD / name / "build"
        shutil.rmtree(BUILD / name, ignore_errors=True)
        shutil.copytree(ROOT, self.sources, ignore=shutil.ignore_patterns("build*", ".git", "traces"))
        with open(self.sources / "tests" / "CMakeLists.txt", "a") as lists:
            lists.write(ALONE)
        # Without warnings: code that a fault makes useless is no error.
        status, printed = run(["cmake", "-S", self.sources, "-B", self.build, "-G", "Ninja",
                               "-DCMAKE_CXX_COMPILER=" + os.environ.get("CXX", "g++"), "-DCMAKE_BUILD_TYPE=Debug",
                               "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -w -Wno-narrowing", "-DFIXPOOL_BUILD_EXAMPLES=OFF"])
        if status != 0:
            raise Broken(printed)

    def made(self, targets, jobs=1):
        """Builds `targets`. Returns None, or what refuses one: our static_assert or constinit, or foreign_names.cpp."""
        status, printed = run(["cmake", "--build", self.build, "--target", *targets, "--", f"-j{jobs}"])
        if status == 0:
            return None
        refusal = re.search(r"/(?:tests|include)/(\S+?):(\d+):.*(static.assert|error: .*greedy::|does not have a constant initializer)", printed)
        if refusal is None:
            raise Broken("does not compile:\n" + printed)
        what = "foreign name" if "greedy" in refusal[3] else "constinit" if "constant" in refusal[3] else "static_assert"
        return f"{what} in {refusal[1]}, line {refusal[2]}"

    @staticmethod
    def target(name):
        return "alone_" + re.sub(r"\W", "_", name)

    def alone(self, name):
        target = self.target(name)
        refusal = self.made([target])
        if refusal is not None:
            return refusal
        status, printed = run([self.build / target, "--abort", "-r", "xml"], TIMEOUT)
        tests = re.findall('<TestCase name="([^"]*)"', printed)
        if status == 0:
            return None
        if not tests:
            raise Broken(f"{target} does not start:\n{printed}")
        if "ThreadSanitizer" in printed:
            return "ThreadSanitizer in " + html.unescape(tests[-1])
        return ("hangs: " if status is None else "") + html.unescape(tests[-1])

    def by_ctest(self, target, *options, jobs=1):
        refusal = self.made([target], jobs)
        if refusal is not None:
            return refusal
        command = ["ctest", *BLIND, "--stop-on-failure", "--timeout", str(TIMEOUT), f"-j{jobs}", *options]
        status, printed = run(command, cwd=self.build)
        if status == 0:
            return None
        failed = re.search(r" Test +#\d+: (.*?) \.*(?:Subprocess aborted)?\*\*\*(\S+)", printed)
        if failed is None:
            raise Broken("ctest fails:\n" + printed)
        return ("hangs: " if failed[2] == "Timeout" else "") + failed[1]

    def under_msan(self, test):
        """Runs the test of that name. Uses clang++, because only Clang has MemorySanitizer."""
        program = self.build / "under_msan"
        status, printed = run(["clang++", "-std=c++20", "-w", "-O1", "-fsanitize=memory", "-I", self.sources / "include",
                               self.sources / "tests" / "sanitized" / "debug.cpp", "-o", program])
        if status != 0:
            raise Broken(f"{test} does not compile:\n{printed}")
        _, printed = run([program, re.fullmatch("memory sanitizer: (.*), debug", test)[1]], TIMEOUT)
        return None if "MemorySanitizer: use-of-uninitialized-value" in printed else test

    def nearest(self, name):
        """`name` is a file of tests, or the start of the names of tests that are separate programs."""
        if name == "refused":
            return self.by_ctest("nothing", "-R", REFUSED)
        if name.startswith("memory sanitizer: "):
            return self.under_msan(name)
        if ": " in name:
            target = "sanitized_debug" if name.endswith(", debug") else TARGETS.get(name.split(": ")[0], "nothing")
            return self.by_ctest(target, "-R", "^" + name)
        return self.alone(name)

    def among_all(self, jobs=1):
        return self.by_ctest("processes", "-R", PROCESSES, jobs=jobs) or self.by_ctest("all", jobs=jobs)

    def failing_test_without_fault(self, faults):
        """Runs the tests that are nearest to one of the faults."""
        names = sorted({name for fault in faults for name in fault.nearest()})
        self.made([self.target(name) for name in names if name in FILES] or ["nothing"], WORKERS)
        for name in names:
            if (test := self.nearest(name)) is not None:
                return test
        return None

    def try_out(self, fault):
        header = self.sources / "include" / "fixpool" / fault.header
        good = header.read_text()
        header.write_text(fault.planted_in(good))
        try:
            for name in fault.nearest():
                if (test := self.nearest(name)) is not None:
                    return test
            test = self.among_all()
        finally:
            header.write_text(good)  # newer than everything that was built from the fault
        # The whole suite is slow. So it is run without the fault only now, when its verdict counts.
        if test is not None and (failed := self.among_all()) is not None:
            raise Broken("without any fault there fails: " + failed)
        return test


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--list", action="store_true", help="print the faults and plant none")
    options.add_argument("--only", metavar="REGEX", default="", help="the faults whose header or words match REGEX")
    options.add_argument("--share", metavar="K/N", default="0/1", help="of N equal parts of these, in their order, part K modulo N")
    wish = options.parse_args()
    started = time.monotonic()
    faults = [f for f in read_faults(HERE / "faults.txt") if re.search(wish.only, f"{f.header}: {f.what}")]
    misfits = [why for fault in faults if (why := fault.misfit())]
    share, shares = map(int, wish.share.split("/"))
    share %= shares
    faults = faults[len(faults) * share // shares:len(faults) * (share + 1) // shares]  # neighbours have the same tests
    if wish.list:
        for fault in faults:
            print(f"{fault.header}: {fault.what}")
        return 0
    if not faults:
        raise Broken(f"no fault matches: {wish.only}")
    if misfits:
        raise Broken("\n".join(misfits))

    os.environ["FIXPOOL_TEST_LENGTH"] = "4"
    os.environ["TSAN_OPTIONS"] = "halt_on_error=1"
    trees = queue.SimpleQueue()
    for worker in range(WORKERS):
        trees.put(Tree(str(worker)))
    tree = trees.get()
    failed = tree.failing_test_without_fault(faults)
    trees.put(tree)
    if failed is not None:
        raise Broken("without any fault there fails: " + failed)
    print(f"without a fault all of their tests pass ({time.monotonic() - started:.0f} s)", flush=True)

    count = {"found": 0, "not found": 0, "broken": 0}
    missed = []
    printing = threading.Lock()

    def try_out(fault):
        tree = trees.get()
        began = time.monotonic()
        try:
            test = tree.try_out(fault)
            end, verdict = ("not found", "NOT FOUND") if test is None else ("found", f"found by: {test}")
        except Broken as why:
            end, verdict = "broken", f"BROKEN: {why}"
        finally:
            trees.put(tree)
        with printing:
            count[end] += 1
            if end != "found":
                missed.append(f"{end}: {fault.header}: {fault.what}")
            print(f"{sum(count.values())}/{len(faults)} {fault.header}: {fault.what}: {verdict} "
                  f"({time.monotonic() - began:.0f} s)", flush=True)

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(try_out, faults))
    print("".join(line + "\n" for line in missed), end="")
    print(f"{len(faults)} faults, " + ", ".join(f"{n} {end}" for end, n in count.items() if n > 0 or end != "broken") +
          f" ({time.monotonic() - started:.0f} s)")
    return 0 if count["found"] == len(faults) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as why:
        sys.exit(f"run.py: {why}")
