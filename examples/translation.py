"""A convolution moves with its image: the map of a shifted digit is the shifted map.

    python examples/translation.py

Prints how many values of the two maps differ, and what a dense layer in the place of the
convolution would need. Saves translation.png where matplotlib is installed.
"""

import numpy as np
from sklearn.datasets import load_digits

import convlib as cl

PICTURE = "translation.png"
SHIFT = 3, 5
EDGES = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)  # rising from left to right


def on_canvas(digit, row, column):
    """Return a 16x16 image with the digit at a place."""
    canvas = np.zeros((1, 16, 16, 1), np.float32)
    canvas[0, row:row + 8, column:column + 8, 0] = digit
    return canvas


def edges(image):
    """Return the map of horizontal change."""
    return cl.conv(image, EDGES[:, :, np.newaxis, np.newaxis], padding="same")


def draw(images, maps):
    """Save the images above their maps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(6, 6), layout="constrained")
    limit = max(np.abs(one).max() for one in maps)
    for column, title in enumerate(("image", f"shifted by {SHIFT}")):
        axes[0, column].imshow(images[column][0, :, :, 0], cmap="gray_r")
        axes[0, column].set_title(title)
        axes[1, column].imshow(maps[column][0, :, :, 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes[1, column].set_title(f"map of the {title}" if column == 0 else "its map")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.savefig(PICTURE, dpi=110)
    print(f"images and maps: {PICTURE}")


def main():
    """Compare the map of the shifted image with the shifted map."""
    digit = load_digits().images[3]
    images = on_canvas(digit, 2, 1), on_canvas(digit, 2 + SHIFT[0], 1 + SHIFT[1])
    maps = [edges(image) for image in images]
    shifted = np.roll(maps[0], SHIFT, axis=(1, 2))
    print(f"values that differ from the shifted map: {np.count_nonzero(shifted != maps[1])}")
    print(f"weights of the convolution: {EDGES.size}, of a dense layer: {maps[0].size**2:,}")
    try:
        draw(images, maps)
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
