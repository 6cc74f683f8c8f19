"""What three dilated convolutions see: the receptive field, its holes, and how to avoid them.

    python examples/dilation.py

Prints the receptive fields of stacks of 3x3 convolutions, and the accuracy of logistic regression
on features of digits at one dilation and at several. Saves dilation.png where matplotlib is
installed.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import convlib as cl

PICTURE = "dilation.png"
STACKS = (1, 1, 1), (2, 2, 2), (1, 2, 3), (1, 2, 4)
SIZE = 17


def paths(dilations):
    """Return over how many ways through the stack each pixel reaches the output in the middle."""
    image = np.zeros((1, SIZE, SIZE, 1))
    image[0, SIZE // 2, SIZE // 2] = 1
    for dilation in dilations:    # ones are symmetric: in to out is out to in
        image = cl.conv(image, np.ones((3, 3, 1, 1)), padding="same", dilation=dilation)
    return image[0, :, :, 0]


def field(dilations):
    """Return the size of the receptive field along an axis."""
    (size, *_), _, _ = cl.shapes.receptive_field([((3, 3), 1, d) for d in dilations])
    return size


def accuracy(**dilations):
    """Return the mean accuracy of logistic regression on features of digits, in percent."""
    X, y = load_digits(return_X_y=True)
    features = cl.ConvFeatures(6, image_shape=(8, 8), random_state=0, **dilations)
    model = make_pipeline(MinMaxScaler(), features, LogisticRegression(max_iter=5000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return 100 * cross_val_score(model, X, y, cv=folds).mean()


def draw():
    """Save the paths of all stacks side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(STACKS), figsize=(11, 3.7), layout="constrained")
    for axis, dilations in zip(axes, STACKS):
        ways = paths(dilations)
        axis.imshow(np.where(ways > 0, ways, np.nan), cmap="viridis", vmin=0)
        axis.set(xticks=[], yticks=[], title=f"dilations {dilations}")
        axis.set_xlabel(f"{np.count_nonzero(ways)} of {field(dilations)**2} pixels seen")
    figure.suptitle("Ways from each pixel to one output of three 3x3 convolutions; white: none")
    figure.savefig(PICTURE, dpi=110)
    print(f"receptive fields: {PICTURE}")


def main():
    """Print and draw."""
    for dilations in STACKS:
        ways = paths(dilations)
        print(f"dilations {dilations}: a field of {field(dilations)} pixels along each axis, "
              f"{np.count_nonzero(ways)} of its {field(dilations)**2} pixels seen")
    print(f"6 random kernels at dilation 1: {accuracy():.2f} %")
    print(f"at dilations 1 and 2:           {accuracy(dilations=(1, 2)):.2f} %")
    try:
        draw()
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
