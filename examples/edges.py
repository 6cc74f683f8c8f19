"""Which way edges point: a directed graph, and the matrix whose rows gather along its edges.

    python examples/edges.py

Prints what each node gathers. Saves edges.png where matplotlib is installed.
"""

import numpy as np
import scipy.sparse as sp

import convlib as cl

PICTURE = "edges.png"
SOURCES, TARGETS = np.array([0, 1, 3]), np.array([2, 2, 1])
PLACES = np.array([[0, 1], [0, 0], [1.2, 0.5], [-1.1, 0.5]])    # of the nodes in the picture
NAMES = "ABCD"


def draw(adjacency):
    """Save the arrows and the matrix."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for source, target in zip(SOURCES, TARGETS):
        left.annotate("", PLACES[target], PLACES[source], arrowprops={
            "arrowstyle": "-|>", "shrinkA": 16, "shrinkB": 16, "linewidth": 2, "color": "0.3"})
    for name, (x, y) in zip(NAMES, PLACES):
        left.text(x, y, name, ha="center", va="center", fontsize=13,
                  bbox={"boxstyle": "circle,pad=0.35", "facecolor": "#dce9f7", "edgecolor": "0.2"})
    left.set(xlim=(-1.5, 1.6), ylim=(-0.4, 1.4), xticks=[], yticks=[],
             title="edges: from source to target", aspect="equal")
    dense = adjacency.toarray()
    right.imshow(dense, cmap="Blues", vmin=0, vmax=1.6)
    for (row, column), value in np.ndenumerate(dense):
        right.text(column, row, f"{value:g}", ha="center", va="center", fontsize=12)
    right.set(xticks=range(4), yticks=range(4), xticklabels=NAMES, yticklabels=NAMES,
              xlabel="j: what it gathers from (source)", ylabel="row i gathers (target)",
              title="adjacency[i, j]")
    figure.savefig(PICTURE, dpi=110)
    print(f"saved {PICTURE}")


def main():
    """Print sums of neighbours."""
    adjacency = sp.csr_array((np.ones(3), (TARGETS, SOURCES)), shape=(4, 4))
    gathered = cl.graph.aggregate(np.eye(4), adjacency)
    for name, row in zip(NAMES, gathered):
        sources = [NAMES[j] for j in np.flatnonzero(row)]
        print(f"{name} gathers from {', '.join(sources) or 'nobody'}")
    try:
        draw(adjacency)
    except ImportError:
        print("matplotlib is not installed: no picture")


if __name__ == "__main__":
    main()
