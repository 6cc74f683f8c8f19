"""Every filter and every bank on one photograph, each with its kernel beside it.

    python examples/gallery.py

saves the pictures of the gallery to the folder it runs in.
"""

import matplotlib
import numpy as np
from sklearn.datasets import load_sample_image

import convlib as cl
from convlib import banks, filters

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from convlib.displays import KernelDisplay

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32) / 255

# What is not linear has no kernel. Beside names with * is what they make of one bright pixel, and
# beside those with # the window in which they look.
SMOOTHING = {
    "mean, 9 x 9": lambda x: filters.mean(x, 9),
    "gaussian, sigma 3": lambda x: filters.gaussian(x, 3.0),
    "gaussian, one axis": lambda x: filters.gaussian(x, (0.0, 6.0)),
    "median, 7 x 7 #": lambda x: filters.median(x, 7),
    "maximum, 7 x 7 #": lambda x: filters.maximum(x, 7),
    "minimum, 7 x 7 #": lambda x: filters.minimum(x, 7),
    "percentile, 80, 7 x 7 #": lambda x: filters.percentile(x, 80, 7),
    "sharpen": filters.sharpen,
    "unsharp_mask, sigma 3": lambda x: filters.unsharp_mask(x, 3.0, 1.5),
    "correlate, a streak": lambda x: filters.correlate(x, np.eye(15) / 15),
    "convolve, a corner": lambda x: filters.convolve(x, np.triu(np.ones((9, 9))) / 45),
}
FIRST_ORDER = {
    "roberts, down": lambda x: filters.roberts(x, "down"),
    "roberts, up": lambda x: filters.roberts(x, "up"),
    "roberts *": filters.roberts,
    "prewitt, axis 0": lambda x: filters.prewitt(x, 0),
    "prewitt, axis 1": lambda x: filters.prewitt(x, 1),
    "prewitt *": filters.prewitt,
    "sobel, axis 0": lambda x: filters.sobel(x, 0),
    "sobel, axis 1": lambda x: filters.sobel(x, 1),
    "sobel *": filters.sobel,
    "scharr, axis 0": lambda x: filters.scharr(x, 0),
    "scharr, axis 1": lambda x: filters.scharr(x, 1),
    "scharr *": filters.scharr,
    "farid, axis 0": lambda x: filters.farid(x, 0),
    "farid, axis 1": lambda x: filters.farid(x, 1),
    "farid *": filters.farid,
    "kirsch, NE": lambda x: filters.kirsch(x, "NE"),
    "kirsch, SW": lambda x: filters.kirsch(x, "SW"),
    "kirsch *": filters.kirsch,
    "robinson, NE": lambda x: filters.robinson(x, "NE"),
    "robinson, SW": lambda x: filters.robinson(x, "SW"),
    "robinson *": filters.robinson,
    "gaussian, order (0, 1)": lambda x: filters.gaussian(x, 2.0, order=(0, 1)),
    "gradient_magnitude *": lambda x: filters.gradient_magnitude(x, 2.0),
    "gradient_direction *": filters.gradient_direction,
}
SECOND_ORDER = {
    "laplace": filters.laplace,
    "laplace_of_gaussian": lambda x: filters.laplace_of_gaussian(x, 2.0),
    "difference_of_gaussians": lambda x: filters.difference_of_gaussians(x, 2.0),
    "hessian, (0, 0)": lambda x: filters.hessian(x, 2.0)[0],
    "hessian, (0, 1)": lambda x: filters.hessian(x, 2.0)[1],
    "hessian, (1, 1)": lambda x: filters.hessian(x, 2.0)[2],
    "hessian_eigenvalues, first *": lambda x: filters.hessian_eigenvalues(x, 2.0)[0],
    "hessian_eigenvalues, second *": lambda x: filters.hessian_eigenvalues(x, 2.0)[1],
    "structure_tensor, (0, 0) *": lambda x: filters.structure_tensor(x, 2.0)[0],
    "gabor, real": lambda x: filters.gabor(x, 0.12, 0.6, part="real"),
    "gabor, imaginary": lambda x: filters.gabor(x, 0.12, 0.6, part="imaginary"),
    "gabor *": lambda x: filters.gabor(x, 0.12, 0.6),
}
BANKS = {
    "gabor_bank()": (banks.gabor_bank(), (4, 12)),
    "leung_malik()": (banks.leung_malik(), (8, 46)),
    "schmid()": (banks.schmid(), (2, 8)),
    "maximum_response()": (banks.maximum_response(), (9, 33)),
    "dct(8)": (banks.dct(), (1, 18)),
    "laws(5)": (banks.laws(), (6, 12)),
    "steerable(2, 2.5)": (banks.steerable(2, 2.5), (0, 1)),
}


