# SPDX-License-Identifier: BSL-1.0
"""What report, compare and documents share: they build programs, run them, and read what suite measured."""
import collections
import concurrent.futures
import glob
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(BENCH)
RECORDED = sorted(glob.glob(os.path.join(ROOT, "examples", "traces", "*.trace")))
FIVE = ["trace/" + os.path.basename(file)[: -len(".trace")] for file in RECORDED]
# jemalloc keeps much in static thread-local storage, more than glibc leaves free for libraries that are loaded later.
# tcmalloc would move the end of glibc's heap.
ENVIRONMENT = dict(os.environ, GLIBC_TUNABLES="glibc.rtld.optional_static_tls=16384", TCMALLOC_SKIP_SBRK="1")
# What the preset bench hands to the compiler, but for warnings: an older library may have some.
CXX = [*shlex.split(os.environ.get("CXX", "g++")), "-std=c++20", "-O3", "-DNDEBUG"]

Library = collections.namedtuple("Library", "name include folder")  # the folder is for what is built against it


def die(text):
    sys.exit(f"\n{os.path.basename(sys.argv[0])}: {text}")


def run(*command, folder=None):
    """Standard output and standard error of a command; ends the script where it fails."""
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if result.returncode != 0:
        die(f"{shlex.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout, result.stderr


def matcher(option, regex):
    """The compiled regular expression of a command line; ends the script where it is none."""
    try:
        return re.compile(regex)
    except re.error as error:
        die(f"{option} {regex}: {error}")


class Progress:
    """Says on standard error what is done next, and how long the rest will take."""

    def __init__(self, steps):
        self.steps, self.done, self.start = steps, 0, time.monotonic()

    def next(self, what):
        took = time.monotonic() - self.start
        left = f", about {took / self.done * (self.steps - self.done):.0f} s left " if self.done else ""
        print(f"\r{what} {took:4.0f} s{left}", end="", file=sys.stderr)
        self.done += 1


def working_tree():
    return Library("working tree", os.path.join(ROOT, "include"), os.path.join(ROOT, "build", "compare", "tree"))


def library_of(revision):
    """The library of a git revision, taken into build/compare."""
    commit = run("git", "rev-parse", "--verify", "--short=12", revision + "^{commit}", folder=ROOT)[0].strip()
    folder = os.path.join(ROOT, "build", "compare", commit)
    os.makedirs(folder, exist_ok=True)
    archive = os.path.join(folder, "include.tar")
    run("git", "archive", "--output", archive, commit, "include", folder=ROOT)
    run("tar", "-xf", archive, "-C", folder)
    return Library(commit, os.path.join(folder, "include"), folder)


def build_against(libraries, name, *linked):
    """Builds bench/NAME.cpp of the working tree against each of the libraries. Returns the programs."""
    print(f"building {name}", file=sys.stderr)

    def build(library):
        os.makedirs(library.folder, exist_ok=True)
        program = os.path.join(library.folder, name)
        run(*CXX, "-I" + library.include, os.path.join(BENCH, name + ".cpp"), "-o", program, *linked)
        return program

    with concurrent.futures.ThreadPoolExecutor() as executor:
        return list(executor.map(build, libraries))


def benchmarks(suite, traces):
    """{workload: [contenders]} of a program suite, in order."""
    found = collections.defaultdict(list)
    for name in run(suite, *traces, "--benchmark_list_tests")[0].splitlines():
        workload, contender = name.removesuffix("/real_time").rsplit("/", 1)
        found[workload].append(contender)
    return dict(found)


def play(suite, traces, workload, contenders, repetitions, is_quick):
    """{contender: [ns per operation]} of one process, and what it said. Of several repetitions each contender's first
    one is left out: some still take memory from the system."""
    escaped = re.sub(r"([^\w/ -])", r"\\\1", workload)
    output, said = run(suite, *traces, f"--benchmark_filter=^{escaped}/({'|'.join(contenders)})/real_time$",
                       "--benchmark_format=json", "--benchmark_enable_random_interleaving=true",
                       f"--benchmark_repetitions={repetitions}", f"--benchmark_min_time={0.001 if is_quick else 0.005}")
    taken = collections.defaultdict(list)
    for line in json.loads(output)["benchmarks"]:
        if line.get("error_occurred"):
            die(f"{line['name']}: {line['error_message']}")
        if line["run_type"] == "iteration" and (repetitions == 1 or line["repetition_index"] > 0):
            contender = line["run_name"].removesuffix("/real_time").rsplit("/", 1)[1]
            taken[contender].append(1e9 / line["items_per_second"])
    return dict(taken), said


def quietest_medians(rounds):
    """{what: median} of the round whose geometric mean over all that was measured is the lowest."""
    medians = [{what: statistics.median(values) for what, values in one.items()} for one in rounds]
    return min(medians, key=lambda one: statistics.geometric_mean(one.values()))


def fastest(rounds):
    """{what: ns per operation} of the fastest repetitions of all rounds."""
    return {what: min(min(one[what]) for one in rounds) for what in rounds[0]}


def is_cold(workload):
    """Whether blocks are used again in an order of their own, and have left the second cache by then."""
    pattern = workload.split("/")[0]
    return workload in ("trace/xmllint-128", "trace/jq-272") or (
        pattern in ("shuffled", "churn") and workload.endswith(("/L3", "/none")))


def table(header, rows):
    """A Markdown table; all columns but the first are right-aligned."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
