"""A 1x1 convolution mixes channels: a photograph in opponent colours.

    python examples/pointwise.py

Prints the share of variance of the three colour channels, before and after. Saves pointwise.png
where matplotlib is installed.
"""

import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.decomposition import PCA

import convlib as cl

PICTURE = "pointwise.png"


def shares(image):
    """Return each channel's share of the variance, in percent."""
    variance = image.reshape(-1, image.shape[-1]).var(axis=0)
    return 100 * variance / variance.sum()


def draw(image, maps):
    """Save the photograph and the three maps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8, 5.6), layout="constrained")
    axes[0, 0].imshow(image)
    axes[0, 0].set_title("photograph")
    for axis, channel, share in zip(axes.flat[1:], range(3), shares(maps)):
        axis.imshow(maps[..., channel], cmap="gray")
        axis.set_title(f"channel {channel}: {share:.1f} % of the variance")
    for axis in axes.flat:
        axis.axis("off")
    figure.savefig(PICTURE, dpi=110)
    print(f"photograph and channels: {PICTURE}")


def main():
    """Turn the colours of a photograph onto their principal components."""
    try:
        image = load_sample_image("flower.jpg")
    except ImportError:
        print("Pillow, which reads the photograph, is not installed")
        return
    pixels = image.reshape(-1, 3) / np.float32(255)
    components = PCA().fit(pixels).components_.T    # (3 in, 3 out)
    kernel = components.reshape(1, 1, 3, 3).astype(np.float32)
    maps = cl.conv(image[np.newaxis] / np.float32(255), kernel)[0]
    print("variance in red, green, blue:", *(f"{share:.1f} %" for share in shares(image)))
    print("after the 1x1 convolution:   ", *(f"{share:.1f} %" for share in shares(maps)))
    try:
        draw(image, maps)
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
