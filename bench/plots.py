# SPDX-License-Identifier: BSL-1.0
"""The plots of bench/report: SVG, 800 pixels wide, readable on light and on dark pages. No panel has more than six contenders.

A title says what is seen. Where it states a figure or a winner, it is computed from what was measured."""
import io
import os
import re
import textwrap
from statistics import geometric_mean

import matplotlib

import measuring

WIDTH = 800  # pixels, as all lengths here
INK = "#1f2329"  # text and axes; on a dark page INK_ON_DARK
INK_ON_DARK = "#d7dde4"
matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "fixpool", "figure.dpi": 72, "savefig.transparent": True, "font.size": 12,
    "axes.titlesize": 12, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#808890", "grid.alpha": 0.35, "legend.frameon": False, "legend.handletextpad": 0.3, "legend.columnspacing": 1.2,
    "legend.borderpad": 0, "lines.linewidth": 1.6, "lines.markersize": 6,
    **{what: INK for what in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")}})
import matplotlib.pyplot as plt  # noqa: E402

LABELS = {
    "floor": "no allocator",
    "checked": "fixpool checked",
    "unchecked": "fixpool unchecked",
    "typed_pool": "typed_pool",
    "unchecked_typed_pool": "unchecked typed_pool",
    "carried": "memory_pool, carried",
    "operator_new": "glibc",
    "operator_new_keeping": "glibc, keeping",
    "make_unique": "make_unique",
    "mimalloc": "mimalloc",
    "jemalloc": "jemalloc",
    "tcmalloc": "tcmalloc",
    "boost": "boost::pool",
    "foonathan": "foonathan",
    "pmr": "pmr unsynchronized",
    "shared_pool": "shared_pool",
    "baseline": "one mutex",
    "boost_lockfree": "boost::lockfree",
    "pmr_synchronized": "pmr synchronized",
}
# Colour and marker. The colours are told apart on white and on black. Markers of fixpool are filled.
STYLES = {
    "checked": ("#2f7de0", "o"),
    "unchecked": ("#e07b1a", "o"),
    "typed_pool": ("#5fb0d8", "o"),
    "operator_new": ("#808890", "s"),
    "operator_new_keeping": (INK, "s"),
    "mimalloc": ("#2f9e55", "^"),
    "jemalloc": ("#a766d6", "v"),
    "tcmalloc": ("#a8803c", "<"),
    "boost": ("#dd4b41", "D"),
    "foonathan": ("#c49a10", ">"),
    "pmr": ("#a766d6", "X"),
    "shared_pool": ("#2f7de0", "o"),
    "baseline": ("#a8803c", "v"),
    "boost_lockfree": ("#dd4b41", "D"),
    "pmr_synchronized": ("#a766d6", "X"),
}
OURS = ("checked", "unchecked", "typed_pool", "shared_pool")
KEEPING = "operator_new_keeping"
SPEED = ["checked", "unchecked", "boost", "mimalloc", KEEPING, "operator_new"]
GROUPS = [["checked", "unchecked", "typed_pool", "boost", "foonathan", "pmr"],
          ["checked", "mimalloc", "jemalloc", "tcmalloc", KEEPING, "operator_new"]]
SHARED = ["shared_pool", "baseline", "operator_new", "mimalloc", "boost_lockfree", "pmr"]
LIVE_SETS = {"L1": "fits L1", "L2": "fits L2", "L3": "fits L3", "none": "fits no cache"}


def canvas(height, rows=1, columns=1, top=0, bottom=0, left=0, right=10, gap=(20, 20), **options):
    """A figure and its panels, as a list of rows. Margins and gaps in pixels."""
    figure, panels = plt.subplots(rows, columns, figsize=(WIDTH / 72, height / 72), squeeze=False, **options)
    panel_width = (WIDTH - left - right - gap[0] * (columns - 1)) / columns
    panel_height = (height - top - bottom - gap[1] * (rows - 1)) / rows
    figure.subplots_adjust(left=left / WIDTH, right=1 - right / WIDTH, top=1 - top / height, bottom=bottom / height,
                           wspace=gap[0] / panel_width, hspace=gap[1] / panel_height)
    return figure, panels


def at(figure, x, y):
    """Pixels from the left and from the top, in the figure's coordinates."""
    return x / WIDTH, 1 - y / (figure.get_figheight() * 72)


def wrapped(title, note):
    """[(line, weight, size)]"""
    return [(part, weight, size) for text, weight, size, columns in ((title, "bold", 13, 100), (note, "normal", 12, 120))
            for line in text.splitlines() for part in textwrap.wrap(line, columns)]


def say(figure, title, note=""):
    """Writes the title, and below it a note."""
    for i, (line, weight, size) in enumerate(wrapped(title, note)):
        figure.text(*at(figure, 6, 4 + 18 * i), line, weight=weight, size=size, va="top")


def save(figure, folder, name):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    on_dark = "".join(f'[style*="{what}: {INK}"] {{{what}: {INK_ON_DARK} !important}}' for what in ("fill", "stroke"))
    svg = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', text.getvalue(), count=2)
    svg = re.sub("(<style[^>]*>)", r"\1:root{color-scheme:light dark}", svg, count=1)  # alone in a tab: a dark page under light text
    svg = svg.replace("</style>", f"@media (prefers-color-scheme: dark) {{{on_dark}}}</style>", 1)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(re.sub(r"[ \t]+$", "", svg, flags=re.M))


def style(contender):
    colour, marker = STYLES[contender]
    is_ours = contender in OURS
    return {"color": colour, "marker": marker, "label": LABELS[contender], "markerfacecolor": colour if is_ours else "none",
            "zorder": 4 if is_ours else 3}


def log_axis(axis, subs=(1,)):
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=subs))
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(matplotlib.ticker.NullLocator())


