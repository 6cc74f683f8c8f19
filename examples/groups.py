"""Which inputs the outputs of two group convolutions see, with and without a channel shuffle.

    python examples/groups.py

Prints the weights of one dense and one group convolution, and how many of the channels an output
sees. Saves groups.png where matplotlib is installed.
"""

import numpy as np

import convlib as cl

PICTURE = "groups.png"
CHANNELS, GROUPS = 12, 3


def seen(shuffled):
    """Return a matrix, [input, output]: whether the output of two layers sees the input."""
    one_by_one = np.eye(CHANNELS, dtype=np.float32).reshape(CHANNELS, 1, 1, CHANNELS)
    kernel = np.ones((1, 1, CHANNELS // GROUPS, CHANNELS), np.float32)
    maps = cl.conv(one_by_one, kernel, groups=GROUPS)
    if shuffled:
        maps = cl.channel_shuffle(maps, GROUPS)
    maps = cl.conv(maps, kernel, groups=GROUPS)
    return maps.reshape(CHANNELS, CHANNELS) > 0


def draw(pictures):
    """Save the matrices side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    for axis, (title, matrix) in zip(axes, pictures.items()):
        axis.imshow(matrix, cmap="Blues", vmin=0, vmax=1.4)
        axis.set(title=title, xlabel="output channel", ylabel="input channel")
        axis.set_xticks(np.arange(CHANNELS + 1) - 0.5, minor=True)
        axis.set_yticks(np.arange(CHANNELS + 1) - 0.5, minor=True)
        axis.grid(which="minor", color="white")
    figure.savefig(PICTURE, dpi=110)
    print(f"who sees whom: {PICTURE}")


def main():
    """Count and draw."""
    dense = cl.shapes.n_parameters((3, 3), CHANNELS, CHANNELS)
    grouped = cl.shapes.n_parameters((3, 3), CHANNELS, CHANNELS, groups=GROUPS)
    print(f"weights of a 3x3 convolution of {CHANNELS} channels: {dense}")
    print(f"in {GROUPS} groups: {grouped}")
    pictures = {"two group convolutions": seen(False), "with a shuffle between": seen(True)}
    for title, matrix in pictures.items():
        print(f"{title}: an output sees {matrix.sum(axis=0).max()} of {CHANNELS} channels")
    try:
        draw(pictures)
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
