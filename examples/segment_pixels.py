"""Segmentation of tissue under the microscope, from a few strokes of a pen.

A random forest learns from the features of the pixels under the strokes, and tells what all others
are: gland, connective tissue or empty. The picture comes with scikit-image; the result is saved to
the folder the script runs in.
"""

import time

import matplotlib
import numpy as np
from skimage.data import immunohistochemistry
from sklearn.ensemble import RandomForestClassifier

from convlib import PixelClassifier, PixelFeatures

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap

NAMES = ("gland", "connective tissue", "empty")
COLOURS = ("#e69f00", "#0072b2", "#f0f0f0")
# Strokes: from (row, column) to (row, column).
STROKES = {
    1: (((50, 60), (170, 110)), ((150, 210), (220, 170)), ((50, 350), (140, 430)),
        ((330, 80), (470, 130)), ((370, 290), (460, 340)), ((235, 380), (265, 405)),
        ((230, 30), (270, 95)),
        ((340, 56), (480, 48))),
    2: (((60, 480), (290, 465)), ((270, 160), (270, 270)), ((330, 180), (480, 225)),
        ((340, 400), (400, 395)), ((440, 500), (300, 495)), ((225, 290), (262, 335)),
        ((178, 276), (215, 280)), ((222, 85), (240, 115)), ((300, 235), (345, 225)),
        ((440, 185), (500, 165)), ((15, 450), (60, 500)),
        ((350, 246), (430, 252)), ((303, 262), (312, 345)), ((350, 163), (480, 163)),
        ((200, 470), (255, 450))),
    3: (((330, 12), (420, 20)), ((450, 8), (490, 22)), ((95, 330), (180, 372)),
        ((430, 430), (455, 440)), ((3, 60), (8, 75)),
        ((20, 147), (38, 155)), ((330, 40), (480, 34))),
}


def draw(strokes, size, width=3):
    """Return a label image: 0, and the label of each stroke where it runs."""
    labels = np.zeros(size, np.uint8)
    for label, lines in strokes.items():
        for start, stop in lines:
            places = np.linspace(start, stop, 500).round().astype(int)
            for row, column in places - width // 2:
                labels[row:row + width, column:column + width] = label
    return labels


def outlines(labels):
    """Return where a pixel and the one below it or to its right have different labels."""
    edges = np.zeros(labels.shape, bool)
    edges[:-1] |= labels[:-1] != labels[1:]
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edges


image = immunohistochemistry()
labels = draw(STROKES, image.shape[:2])
model = PixelClassifier(
    RandomForestClassifier(60, min_samples_leaf=3, random_state=0),
    PixelFeatures(sigma_min=1, sigma_max=16, channel_axis=-1, scale=1 / 255),
)
start = time.perf_counter()
model.fit(image, labels)
print(f"fit: {time.perf_counter() - start:.2f} s for {np.count_nonzero(labels)} labelled pixels of "
      f"{labels.size}, {len(model.features_.get_feature_names_out())} features each")
start = time.perf_counter()
segmented, certainty = model.predict(image), model.predict_proba(image).max(axis=-1)
print(f"predict: {time.perf_counter() - start:.2f} s, labels and probabilities")
for label, name in enumerate(NAMES, 1):
    print(f"{name}: {np.mean(segmented == label):.0%} of the picture")

figure, axes = plt.subplots(2, 2, figsize=(8.4, 8.8))
colours = ListedColormap(COLOURS)
pens = ListedColormap(("#ffd000", "#0050d0", "#000000"))
axes[0, 0].imshow(image)
axes[0, 0].imshow(np.ma.masked_equal(labels, 0), cmap=pens, vmin=1, vmax=3, interpolation="none")
axes[0, 0].set_title(f"{np.mean(labels > 0):.1%} of the pixels are labelled")
axes[0, 1].imshow(segmented, cmap=colours, vmin=1, vmax=3, interpolation="none")
axes[0, 1].set_title("predicted labels")
framed = image.copy()
framed[outlines(segmented)] = (0, 0, 0)
axes[1, 0].imshow(framed)
axes[1, 0].set_title("their outlines")
shown = axes[1, 1].imshow(certainty, cmap="gray", vmin=1 / 3, vmax=1)
axes[1, 1].set_title("probability of the predicted label")
for axis in axes.flat:
    axis.set_axis_off()
figure.legend(handles=[plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="gray", label=name)
                       for name, colour in zip(NAMES, COLOURS)],
              loc="lower center", ncols=3, frameon=False)
figure.tight_layout(rect=(0, 0.03, 1, 1))
figure.savefig("segment_pixels.jpg", dpi=100, pil_kwargs={"quality": 88})
