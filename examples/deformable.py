"""A deformable convolution whose windows turn with what they look at.

    python examples/deformable.py

The image is a ring. A kernel that measures how values rise downwards answers at the top and the
bottom of the ring alone. Offsets made from two ordinary convolutions of the image turn the window
of each output until "downwards" is where values rise most: now the kernel answers all around.
Prints how even both answers are along the ring, and saves deformable.png where matplotlib is
installed.
"""

import numpy as np

import convlib as cl

PICTURE = "deformable.png"
SIZE, RADIUS = 65, 22
SHOWN = (0.6, 1.7, 2.9, 4.4, 5.5)    # angles at which the picture shows windows
DOWN = np.array([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]).reshape(3, 3, 1, 1)


def ring():
    """Return an image of a ring, and the distance of each pixel from its middle."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    distance = np.hypot(y, x)
    return np.exp(-((distance - RADIUS) / 4) ** 2)[np.newaxis, :, :, np.newaxis], distance


def turning_offsets(image):
    """Return offsets that turn each 3x3 window so that its rows follow the slope of the image."""
    down = cl.conv(image, DOWN, padding="same", padding_mode="edge")[..., 0]
    across = cl.conv(image, DOWN.swapaxes(0, 1), padding="same", padding_mode="edge")[..., 0]
    steepness = np.hypot(down, across)
    is_flat = steepness < 1e-3
    down, across = (np.where(is_flat, upright, slope / np.maximum(steepness, 1e-3))
                    for upright, slope in ((1.0, down), (0.0, across)))
    offsets = np.empty((*image.shape[:3], 3, 3, 2))
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            # Row i and column j of the window, along the slope and at right angles to it.
            offsets[..., i + 1, j + 1, 0] = i * down - j * across - i
            offsets[..., i + 1, j + 1, 1] = i * across + j * down - j
    return offsets.reshape(*image.shape[:3], 18)


def evenness(answer, distance):
    """Return the smallest answer over the largest, on the inner flank of the ring."""
    flank = np.abs(answer[np.abs(distance - (RADIUS - 3)) < 0.5])
    return flank.min() / flank.max()


def draw(image, offsets, answers):
    """Save the image with some windows, and both answers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
    pairs = offsets.reshape(SIZE, SIZE, 3, 3, 2)
    grid = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1)
    for axis, turns, title in ((axes[0], 0, "windows of conv"), (axes[1], 1, "of deform_conv")):
        axis.imshow(image[0, :, :, 0], cmap="gray_r")
        for angle in SHOWN:
            y, x = (round(SIZE // 2 + (RADIUS - 3) * part) for part in (np.sin(angle),
                                                                        np.cos(angle)))
            # Drawn three times as large, to be seen.
            taps = 3 * (grid + turns * pairs[y, x]) + (y, x)
            axis.plot(taps[..., 1].ravel(), taps[..., 0].ravel(), ".", color="tab:red", ms=4)
            axis.plot(taps[2, :, 1], taps[2, :, 0], "-", color="tab:blue")
        axis.set_title(title)
    limit = max(np.abs(answer).max() for answer in answers)
    for axis, answer, title in zip(axes[2:], answers, ("answer of conv", "of deform_conv")):
        axis.imshow(answer, cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(title)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    figure.savefig(PICTURE, dpi=110)
    print(f"windows and answers: {PICTURE}")


def main():
    """Compare the two convolutions."""
    image, distance = ring()
    offsets = turning_offsets(image)
    plain = cl.conv(image, DOWN, padding=1)[0, :, :, 0]
    turned = cl.deform_conv(image, DOWN, offsets, padding=1)[0, :, :, 0]
    print(f"least over greatest answer along the ring: conv {evenness(plain, distance):.2f}, "
          f"deform_conv {evenness(turned, distance):.2f}")
    try:
        draw(image, offsets, (plain, turned))
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
