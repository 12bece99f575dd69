# SPDX-License-Identifier: BSL-1.0
"""The plots of bench/report, as SVG."""
import math
import os
import statistics

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fixpool", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3})
import matplotlib.pyplot as plt  # noqa: E402

LABELS = {
    "floor": "no allocator",
    "checked": "fixpool checked",
    "unchecked": "fixpool unchecked",
    "typed_pool": "typed_pool",
    "unchecked_typed_pool": "unchecked typed_pool",
    "carried": "memory_pool, carried",
    "operator_new": "operator new",
    "operator_new_keeping": "operator new, keeping",
    "make_unique": "make_unique",
    "mimalloc": "mimalloc",
    "jemalloc": "jemalloc",
    "tcmalloc": "tcmalloc",
    "boost": "boost::pool",
    "foonathan": "foonathan",
    "pmr": "pmr unsynchronized",
}
# Of each: colour, marker. Ours are filled and dark, the others open.
STYLES = {
    "floor": ("#999999", "|"),
    "checked": ("#0057b8", "o"),
    "unchecked": ("#e07b00", "o"),
    "typed_pool": ("#6fa8dc", "o"),
    "operator_new": ("#000000", "s"),
    "operator_new_keeping": ("#000000", "+"),
    "mimalloc": ("#2e8b57", "^"),
    "jemalloc": ("#8b2e7d", "v"),
    "tcmalloc": ("#7a5c2e", "<"),
    "boost": ("#c0392b", "D"),
    "foonathan": ("#d4a017", ">"),
    "pmr": ("#5b7db1", "x"),
}
# Of the plot of threads: label, colour, marker.
THREADS = {
    "shared_pool": ("shared_pool", "#0057b8", "o"),
    "shared_pool_off": ("shared_pool, no magazines", "#6fa8dc", "o"),
    "operator_new": ("operator new", "#000000", "s"),
    "mimalloc": ("mimalloc", "#2e8b57", "^"),
    "boost_lockfree": ("boost::lockfree", "#c0392b", "D"),
    "pmr": ("pmr synchronized", "#5b7db1", "x"),
}
PATTERNS = ["pair", "lifo", "fifo", "shuffled", "churn"]
LIVE_SETS = ["L1", "L2", "L3", "none"]


def style(contender):
    colour, marker = STYLES[contender]
    ours = contender in ("checked", "unchecked", "typed_pool")
    return {"color": colour, "marker": marker, "markersize": 7 if ours else 6, "label": LABELS[contender],
            "markerfacecolor": colour if ours else "none", "zorder": 3 if ours else 2}


def save(figure, folder, name):
    figure.savefig(os.path.join(folder, name), bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def geometric_mean(values):
    return math.exp(statistics.mean(math.log(value) for value in values))


def peers(folder, results):
    """A row for each kind of workload: where every contender stands relative to operator new."""
    rows = [(name.removeprefix("trace/"), [name]) for name in results if name.startswith("trace/")]
    rows.append(("one pair", [name for name in results if name.startswith("pair/")]))
    for pattern in PATTERNS[1:]:
        for live in LIVE_SETS:
            rows.append((f"{pattern}, " + (f"fits {live}" if live != "none" else "fits no cache"),
                         [name for name in results if name.startswith(pattern + "/") and name.endswith("/" + live)]))
    rows = [row for row in rows if row[1]]
    figure, axes = plt.subplots(figsize=(9, 0.33 * len(rows) + 1.2))
    for contender in STYLES:
        points = [(geometric_mean([results[n][contender] / results[n]["operator_new"] for n in names]), -row)
                  for row, (_, names) in enumerate(rows) if all(contender in results[n] for n in names)]
        if points:
            axes.plot(*zip(*points), linestyle="none", **style(contender))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_yticks([-row for row in range(len(rows))], [name for name, _ in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time of an operation, relative to operator new (less is better)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncol=4, frameon=False)
    save(figure, folder, "peers.svg")


def curves(folder, name, results, label, xs, workload_of):
    """A panel for each pattern; workload_of(pattern, x) is a workload's name."""
    figure, panels = plt.subplots(1, len(PATTERNS), figsize=(15, 4), sharey=True)
    for panel, pattern in zip(panels, PATTERNS):
        for contender in STYLES:
            points = [(i, results[w][contender]) for i, x in enumerate(xs)
                      if (w := workload_of(pattern, x)) in results and contender in results[w]]
            if points:
                panel.plot(*zip(*points), linewidth=1.2, **style(contender))
        panel.set_title(pattern)
        panel.set_xticks(range(len(xs)), [str(x) for x in xs])
        panel.set_xlabel(label)
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    panels[0].set_ylabel("ns an operation")
    handles = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels())}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, 1.08), ncol=len(handles), frameon=False)
    save(figure, folder, name)


def percentiles(folder, latency):
    figure, axes = plt.subplots(figsize=(9, 4.5))
    for contender, values in latency.items():
        if contender in STYLES and contender != "floor":
            points = [(x, y) for x, y in values.items() if x.startswith("p") and x != "pairs"]
            axes.plot([x for x, _ in points], [y for _, y in points], linewidth=1.2, **style(contender))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.set_ylabel("ns, a release and an allocation")
    axes.set_xlabel("percentile")
    axes.legend(ncol=2, frameon=False)
    save(figure, folder, "latency.svg")


def threads(folder, costs):
    """costs is {pattern: {contender: {threads: ns of wall time}}}."""
    found = costs["private/16"]
    counts = sorted({count for times in found.values() for count in times})
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for contender, (label, colour, marker) in THREADS.items():
        if contender in found:
            ours = contender.startswith("shared_pool")
            axes.plot([counts.index(count) for count in found[contender]], found[contender].values(), linewidth=1.4, color=colour, marker=marker,
                      markerfacecolor=colour if ours else "none", label=label, zorder=3 if ours else 2)
    axes.set_title("An allocation and its release, where all threads use one pool (16 blocks each)", fontsize=11)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlabel("threads")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda y, _: f"{y:g}"))
    axes.set_ylabel("ns of wall time per pair")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncol=3, frameon=False)
    save(figure, folder, "threads.svg")


def draw(folder, results, latency):
    peers(folder, results)
    sizes = [8, 16, 24, 64, 256, 4096]
    curves(folder, "block_size.svg", results, "bytes a block", sizes, lambda p, x: f"{p}/{x}" + ("" if p == "pair" else "/L2"))
    curves(folder, "live_set.svg", results, "fits", LIVE_SETS, lambda p, x: f"{p}/64" + ("" if p == "pair" else f"/{x}"))
    percentiles(folder, latency)