def add_legend(figure, panels, y, x=0):
    """A row of labels, `y` pixels below the top, of all that the panels show."""
    handles = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels())}
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="upper left", bbox_to_anchor=at(figure, x, y), ncol=6,
                      handlelength=1.6, borderaxespad=0)


def means(results, names, contenders):
    """{contender: geometric mean in ns}, of those that all the workloads have."""
    return {c: geometric_mean(results[name][c] for name in names) for c in contenders if names and all(c in results[name] for name in names)}


def one_line(text):
    return text.replace("\n", " ")


def ratio_range(ratios):
    low, high = f"{min(ratios):.2f}", f"{max(ratios):.2f}"
    return low if low == high else f"{low} to {high}"


def said_of_typed_pools(results):
    """What a typed_pool takes against a memory_pool, with and without blocks of 4096 bytes; empty if unknown."""
    found = {name: values["typed_pool"] / values["checked"] for name, values in results.items()
             if measuring.kind(name) and "typed_pool" in values and "checked" in values}
    if not found:
        return ""
    by_kind = [geometric_mean(found[name] for name in names) for names in measuring.by_kind(found).values()]
    small = [ratio for name, ratio in found.items() if measuring.kind(name) != "pages"]
    means_of = sorted({f"{geometric_mean(those):.1f}" for those in (found.values(), small) if those})
    text = f"A typed_pool takes {' to '.join(means_of)} times as long as memory_pool on average"
    return f"{text}, by kind {ratio_range(by_kind)} times." if len(by_kind) > 1 else f"{text}."


def speed(folder, results):
    """The plot of the front page: what an operation takes, in each kind of workload. Bars are ratios, figures are ns."""
    end = 1.5  # bars of larger ratios are broken
    kinds = [(kind, found) for kind, names in measuring.by_kind(results).items() if KEEPING in (found := means(results, names, SPEED))]
    if not kinds:
        return
    rows = [c for c in SPEED if any(c in found for _, found in kinds)]
    against_glibc = [found["checked"] / found[KEEPING] for _, found in kinds if "checked" in found]
    title = "What an allocation or a release takes"
    if against_glibc:
        title = f"Checked pools take {ratio_range(against_glibc)} of the time of a glibc that keeps its memory"
    against_boost = {kind: found["checked"] / found["boost"] for kind, found in kinds if "checked" in found and "boost" in found}
    slower = [f"{ratio:.2f} ({one_line(measuring.KINDS[kind])})" for kind, ratio in against_boost.items() if ratio > 1]
    note = f"boost::pool, which checks nothing, is faster in {len(slower)} of {len(kinds)} kinds: checked / boost::pool is {', '.join(slower)}.\n" \
        if slower else ""
    note += said_of_typed_pools(results)
    top = 42 + 18 * len(wrapped(title, note))
    figure, panels = canvas(202 + top, columns=len(kinds), top=top, bottom=44, left=132, gap=(8, 0))
    for panel, (kind, found) in zip(panels[0], kinds):
        for row, contender in enumerate(rows):
            if contender not in found:
                continue
            ns, ratio = found[contender], found[contender] / found[KEEPING]
            colour = STYLES[contender][0] if contender in OURS else "#808890"
            if ratio <= end:
                panel.barh(-row, ratio, height=0.7, color=colour)
            else:
                panel.barh(-row, 0.7 * end, height=0.7, color=colour)
                panel.barh(-row, 0.22 * end, left=0.78 * end, height=0.7, color=colour)
            panel.text(min(ratio, end) + 0.04 * end, -row, f"{ns:.2f}" if ns < 10 else f"{ns:.1f}", va="center_baseline")
        panel.set_xlim(0, 1.55 * end)
        panel.set_ylim(-len(rows) + 0.4, 0.6)
        panel.set_yticks([-row for row in range(len(rows))], [LABELS[c] for c in rows] if panel is panels[0][0] else [])
        panel.set_xticks([])
        panel.grid(False)
        panel.tick_params(length=0)
        panel.spines["bottom"].set_visible(False)
        panel.set_title(measuring.KINDS[kind], loc="left", pad=6)
    say(figure, title, note)
    figure.text(*at(figure, 6, 164 + top), "Bars: time relative to glibc, keeping, on one scale. A broken bar is longer than it is drawn.\n"
                "Figures: ns per allocation or release. Both are geometric means; less is better.", va="top", size=11, linespacing=1.5)
    save(figure, folder, "speed.svg")


