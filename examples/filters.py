"""Classic filters on a photograph, each with its kernel: what it answers to a single point.

The picture is saved to the folder the script runs in.
"""

import matplotlib
import numpy as np
from sklearn.datasets import load_sample_image

from convlib import filters

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32) / 255
FILTERS = {
    "mean, 7 x 7": lambda x: filters.mean(x, 7),
    "gaussian, sigma 2": lambda x: filters.gaussian(x, 2.0),
    "sharpen": filters.sharpen,
    "unsharp_mask, sigma 3": lambda x: filters.unsharp_mask(x, 3.0, 1.5),
    "roberts, down": lambda x: filters.roberts(x, "down"),
    "prewitt, axis 0": lambda x: filters.prewitt(x, 0),
    "sobel, axis 1": lambda x: filters.sobel(x, 1),
    "scharr, axis 1": lambda x: filters.scharr(x, 1),
    "farid, axis 0": lambda x: filters.farid(x, 0),
    "sobel, magnitude": filters.sobel,
    "gradient_magnitude, sigma 2": lambda x: filters.gradient_magnitude(x, 2.0),
    "gradient_direction": filters.gradient_direction,
    "kirsch, NE": lambda x: filters.kirsch(x, "NE"),
    "kirsch": filters.kirsch,
    "robinson": filters.robinson,
    "laplace": filters.laplace,
    "laplace_of_gaussian, sigma 2": lambda x: filters.laplace_of_gaussian(x, 2.0),
    "difference_of_gaussians, 2": lambda x: filters.difference_of_gaussians(x, 2.0),
    "hessian, both axes, sigma 2": lambda x: filters.hessian(x, 2.0)[1],
    "hessian_eigenvalues, sigma 2": lambda x: filters.hessian_eigenvalues(x, 2.0)[0],
    "structure_tensor, axis 1": lambda x: filters.structure_tensor(x, 2.0)[2],
    "gabor, real": lambda x: filters.gabor(x, 0.12, 0.6, part="real"),
    "gabor, imaginary": lambda x: filters.gabor(x, 0.12, 0.6, part="imaginary"),
    "gabor, magnitude": lambda x: filters.gabor(x, 0.12, 0.6),
}


def photograph():
    """Return a photograph that comes with scikit-learn, in grey."""
    return (load_sample_image("china.jpg") @ LUMINANCE)[60:380, 130:450]


def kernel_of(function, size=21):
    """Return the kernel that an image is correlated with; of no linear filter it is a sketch."""
    point = np.zeros((size, size), np.float32)
    point[size // 2, size // 2] = 1
    return np.flip(function(point))


def limits(values):
    """Return the darkest and the brightest value to draw: the same on both sides of zero."""
    low, high = np.percentile(values, [1, 99])
    return (-max(-low, high), max(-low, high)) if low < -0.05 * high else (low, high)


def draw(image):
    """Draw each result, with the kernel in a corner."""
    pictures = {"image": image} | {name: function(image) for name, function in FILTERS.items()}
    figure, axes = plt.subplots(5, 5, figsize=(12, 12.8), layout="constrained")
    for axis, (name, picture) in zip(axes.flat, pictures.items()):
        is_photograph = name.startswith(("image", "mean", "gaussian", "sharpen", "unsharp"))
        low, high = (0, 1) if is_photograph else limits(picture)
        axis.imshow(picture, cmap="gray", vmin=low, vmax=high)
        axis.set_title(name, fontsize=9)
        axis.axis("off")
        if name in FILTERS:
            corner = axis.inset_axes((0.68, 0.02, 0.3, 0.3))
            kernel = kernel_of(FILTERS[name])
            largest = np.abs(kernel).max() or 1
            corner.imshow(kernel, cmap="RdBu_r", vmin=-largest, vmax=largest)
            corner.set(xticks=[], yticks=[])
    figure.savefig("filters.png", dpi=60)


if __name__ == "__main__":
    draw(photograph())
