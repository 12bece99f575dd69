#!/usr/bin/env python3
"""Changes one line of a header at random, and runs only the tests that are nearest to that header. They must fail.

`mutate.py --seed N --count N` draws the changes: other relational and logical operators, other constants, conditions negated,
branches swapped, memory orders relaxed. It also drops statements, locks too. If a change does not compile, another one is drawn.
Some changes have no effect that can be observed: equivalent.txt names them, and says why. Exit status 1: fewer than 90 % were found.
"""
import argparse
import pathlib
import queue
import random
import re
import sys
import threading
import time
import os
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
from run import BUILD, HERE, NEAREST, ROOT, WORKERS, Broken, Fault, Tree  # noqa: E402

INCLUDE = ROOT / "include" / "fixpool"
SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
# No statements: they declare, return or describe.
NO_STATEMENT = re.compile(r"^\s*(return|using|friend|static_assert|template|struct|class|enum|union|const |auto |constexpr|static |inline|"
                          r"typename|public|private|namespace|extern|case |default|break;|\}|:|,|\[\[|else|std::size_t \w+ =|bool \w+ =)")
DECLARATION = re.compile(r"^\s*[\w:<>,\s\*&]+\s[\w]+(\s*=\s*[^=(]+|\{.*\})?;\s*(//.*)?$")


def mutations(line):
    """Pairs: what was done, and the changed line."""
    code = re.split(r"\s//", line)[0]
    if not code.strip() or code.lstrip().startswith(("//", "#", "*")) or "static_assert" in code:
        return
    strings = [m.span() for m in re.finditer(r'"[^"]*"|\'[^\']*\'', code)]

    def is_in_string(at):
        return any(start <= at < end for start, end in strings)

    if not code.lstrip().startswith("template"):
        for found in re.finditer(r" (<=|>=|==|!=|<|>|&&|\|\|) ", code):
            operator = found[1]
            if not is_in_string(found.start()) and not (operator == "&&" and "&& " in code and re.search(r"\w&& ", code)):
                yield f"{operator} is {SWAPS[operator]}", line[:found.start(1)] + SWAPS[operator] + line[found.end(1):]
        for found in re.finditer(r"(?<![\w.'x])(\d+)(?![\w.'])", code):
            if not is_in_string(found.start()) and "FIXPOOL_" not in code:
                yield f"{found[1]} is {int(found[1]) + 1}", line[:found.start()] + str(int(found[1]) + 1) + line[found.end():]
    for found in re.finditer(r"\b(true|false)\b", code):
        other = "false" if found[1] == "true" else "true"
        yield f"{found[1]} is {other}", line[:found.start()] + other + line[found.end():]
    for found in re.finditer(r"memory_order_(acquire|release|acq_rel)", code):
        yield f"{found[1]} is relaxed", line[:found.start()] + "memory_order_relaxed" + line[found.end():]
    if found := re.match(r"^(.*\b(?:if|while) \()([^;]*)(\)(?: \{| return.*;| break;| continue;| ?\S+.*;)?)$", code):
        if "constexpr" not in found[1] and found[2].count("(") == found[2].count(")"):
            yield "the condition is turned round", found[1] + "!(" + found[2] + ")" + found[3]
    if found := re.match(r"^(.*\breturn |.*[^=!<>]= )([^?]+) \? ([^:?]+) : ([^:?]+);$", code):
        yield "the branches are swapped", f"{found[1]}{found[2]} ? {found[4]} : {found[3]};"
    if re.search(r"\block\(\w+(\.\w+)?\);$", code.rstrip()):
        yield "the lock is dropped", ""
    elif code.rstrip().endswith(";") and code.count("(") == code.count(")") and not NO_STATEMENT.match(code):
        if not DECLARATION.match(code):
            if re.match(r"^\s*(if|while|for) \(", code):
                if found := re.match(r"^(\s*(?:if|while|for) \(.*\)) [^()]*(\(.*\))?;$", code):
                    yield "what is done on a condition is dropped", found[1] + " {}"
            elif re.match(r"^\s{4,}\S", code):
                yield "the statement is dropped", ""