def peer_rows(results):
    """[(label, workloads, is the first of its part)]. L1 and L2 are apart: means over both would hide losses in L1."""
    def of(patterns, lives, pages):
        return [name for name in results if name.split("/")[0] in patterns and (name.split("/") + [""])[2] in lives
                and (measuring.block_size(name) == measuring.PAGE) == pages]

    live_sets = {"fit L1": ["L1"], "fit L2": ["L2"], "beyond L2": ["L3", "none"]}
    parts = [[(name.removeprefix("trace/"), [name]) for name in measuring.FIVE if name in results]]
    for size, pages, groups in (("8 to 256 B", False, (("in order", ("lifo", "fifo")), ("random order", ("shuffled", "churn")))),
                                ("4096 B", True, (("all patterns", measuring.PATTERNS),))):
        parts.append([(f"{size}: one block", of(["pair"], [""], pages))])
        parts[-1] += [(f"{label}, {text}", of(patterns, lives, pages)) for label, patterns in groups for text, lives in live_sets.items()]
    parts = [[row for row in part if row[1]] for part in parts]
    return [(label, names, i == 0) for part in parts for i, (label, names) in enumerate(part)]


def peers(folder, results):
    """A row for each kind of workload: time of every contender, relative to a glibc that keeps its memory. In a row, each contender has a
    line of its own."""
    end = 30  # larger ratios are written
    rows = [row for row in peer_rows(results) if means(results, row[1], [KEEPING])]
    if not rows:
        return
    figure, panels = canvas(136 + 35 * len(rows), columns=2, top=90, bottom=46, left=176, gap=(16, 0), sharey=True)
    for panel, group in zip(panels[0], GROUPS):
        drawn = [contender for contender in group if contender != KEEPING]
        for line, contender in enumerate(drawn):
            lower = 0.86 * ((line + 0.5) / len(drawn) - 0.5)
            points = [(found[contender] / found[KEEPING], -row - lower) for row, (_, names, _) in enumerate(rows)
                      if {contender, KEEPING} == set(found := means(results, names, [contender, KEEPING]))]
            inside = [point for point in points if point[0] <= end]
            if points:
                panel.plot(*zip(*inside or [(float("nan"), 0)]), linestyle="none", markersize=5, **style(contender))
            for ratio, y in points:
                if ratio > end:
                    panel.text(2 * end, y, f"{LABELS[contender].split()[0]}: {ratio:.0f} \u2192", ha="right", va="center_baseline", size=10)
        panel.set_xscale("log")
        panel.set_xlim(0.03, 2 * end)
        log_axis(panel.xaxis)
        panel.axvline(1, color=STYLES[KEEPING][0], linewidth=1)
        panel.set_ylim(-len(rows) + 0.4, 0.5)
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
        panel.set_xlabel("time, relative to glibc, keeping")
        for row, (_, _, is_first) in enumerate(rows):
            if row:
                panel.axhline(0.5 - row, color="#808890", linewidth=1.5 if is_first else 0.5, alpha=1 if is_first else 0.6)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=2, handlelength=0.8, fontsize=11.5, borderaxespad=0.4)
    panels[0][0].set_yticks([-row for row in range(len(rows))], [label for label, _, _ in rows])
    title, note = "Time per allocation or release", ""
    pairs = [(found["checked"], found["boost"]) for _, names, _ in rows
             if {"checked", "boost"} == set(found := means(results, names, ["checked", "boost"]))]
    if pairs:
        title = f"Checked pools are slower than boost::pool in {sum(ours > boost for ours, boost in pairs)} of {len(pairs)} rows"
        every = [values["checked"] > values["boost"] for name, values in results.items()
                 if measuring.kind(name) and "checked" in values and "boost" in values]
        note = f"In single workloads: in {sum(every)} of {len(every)}. Rows are geometric means; less is better."
    say(figure, title, note)
    save(figure, folder, "peers.svg")