def photograph():
    """Return a photograph that comes with scikit-learn, in grey."""
    return (load_sample_image("china.jpg") @ LUMINANCE)[60:380, 130:450]


def kernel_of(function, size=21):
    """Return the kernel that an image is correlated with; of no linear filter it is a sketch."""
    point = np.zeros((size, size), np.float32)
    point[size // 2, size // 2] = 1
    return np.flip(function(point))


def picture_of(name, function):
    """Return what stands beside a filter, and what is said of it."""
    if name.endswith("#"):
        return np.pad(np.ones((7, 7)), 1), "window"
    return cropped(kernel_of(function)), "one pixel" if name.endswith("*") else ""


def cropped(kernel):
    """Return a kernel with one zero around it, its centre in the middle."""
    rows, columns = np.nonzero(np.abs(kernel) > 1e-3 * np.abs(kernel).max())
    middle = len(kernel) // 2
    reach = 1 + max([0, *np.abs(rows - middle), *np.abs(columns - middle)])
    kernel = np.pad(kernel, 1)
    inside = slice(middle + 1 - reach, middle + reach + 2)
    return kernel[inside, inside]


def limits(values):
    """Return the darkest and the brightest value to draw: the same on both sides of zero."""
    low, high = np.percentile(values, [1, 99])
    return (-max(-low, high), max(-low, high)) if low < -0.05 * high else (low, high)


def show(axis, values, are_grey_levels=False):
    """Draw what a filter made."""
    low, high = (0, 1) if are_grey_levels else limits(values)
    axis.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    axis.axis("off")


def draw_filters(image, functions, file, n_columns=3, are_grey_levels=False):
    """Draw each filter's kernel, and beside it what it makes of the photograph."""
    n_rows = -(-len(functions) // n_columns)
    figure = plt.figure(figsize=(n_columns * 4.0, n_rows * 2.6), layout="constrained")
    places = figure.subfigures(n_rows, n_columns, squeeze=False).ravel()
    for place, (name, function) in zip(places, functions.items()):
        place.suptitle(name.rstrip(" *#"), fontsize=11)
        left, right = place.subplots(1, 2, width_ratios=(1, 2.4))
        kernel, words = picture_of(name, function)
        KernelDisplay.from_kernels(kernel[..., np.newaxis, np.newaxis], ax=[left], names=[words])
        show(right, function(image), are_grey_levels)
    save(figure, file)


def draw_banks(image, file):
    """Draw the kernels of each bank, and what two of them make of the photograph."""
    figure = plt.figure(figsize=(12, 3.6 * len(BANKS)), layout="constrained")
    for place, (name, (bank, chosen)) in zip(figure.subfigures(len(BANKS), 1), BANKS.items()):
        place.suptitle(f"{name}: {bank.shape[-1]} kernels of {bank.shape[0]} x {bank.shape[1]}",
                       fontsize=11)
        left, *right = place.subplots(1, 3)
        n = bank.shape[-1]
        KernelDisplay.from_kernels(bank, ax=left, names=[""] * n, n_columns=3 if n < 4 else None)
        maps = cl.conv(image[np.newaxis, ..., np.newaxis], bank[..., list(chosen)],
                       padding="same", padding_mode="symmetric")
        for axis, number, values in zip(right, chosen, np.moveaxis(maps[0], -1, 0)):
            show(axis, values)
            axis.set_title(f"k{number}", fontsize="small")
    save(figure, file)


def draw_responses(image, file):
    """Draw the eight features of maximum response."""
    figure, axes = plt.subplots(2, 4, figsize=(12, 6.4), layout="constrained")
    names = [f"{kind}, sigma {sigma}" for kind in ("edges", "bars") for sigma in (1, 2, 4)]
    responses = np.moveaxis(banks.mr8_responses(image), -1, 0)
    for axis, name, values in zip(axes.flat, [*names, "Gaussian", "Laplacian"], responses):
        show(axis, values)
        axis.set_title(name, fontsize=11)
    save(figure, file)


def save(figure, file):
    """Write a picture of few bytes."""
    figure.savefig(file, dpi=80, pil_kwargs={"quality": 72, "optimize": True})
    plt.close(figure)


if __name__ == "__main__":
    grey = photograph()
    draw_filters(grey, {"the photograph": lambda x: x} | SMOOTHING, "gallery_smoothing.jpg",
                 are_grey_levels=True)
    draw_filters(grey, FIRST_ORDER, "gallery_first_order.jpg")
    draw_filters(grey, SECOND_ORDER, "gallery_second_order.jpg")
    draw_banks(grey, "gallery_banks.jpg")
    draw_responses(grey, "gallery_mr8.jpg")