class Mutation(Fault):
    """One line of one header, by its number."""

    def __init__(self, header, number, line, what, changed):
        super().__init__(header, f"{number}: {what}: {line.strip()}", [], None)
        self.number, self.line, self.changed = number, line, changed

    def planted_in(self, text):
        lines = text.split("\n")
        lines[self.number - 1] = self.changed
        return "\n".join(lines)

    def key(self):
        return f"{self.header}: {self.what.split(': ', 1)[1]}"


def all_mutations():
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = str(path.relative_to(INCLUDE))
        found = [Mutation(header, number, line, what, changed) for number, line in enumerate(path.read_text().split("\n"), 1)
                 for what, changed in mutations(line)]
        if found and header.removesuffix(".hpp") not in NEAREST:
            raise Broken(f"{header} has no tests in NEAREST")
        yield from found


class MutationTree(Tree):
    def failing_test(self, fault):
        for name in NEAREST[fault.header.removesuffix(".hpp")]:
            if (test := self.nearest(name)) is not None:
                return test
        return None


def equivalents():
    """For each mutation without effect, why it has none."""
    reasons = {}
    for paragraph in (HERE / "equivalent.txt").read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        if lines:
            reasons[lines[0]] = " ".join(lines[1:])
    return reasons


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--list", action="store_true", help="print what is drawn first, and change nothing")
    wish = options.parse_args()
    started = time.monotonic()
    drawn = list(all_mutations())
    random.Random(wish.seed).shuffle(drawn)
    if wish.list:
        print("\n".join(f"{m.header}: {m.what}" for m in drawn[:wish.count]))
        print(f"{len(drawn)} mutations of {len({m.header for m in drawn})} headers")
        return 0

    os.environ["FIXPOOL_TEST_LENGTH"] = "4"
    os.environ["TSAN_OPTIONS"] = "halt_on_error=1"
    trees = queue.SimpleQueue()
    for worker in range(WORKERS):
        trees.put(MutationTree(str(worker)))
    reasons = equivalents()
    printing = threading.Lock()
    waiting = iter(drawn)
    count = {"found": 0, "equivalent": 0, "NOT FOUND": 0}
    missed = []
    stillborn = 0

    def tried():
        """The next mutation that compiles, and what became of it."""
        nonlocal stillborn
        while True:
            with printing:
                mutation = next(waiting)
            tree = trees.get()
            try:
                test = tree.try_out(mutation)
            except Broken as why:
                if "does not compile" not in str(why) and "does not start" not in str(why):
                    raise
                if "does not start" in str(why):
                    return mutation, "no test program starts"
                with printing:
                    stillborn += 1
                continue
            finally:
                trees.put(tree)
            return mutation, test

    def one(_):
        began = time.monotonic()
        mutation, test = tried()
        with printing:
            end = "found" if test is not None else "equivalent" if mutation.key() in reasons else "NOT FOUND"
            count[end] += 1
            if end != "found":
                missed.append(f"{end}: {mutation.header}:{mutation.what}")
            by = f" by: {test}" if test is not None else f": {reasons[mutation.key()]}" if end == "equivalent" else ""
            print(f"{sum(count.values())}/{wish.count} {mutation.header}:{mutation.what}: {end}{by} ({time.monotonic() - began:.0f} s)",
                  flush=True)

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(one, range(wish.count)))
    print("".join(line + "\n" for line in sorted(missed)), end="")
    relevant = count["found"] + count["NOT FOUND"]
    print(f"seed {wish.seed}: {wish.count} mutations of {len(drawn)} that there are, {count['found']} found, {count['NOT FOUND']} not, "
          f"{count['equivalent']} equivalent: {100 * count['found'] / relevant:.0f} % ({stillborn} more did not compile; "
          f"{time.monotonic() - started:.0f} s)")
    return 0 if count["found"] >= 0.9 * relevant else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as why:
        sys.exit(f"mutate.py: {why}")
