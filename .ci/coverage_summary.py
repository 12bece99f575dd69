"""Sums up llvm-cov's exports, a line or branch being covered if it is in any instantiation of its template.

llvm-cov's own report takes the best instantiation alone. Usage: coverage_summary.py LCOV_FILE JSON_FILE
"""
import collections
import json
import sys

WANTED_LINES, WANTED_BRANCHES = 100.0, 97.0

lines = collections.defaultdict(collections.Counter)  # file -> line -> count
with open(sys.argv[1]) as lcov:
    for record in lcov:
        if record.startswith("SF:"):
            file = record[3:].strip()
        elif record.startswith("DA:"):
            number, count = record[3:].split(",")[:2]
            lines[file][int(number)] += int(count)

branches = collections.defaultdict(collections.Counter)  # file -> (where, taken or not) -> count
with open(sys.argv[2]) as exported:
    for data in json.load(exported)["data"][0]["files"]:
        for *where, taken, not_taken, _file, _expansion, _kind in data["branches"]:
            branches[data["filename"]][tuple(where), "taken"] += taken
            branches[data["filename"]][tuple(where), "not taken"] += not_taken


def percent(counts):
    return 100.0 * sum(count > 0 for count in counts) / len(counts) if counts else 100.0


for file in sorted(lines):
    missing = [f"line {line}" for line, count in lines[file].items() if count == 0]
    missing += [f"line {where[0]} {way}" for (where, way), count in branches[file].items() if count == 0]
    name = file[file.index("include/") :]
    print(f"{name:36} lines {len(lines[file]):4} {percent(lines[file].values()):6.2f} %   "
          f"branches {len(branches[file]):4} {percent(branches[file].values()):6.2f} %   {', '.join(missing)}")
all_lines = percent([count for counts in lines.values() for count in counts.values()])
all_branches = percent([count for counts in branches.values() for count in counts.values()])
print(f"lines {all_lines:.2f} %, branches {all_branches:.2f} %, nothing excluded")
if all_lines < WANTED_LINES or all_branches < WANTED_BRANCHES:
    sys.exit(f"coverage: wanted are {WANTED_LINES} % of the lines and {WANTED_BRANCHES} % of the branches")
