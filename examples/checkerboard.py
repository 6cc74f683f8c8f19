"""Checkerboards that transposed convolutions make, and the kernels that make none.

    python examples/checkerboard.py

A flat image goes through transposed convolutions of stride 2 whose weights are all equal. Prints
the largest over the smallest output, and saves checkerboard.png where matplotlib is installed.
"""

import numpy as np

import convlib as cl

STRIDE = 2
SIZES = (2, 3, 4, 5)


def outputs(size, image):
    """Return an image through a kernel of ones, whose sum is one for each phase on average."""
    kernel = np.full((size, size, 1, 1), (STRIDE / size) ** 2)
    out = cl.conv_transpose(image[np.newaxis, :, :, np.newaxis], kernel, stride=STRIDE)
    reach = size - 1
    return out[0, reach:-reach, reach:-reach, 0]    # borders see fewer pixels


def enlarged(image):
    """Return nearest neighbours, then a convolution: the way without phases."""
    large = image.repeat(STRIDE, axis=0).repeat(STRIDE, axis=1)[np.newaxis, :, :, np.newaxis]
    return cl.conv(large, np.full((3, 3, 1, 1), 1 / 9))[0, :, :, 0]


def main():
    """Print the ratios and save the picture."""
    image = np.ones((12, 12))
    pictures = {f"{size} x {size} kernel": outputs(size, image) for size in SIZES}
    pictures["enlarged, then 3 x 3 convolution"] = enlarged(image)
    for name, out in pictures.items():
        print(f"{name:34s}largest / smallest = {out.max() / out.min():.2f}")
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(pictures), figsize=(11, 2.7), layout="constrained")
    for axis, (name, out) in zip(axes, pictures.items()):
        shown = axis.imshow(out[:12, :12], cmap="gray", vmin=0, vmax=2)
        axis.set_title(name.replace(", ", ",\n"), fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=axes, shrink=0.8)
    figure.savefig("checkerboard.png", dpi=100)
    print("saved checkerboard.png")


if __name__ == "__main__":
    main()
