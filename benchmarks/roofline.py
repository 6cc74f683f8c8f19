"""Draw the roofline of the documentation from the results that bench_conv.py --json has gathered.

    python benchmarks/roofline.py RESULTS.json PICTURE [--dtype float32] [--threads 2]

A layer stands at its arithmetic intensity: the flops of the definition over the bytes of images,
kernel and output, each moved once. The roof is what a computation by the definition can reach
at most: the bytes a second of memory times the intensity, and the peak of multiply-adds. Fast
algorithms multiply less often than the definition says, and so rise above it.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

import report
from shapes import CLASSES

# The classes, gathered so that a reader can tell the colours apart.
FAMILIES = {
    "3x3": ("#1f77b4", ("3x3", "3x3 batch", "7x7x512", "dilated", "3x3 s2")),
    "5x5 and larger": ("#d62728", ("5x5", "7x7-11x11", "large", "few channels 7x7-15x15",
                                   "few channels 21x21-31x31")),
    "1x1": ("#2ca02c", ("1x1", "grouped 1x1")),
    "stem, banks and single filters": ("#ff7f0e", ("stem", "banks", "single")),
    "depthwise": ("#9467bd", ("depthwise 3x3 5x5", "depthwise 7x7")),
    "groups of channels": ("#8c564b", ("2 a group", "4 a group", "8 a group", "16 a group",
                                       "32 a group", "64 a group")),
    "signals and volumes": ("#17becf", ("signals and volumes",)),
}

# Where a label may stand beside its point: alignment and offset, the best first.
PLACES = tuple((side, x, y) for y in (0, 9, -9, 18, -18, 27, -27)
               for side, x in (("left", 7), ("right", -7), ("center", 0))
               if side != "center" or y)


def main():
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    results = report.read(arguments.results)
    wanted = (arguments.dtype, arguments.threads)
    rows = [row for row in results["rows"] if (row["dtype"], row["threads"]) == wanted]
    machine = results["machine"]
    peak = machine["peak"][f"{arguments.dtype} {arguments.threads}"]
    figure = draw(rows, peak, machine["read"][str(arguments.threads)])
    figure.axes[0].set_title(
        f"{machine['processor']}, {arguments.dtype}, {arguments.threads} threads, packed kernels",
        fontsize=10, loc="left")
    figure.savefig(arguments.picture, dpi=120)


def draw(rows, peak, read):
    """Return the figure."""
    figure, axes = plt.subplots(figsize=(9.5, 6.4), layout="constrained")
    axes.set_xscale("log")
    axes.set_yscale("log")
    points = [row for row in rows if family(row) and row["peers"]]
    intensity = np.array([row["flops"] / row["bytes"] for row in points])
    own = np.array([row["flops"] / own_seconds(row) for row in points]) * 1e-9
    peers = np.array([row["flops"] / min(row["peers"].values()) for row in points]) * 1e-9
    left, right = intensity.min() / 1.6, intensity.max() * 1.6
    ridge = peak / read
    axes.plot([left, ridge, right], np.array([left * read, peak, peak]) * 1e-9, color="black",
              linewidth=1.5)
    axes.annotate(f"peak of multiply-adds, {1e-9 * peak:.0f} GFLOP/s", (right, 1e-9 * peak),
                  (-4, 4), textcoords="offset points", ha="right", va="bottom", fontsize=8)
    axes.annotate(f"memory, {1e-9 * read:.0f} GB/s", (left, 1e-9 * left * read), (4, -2),
                  textcoords="offset points", ha="left", va="top", fontsize=8)
    for row, x, low, high in zip(points, intensity, peers, own):
        colour = FAMILIES[family(row)][0]
        axes.plot([x, x], [low, high], color=colour, alpha=0.35, linewidth=1.2, zorder=1)
        axes.plot(x, low, "o", color=colour, markerfacecolor="white", markersize=4.5, zorder=2)
        axes.plot(x, high, "o", color=colour, markersize=5.5, zorder=3)
    for name, (colour, _) in FAMILIES.items():
        axes.plot([], [], "o", color=colour, markersize=5.5, label=name)
    axes.plot([], [], "o", color="gray", markersize=5.5, label="convlib")
    axes.plot([], [], "o", color="gray", markerfacecolor="white", markersize=4.5,
              label="the best peer for that layer")
    axes.set_xlim(left, right)
    axes.set_ylim(min(own.min(), peers.min()) / 1.5, max(own.max(), peers.max()) * 2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel("arithmetic intensity by the definition, flops a byte")
    axes.set_ylabel("effective GFLOP/s: flops of the definition over the time taken")
    axes.grid(which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="lower right", ncols=2, framealpha=0.95)
    label_classes(axes, points, intensity, own, peers)
    return figure


def label_classes(axes, points, intensity, own, peers):
    """Name each class at the layer that is furthest above its best peer, where there is room."""
    figure = axes.figure
    figure.canvas.draw()
    dots = axes.transData.transform(
        np.concatenate([np.stack([intensity, values], axis=1) for values in (own, peers)]))
    taken = [Bbox.from_extents(*(dot - 4), *(dot + 4)) for dot in dots]
    taken.append(axes.get_legend().get_window_extent())
    for kind in CLASSES:
        members = [i for i, row in enumerate(points) if row["class"] == kind.name]
        if not members:
            continue
        best = max(members, key=lambda i: own[i] / peers[i])
        label = axes.annotate(
            kind.name, (intensity[best], own[best]), (0, 0), textcoords="offset points", fontsize=8,
            va="center", color=FAMILIES[family(points[best])][0], zorder=4,
            path_effects=[withStroke(linewidth=2, foreground="white")])
        boxes = []
        for side, x, y in PLACES:
            label.set(ha=side, position=(x, y))
            boxes.append(label.get_window_extent())
        inside = axes.get_window_extent()
        covered = [sum(box.overlaps(other) for other in taken)
                   + 100 * (box.x0 < inside.x0 or box.x1 > inside.x1) for box in boxes]
        least = int(np.argmin(covered))
        side, x, y = PLACES[least]
        label.set(ha=side, position=(x, y))
        taken.append(boxes[least])


def own_seconds(row):
    """Return the time of convlib: with `out=` where that was measured."""
    return row["own"].get("out", row["own"]["packed"])


def family(row):
    """Return the family of a row's class; None for classes that are not drawn."""
    return next((name for name, (_, classes) in FAMILIES.items() if row["class"] in classes), None)


if __name__ == "__main__":
    main()