def said_of_losses(results, workloads):
    """Where checked pools are slower than a peer that the plots of curves show; empty if nowhere."""
    texts = []
    for peer in dict.fromkeys(c for group in GROUPS for c in group if c not in OURS):
        ratios = [(results[w]["checked"] / results[w][peer], w) for w in workloads
                  if "checked" in results.get(w, {}) and peer in results[w]]
        slower = sum(ratio > 1 for ratio, _ in ratios)
        if slower:
            texts.append("{} in {} of {} workloads, at worst {:.2f} ({})".format(LABELS[peer], slower, len(ratios), *max(ratios)))
    return f"Checked pools are slower than {'; than '.join(texts)}." if texts else ""


def curves(folder, name, title, results, xlabel, xs, workload_of, apart=None):
    """A row of panels for each group of contenders, a panel for each pattern. What is at `apart` is not joined to the rest."""
    patterns = [p for p in measuring.PATTERNS if any(workload_of(p, x) in results for x in xs)]
    if not patterns:
        return
    note = said_of_losses(results, [workload_of(p, x) for p in patterns for x in xs])
    below = 18 * (len(wrapped(title, note)) - 1)
    figure, panels = canvas(546 + below, rows=2, columns=len(patterns), top=74 + below, bottom=44, left=50, gap=(12, 74), sharey="row", sharex=True)
    for row, group in zip(panels, GROUPS):
        for panel, pattern in zip(row, patterns):
            for contender in group:
                points = [(i + 0.4 * (x == apart), results[w][contender]) for i, x in enumerate(xs)
                          if (w := workload_of(pattern, x)) in results and contender in results[w]]
                joined = [point for point in points if point[0] == int(point[0])]
                alone = [point for point in points if point[0] != int(point[0])]
                if joined:
                    panel.plot(*zip(*joined), **style(contender))
                if alone:
                    panel.plot(*zip(*alone), linestyle="none", **style(contender) | {"label": "_"})
            if apart in xs:
                panel.axvline(xs.index(apart) - 0.3, color="#808890", linewidth=1, linestyle=":")
            panel.set_xticks([i + 0.4 * (x == apart) for i, x in enumerate(xs)], [str(x) for x in xs])
            panel.set_xlim(-0.3, len(xs) - 0.7 + 0.4 * (apart in xs))
            panel.set_yscale("log")
            log_axis(panel.yaxis, (1, 2, 5))
            panel.set_title(pattern, loc="left")
        row[0].set_ylabel("ns per operation")
    for panel in panels[-1]:
        panel.set_xlabel(xlabel)
    say(figure, title, note)
    add_legend(figure, panels[0], 32 + below, 6)
    height = figure.get_figheight() * 72
    second = height * (1 - panels[1][0].get_position().y1)
    add_legend(figure, panels[1], second - 42, 6)
    save(figure, folder, name)


def block_sizes(folder, results):
    sizes = [8, 16, 24, 64, 256, measuring.PAGE]

    def workload_of(pattern, size):
        return f"{pattern}/{size}/L2"

    title = "Time per operation, by block size"
    small = [results[w]["checked"] for p in measuring.PATTERNS for s in sizes[:-1] if "checked" in results.get(w := workload_of(p, s), {})]
    if len(small) == len(measuring.PATTERNS) * len(sizes[:-1]):
        title = f"In the second cache, the size of small blocks hardly matters to a checked pool: {min(small):.1f} to {max(small):.1f} ns" \
            if max(small) < 2 * min(small) else f"In the second cache, checked pools take {min(small):.1f} to {max(small):.1f} ns for small blocks"
    curves(folder, "block_size.svg", title, results, "bytes per block", sizes, workload_of, measuring.PAGE)


