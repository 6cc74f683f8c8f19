"""Two ways to take a convolution apart, by channels and by axes, and what each of them costs.

The pictures are saved to the folder the script runs in.
"""

import matplotlib
import numpy as np

import convlib as cl

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def stripes_and_rings(size):
    """Return an image of rings, which has edges in all directions."""
    y, x = np.mgrid[:size, :size] - size / 2
    return np.cos(np.hypot(y, x) ** 1.4 / 9)[np.newaxis, :, :, np.newaxis]


def draw_steps(images):
    """Draw Sobel's kernel as a column and then a row."""
    column, row = np.array([1.0, 2, 1]), np.array([1.0, 0, -1])
    first = cl.spatially_separable_conv(
        images, [column.reshape(3, 1, 1), np.ones((1, 1, 1))], padding="same")
    both = cl.spatially_separable_conv(
        images, [column.reshape(3, 1, 1), row.reshape(3, 1, 1)], padding="same")
    titles = "image", "after the column (1, 2, 1)", "after the row (1, 0, -1): Sobel"
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    for axis, picture, title in zip(axes, (images, first, both), titles):
        axis.imshow(picture[0, :, :, 0], cmap="gray")
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.savefig("spatially_separable.png", dpi=100)


def draw_costs():
    """Draw the products for one output pixel of 128 to 128 channels, by kernel size."""
    taps = np.arange(1, 12, 2)
    channels = 128
    size = 32, 32
    figure, axis = plt.subplots(figsize=(6.6, 4), layout="constrained")
    for kind, label, outputs in (
            ("standard", "dense", channels),
            ("depthwise_separable", "depthwise, then pointwise", channels),
            ("spatially_separable", "column, then row (channels stay apart)", channels)):
        n_macs = [cl.shapes.n_macs(size, (k, k), channels, outputs, padding="same", kind=kind)
                  / (size[0] * size[1]) for k in taps.tolist()]
        axis.plot(taps, n_macs, "o-", label=label)
    axis.set(yscale="log", xlabel="taps along each axis", xticks=taps,
             ylabel="multiply-adds for an output pixel", title="128 to 128 channels")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig("depthwise_separable.png", dpi=100)


if __name__ == "__main__":
    draw_steps(stripes_and_rings(160))
    draw_costs()
