"""A look into a network that tells faces from other pieces of photographs.

    python examples/inside_network.py

Saves inside_network.png: how it learnt, how far its layers see, the kernels of the first layer, its
maps of one face, what of the face comes back from units of the third convolution, and what the
network loses where pixels are hidden. Needs scikit-image and matplotlib.
"""

import matplotlib
import numpy as np
from skimage import data
from sklearn.model_selection import train_test_split

from convlib import ConvNetClassifier
from convlib.displays import (
    DeconvDisplay,
    FeatureMapDisplay,
    KernelDisplay,
    LossCurveDisplay,
    ReceptiveFieldDisplay,
)
from convlib.layers import Conv, GlobalPool, MaxPool, occlusion_map

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PICTURE = "inside_network.png"
LAYERS = [
    Conv(12, 5, activation="relu"), MaxPool(), Conv(16, activation="relu"), MaxPool(),
    Conv(24, activation="relu"), GlobalPool("max"),
]


def main():
    """Train, test and draw."""
    images = data.lfw_subset()[..., np.newaxis].astype(np.float32)
    is_face = np.arange(200) < 100    # the first hundred are
    X, X_test, y, y_test = train_test_split(
        images, is_face, test_size=0.3, stratify=is_face, random_state=0)
    network = ConvNetClassifier(
        layers=LAYERS, batch_size=20, max_iter=60, learning_rate_init=0.002, early_stopping=True,
        validation_fraction=0.2, n_iter_no_change=60, random_state=0).fit(X, y)
    print(f"{100 * network.score(X_test, y_test):.1f} % of {len(y_test)} test images are right")
    face = X_test[y_test][2]

    figure = plt.figure(figsize=(13, 10.5), layout="constrained")
    rows = figure.subfigures(3, 2, width_ratios=(1, 1.15), height_ratios=(0.9, 1, 1))
    axis = rows[0, 0].subplots()
    LossCurveDisplay.from_estimator(network, ax=axis)
    axis = rows[0, 1].subplots()
    ReceptiveFieldDisplay.from_estimator(network, image=face, ax=axis)
    KernelDisplay.from_estimator(network, figure=rows[1, 0], n_columns=4)
    FeatureMapDisplay.from_estimator(network, face, figure=rows[1, 1], n_columns=5)
    DeconvDisplay.from_estimator(network, face, layer=4, figure=rows[2, 0], n_columns=4)
    left, right = rows[2, 1].subplots(1, 2)
    left.imshow(face[..., 0], cmap="gray")
    left.set(xticks=[], yticks=[], title="face")
    losses = occlusion_map(network, face, unit=1, size=7, fill=face.mean())
    largest = np.abs(losses).max()
    drawn = right.imshow(losses, cmap="RdBu_r", vmin=-largest, vmax=largest)
    right.set(xticks=[], yticks=[], title="7 x 7 pixels set to the mean")
    rows[2, 1].colorbar(drawn, ax=right, label="loss of the score", shrink=0.8)
    for row, titles in zip(rows, (("learning", "receptive fields"),
                                  ("kernels of the first layer", "maps of the first layer"),
                                  ("deconvnet, third convolution", "occlusion"))):
        for part, title in zip(row, titles):
            part.suptitle(title, fontweight="bold")
    figure.savefig(PICTURE, dpi=80)
    print(f"pictures: {PICTURE}")


if __name__ == "__main__":
    main()
