# SPDX-License-Identifier: BSL-1.0
"""What report, compare and documents share: building programs, running them, and reading what suite measured."""
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
# jemalloc needs more static thread-local storage than glibc leaves free for libraries that are loaded later.
# Without TCMALLOC_SKIP_SBRK, tcmalloc moves the end of glibc's heap.
ENVIRONMENT = dict(os.environ, GLIBC_TUNABLES="glibc.rtld.optional_static_tls=16384", TCMALLOC_SKIP_SBRK="1")
# As the preset bench compiles, but without warnings: an older library may cause some.
CXX = [*shlex.split(os.environ.get("CXX", "g++")), "-std=c++20", "-O3", "-DNDEBUG"]

Library = collections.namedtuple("Library", "name include folder")  # programs that use it are built in the folder


def die(text):
    sys.exit(f"\n{os.path.basename(sys.argv[0])}: {text}")


def run(*command, folder=None):
    """Returns standard output and standard error of a command. Ends the script if it fails."""
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if result.returncode != 0:
        die(f"{shlex.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout, result.stderr


def matcher(option, regex):
    """Compiles the regular expression of an option. Ends the script if it is not one."""
    try:
        return re.compile(regex)
    except re.error as error:
        die(f"{option} {regex}: {error}")


class Progress:
    """Prints to standard error what is done next, and how long the rest will take."""

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
    """The library of a git revision, extracted into build/compare."""
    commit = run("git", "rev-parse", "--verify", "--short=12", revision + "^{commit}", folder=ROOT)[0].strip()
    folder = os.path.join(ROOT, "build", "compare", commit)
    os.makedirs(folder, exist_ok=True)
    archive = os.path.join(folder, "include.tar")
    run("git", "archive", "--output", archive, commit, "include", folder=ROOT)
    run("tar", "-xf", archive, "-C", folder)
    return Library(commit, os.path.join(folder, "include"), folder)


def build_against(libraries, name, *linked):
    """Builds bench/NAME.cpp of the working tree against each library. Returns the programs."""
    print(f"building {name}", file=sys.stderr)

    def build(library):
        os.makedirs(library.folder, exist_ok=True)
        program = os.path.join(library.folder, name)
        run(*CXX, "-I" + library.include, os.path.join(BENCH, name + ".cpp"), "-o", program, *linked)
        return program

    with concurrent.futures.ThreadPoolExecutor() as executor:
        return list(executor.map(build, libraries))


def benchmarks(suite, traces):
    """{workload: [contenders]} of the program `suite`, in order."""
    found = collections.defaultdict(list)
    for name in run(suite, *traces, "--benchmark_list_tests")[0].splitlines():
        workload, contender = name.removesuffix("/real_time").rsplit("/", 1)
        found[workload].append(contender)
    return dict(found)


def play(suite, traces, workload, contenders, repetitions, is_quick):
    """Runs one process. Returns {contender: [ns per operation]}, and what the process printed to standard error.

    Of several repetitions, each contender's first one is left out: some still take memory from the system in it."""
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
    """{what: median} of the quietest round: that with the lowest geometric mean over all medians."""
    medians = [{what: statistics.median(values) for what, values in one.items()} for one in rounds]
    return min(medians, key=lambda one: statistics.geometric_mean(one.values()))


def fastest(rounds):
    """{what: ns per operation} of the fastest repetition in all rounds."""
    return {what: min(min(one[what]) for one in rounds) for what in rounds[0]}


PATTERNS = ["lifo", "fifo", "shuffled", "churn"]
PAGE = 4096  # bytes: blocks of this size are a kind of their own, since page faults decide what they cost
# Kinds of workloads, and their titles in a plot.
KINDS = {
    "programs": "recorded\nprograms",
    "warm": "8 to 256 B,\nin the L2 cache",
    "ordered": "8 to 256 B, beyond\nL2, in order",
    "cold": "8 to 256 B, beyond\nL2, random order",
    "pages": "4096 B,\nall patterns",
}


def block_size(workload):
    """In bytes; 0 for a recorded program."""
    return 0 if workload.startswith("trace/") else int(workload.split("/")[1])


def kind(workload):
    """One of KINDS; None for a recorded program that is not in the repository."""
    if workload.startswith("trace/"):
        return "programs" if workload in FIVE else None
    if block_size(workload) == PAGE:
        return "pages"
    if not workload.endswith(("/L3", "/none")):
        return "warm"
    return "ordered" if workload.startswith(("lifo/", "fifo/")) else "cold"


def by_kind(workloads):
    """{kind: [workloads]}, of those kinds that there are, in the order of KINDS."""
    found = {one: [workload for workload in workloads if kind(workload) == one] for one in KINDS}
    return {one: names for one, names in found.items() if names}


def is_cold(workload):
    """Whether blocks have left the second cache when they are used again, in another order than that of their addresses."""
    pattern = workload.split("/")[0]
    return workload in ("trace/xmllint-128", "trace/jq-272") or (
        pattern in ("shuffled", "churn") and workload.endswith(("/L3", "/none")))


def table(header, rows):
    """A Markdown table; all columns but the first are right-aligned."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