def live_sets(folder, results):
    def workload_of(pattern, live):
        return f"{pattern}/64/{live}"

    title = "Time per operation, by the cache that the live blocks fit into (64 bytes each)"
    found = results.get(workload_of("shuffled", "none"), {})
    if all(c in found for c in ("checked", "boost", KEEPING)):
        title = f"Shuffled 64-byte blocks beyond all caches: checked pool {found['checked']:.0f} ns, " \
            f"boost::pool {found['boost']:.0f}, glibc that keeps {found[KEEPING]:.0f}"
    curves(folder, "live_set.svg", title, results, "live blocks fit", list(LIVE_SETS), workload_of)


def latencies(folder, percentiles):
    """percentiles is {contender: {"p50": ns, ...}}, with the step of the clock among the contenders where it is known."""
    step = percentiles.get("clock_step", {}).get("p50", 0)
    figure, panels = canvas(338, columns=2, top=78, bottom=44, left=60, gap=(16, 0), sharey=True)
    points = [point for point in next(iter(percentiles.values())) if point != "pairs"]
    for panel, group in zip(panels[0], GROUPS):
        for contender in group:
            if contender in percentiles:
                panel.plot(points, [max(percentiles[contender][p], step / 2 or 1) for p in points], **style(contender))
        panel.set_yscale("log")
        log_axis(panel.yaxis)
        panel.set_xlabel("percentile")
        if step:
            panel.axhspan(step / 2.6, step, color="#808890", alpha=0.3, linewidth=0)
            panel.text(len(points) - 1, step / 1.6, f"below one step of the clock: {step:.3g} ns", ha="right", va="center", size=11)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=2, handlelength=1.4, fontsize=11.5, borderaxespad=0.3)
    panels[0][0].set_ylabel("ns, a release and an allocation")
    panels[0][0].set_ylim(bottom=step / 2.6 if step else None)
    title = "Percentiles of the time of a release and an allocation"
    if "p99.9" in points and all(c in percentiles for c in ("checked", KEEPING, "operator_new")):
        ours, keeping, glibc = (percentiles[c]["p99.9"] for c in ("checked", KEEPING, "operator_new"))
        title = f"p99.9: checked pool {ours:.0f} ns" + (" (one step of the clock)" if step and ours < 1.5 * step else "") + \
            f", glibc that keeps its memory {keeping:.0f}, glibc {glibc:.0f}"
    say(figure, title)
    save(figure, folder, "latency.svg")


def threads(folder, costs):
    """costs is {pattern: {contender: {threads: ns of wall time}}}."""
    titles = {"private/16": "each thread its own blocks", "any": "blocks of all threads", "nearly_full": "nearly all blocks are out"}
    patterns = [pattern for pattern in titles if pattern in costs]
    if not patterns:
        return
    counts = sorted({count for pattern in patterns for times in costs[pattern].values() for count in times})
    figure, panels = canvas(330, columns=len(patterns), top=80, bottom=44, left=54, gap=(12, 0), sharey=True)
    for panel, pattern in zip(panels[0], patterns):
        for contender in SHARED:
            times = costs[pattern].get(contender)
            if times:
                panel.plot([counts.index(count) for count in times], list(times.values()),
                           **style("pmr_synchronized" if contender == "pmr" else contender))
        panel.set_xticks(range(len(counts)), [str(count) for count in counts])
        panel.set_yscale("log")
        log_axis(panel.yaxis, (1, 2, 5))
        panel.set_xlabel("threads")
        panel.set_title(titles[pattern], loc="left")
    panels[0][0].set_ylabel("ns per pair")
    title = "Wall time of an allocation and its release in a pool that threads share"

    def two(pattern, contender):
        return costs.get(pattern, {}).get(contender, {}).get(2)

    if all(two(*what) for what in (("private/16", "shared_pool"), ("private/16", "operator_new"), ("private/16", "baseline"))):
        title = "Two threads, {}: shared_pool {:g} ns per pair, glibc {:g}, one mutex {:g}".format(
            titles["private/16"], *(float(f"{two('private/16', c):.3g}") for c in ("shared_pool", "operator_new", "baseline")))
    say(figure, title)
    add_legend(figure, panels[0], 32, 6)
    save(figure, folder, "threads.svg")


def draw(folder, results, percentiles, costs):
    speed(folder, results)
    peers(folder, results)
    block_sizes(folder, results)
    live_sets(folder, results)
    latencies(folder, percentiles)
    threads(folder, costs)
