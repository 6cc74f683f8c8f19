"""Sampling points that bend: what a deformable layer learns from rotated and scaled digits.

    python examples/deformable_digits.py

A network with a deformable convolution, and the same one with a standard convolution in its place,
learn from digits that are rotated by up to 60 degrees and scaled by 0.7 to 1.3. Prints the accuracy
of both on other such digits, and saves deformable_digits.png: where the nine taps of one output
look, in one digit at several angles and sizes.
"""

import argparse

import matplotlib
import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import convlib as cl
from convlib.layers import Conv, DeformConv, GlobalPool, MaxPool

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PICTURE = "deformable_digits.png"
SIDE = 20
ANGLES, SCALES = (-60, -30, 0, 30, 60), (0.7, 1.0, 1.3)
LAYER = 2    # the deformable one


def turned(digit, angle, scale):
    """Return a digit of 8 x 8 as SIDE x SIDE pixels, twice as large, rotated and scaled."""
    radians = np.deg2rad(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    turn /= 2 * scale
    middle = np.full(2, (SIDE - 1) / 2)
    return ndimage.affine_transform(
        digit, turn, np.full(2, 3.5) - turn @ middle, (SIDE, SIDE), order=1)


def turned_at_random(digits, rng):
    """Return digits, each rotated and scaled by chance."""
    angles, scales = rng.uniform(-60, 60, len(digits)), rng.uniform(0.7, 1.3, len(digits))
    images = [turned(*one) for one in zip(digits, angles, scales)]
    return np.array(images, np.float32)[..., np.newaxis]


def network(layer, seed):
    """Return a network with that layer in the middle."""
    return cl.ConvNetClassifier(
        layers=[Conv(16, activation="relu"), MaxPool(), layer, Conv(32, activation="relu"),
                GlobalPool("max")],
        batch_size=64, max_iter=60, learning_rate_init=0.003, n_iter_no_change=60,
        random_state=seed)


def points(fitted, image, row, column):
    """Return where the taps of one output look, in pixels of the image: (9, 2)."""
    maps = fitted.as_transformer(LAYER - 1).transform(image[np.newaxis])
    maps = maps.reshape(1, SIDE // 2, SIDE // 2, -1)
    arrays = fitted.coefs_
    offsets = cl.conv(maps, arrays[f"{LAYER}.offset_kernel"], arrays[f"{LAYER}.offset_bias"],
                      padding="same")[0, row, column].reshape(9, 2)
    taps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1).reshape(9, 2)
    return 2 * (np.array([row, column]) + taps + offsets) + 0.5    # a map's pixel is two


def draw(fitted, digit):
    """Save the picture."""
    figure, axes = plt.subplots(
        len(SCALES), len(ANGLES), figsize=(9, 5.8), layout="constrained")
    row = column = SIDE // 4
    for axis, (scale, angle) in zip(axes.flat, ((s, a) for s in SCALES for a in ANGLES)):
        image = turned(digit, angle, scale).astype(np.float32)[..., np.newaxis]
        found = points(fitted, image, row, column)
        middle = 2 * np.array([row, column]) + 0.5
        grid = middle + 2 * np.stack(
            np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1).reshape(9, 2)
        axis.imshow(image[..., 0], cmap="gray_r", vmax=1.4)
        for start, end in zip(grid, found):
            axis.plot([start[1], end[1]], [start[0], end[0]], color="C1", linewidth=1)
        standard, = axis.plot(grid[:, 1], grid[:, 0], "s", color="C0", markersize=3)
        bent, = axis.plot(found[:, 1], found[:, 0], "o", color="C3", markersize=4)
        axis.set(xticks=[], yticks=[], xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5))
        axis.set_title(f"{angle} degrees, x {scale}", fontsize=8)
    figure.legend([standard, bent], ["taps of a standard convolution", "where they look"],
                  loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(PICTURE, dpi=100)
    print(f"sampling points: {PICTURE}")


def main():
    """Compare both networks and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8) / 16
    layers = {"standard": Conv(16, activation="relu"),
              "deformable": DeformConv(16, activation="relu")}
    scores, fitted = {name: [] for name in layers}, {}
    for seed in range(parser.parse_args().seeds):
        rng = np.random.default_rng(seed)
        X_fit, X_test, y_fit, y_test = train_test_split(
            X, y, test_size=0.5, stratify=y, random_state=seed)
        images, others = turned_at_random(X_fit, rng), turned_at_random(X_test, rng)
        for name, layer in layers.items():
            fitted[name] = network(layer, seed).fit(images, y_fit)
            scores[name].append(100 * fitted[name].score(others, y_test))
        if seed == 0:
            draw(fitted["deformable"], X[y == 3][0])
    for name, found in scores.items():
        print(f"{name:12s}{np.mean(found):6.2f} +- {np.std(found):4.2f} %")


if __name__ == "__main__":
    main()
