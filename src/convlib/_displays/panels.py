"""Axes for several pictures, made or shared out, and how an image is drawn in one."""

from math import ceil, sqrt

import numpy as np

from convlib import _validation as check

PANEL = 1.2     # inches of a panel in a new figure
TITLE = 0.25    # ... and of what is above it
GAP = 0.12      # of a panel in an Axes that is shared out, above and beside it


def axes_for(n_panels, n_columns, ax, figure):
    """Return an array with one Axes for each picture; no `n_columns` makes about as many rows."""
    n_columns = ceil(sqrt(n_panels)) if n_columns is None else min(
        check.integer("n_columns", n_columns, 1), n_panels)
    if ax is not None and figure is not None:
        raise ValueError("ax and figure must not both be given")
    n_rows = ceil(n_panels / n_columns)
    if ax is None:
        if figure is None:
            size = n_columns * PANEL, n_rows * (PANEL + TITLE)
            figure = pyplot().figure(figsize=size, layout="constrained")
        elif not hasattr(figure, "subplots"):
            raise TypeError(check.refusal("figure", "a matplotlib Figure or None", figure))
        grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for unused in grid[n_panels:]:
            unused.remove()
        return grid[:n_panels]
    if hasattr(ax, "inset_axes"):
        return shared_out(ax, n_panels, n_rows, n_columns)
    axes = np.ravel(np.asarray(ax, object))
    if not all(hasattr(axis, "inset_axes") for axis in axes):
        raise TypeError(check.refusal("ax", "matplotlib Axes, an array of them or None", ax))
    if len(axes) < n_panels:
        raise ValueError(f"ax must hold at least {n_panels} Axes, one a picture; got {len(axes)}")
    return axes[:n_panels]


def shared_out(ax, n_panels, n_rows, n_columns):
    """Return Axes within one, row by row from the top."""
    ax.axis("off")
    width, height = 1 / n_columns, 1 / n_rows
    axes = np.empty(n_panels, object)
    for number in range(n_panels):
        row, column = divmod(number, n_columns)
        axes[number] = ax.inset_axes((
            (column + GAP / 2) * width, 1 - (row + 1) * height, (1 - GAP) * width,
            (1 - 2 * GAP) * height))
    return axes


def pyplot():
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "convlib.displays needs matplotlib: pip install 'convlib[plot]'") from error
    return plt


def one_axes(ax, size):
    """Return the Axes to draw in, in a new figure of that many inches where none is given."""
    if ax is None:
        return pyplot().subplots(figsize=size, layout="constrained")[1]
    if not hasattr(ax, "inset_axes"):
        raise TypeError(check.refusal("ax", "a matplotlib Axes or None", ax))
    return ax


def draw_image(axis, image, **options):
    """Draw an image (height, width, channels) from its least to its largest value.

    Three channels are red, green and blue; of any other number the mean is drawn.
    """
    image = np.asarray(image, np.float64)
    if image.shape[-1] == 3:
        low, high = image.min(), image.max()
        axis.imshow((image - low) / ((high - low) or 1.0), **options)
    else:
        axis.imshow(image.mean(axis=-1), **{"cmap": "gray", **options})
    axis.set(xticks=[], yticks=[])


def draw_values(axis, values, largest, *, is_signed=True, cmap=None, positive="gray", **options):
    """Draw values (height, width, channels), the largest of which is given, about zero.

    Three channels are red, green and blue, with grey as zero. Of any other number the mean is
    drawn: signed in colours that are symmetric about zero, else in those called `positive`.
    """
    if values.shape[-1] == 3:
        axis.imshow(0.5 + 0.5 * values / largest)
    else:
        largest /= values.shape[-1]
        axis.imshow(values.mean(axis=-1), cmap=cmap or ("RdBu_r" if is_signed else positive),
                    vmin=-largest if is_signed else 0, vmax=largest, **options)
    axis.set(xticks=[], yticks=[])


def image_array(name, image):
    """Return an image (height, width, channels), or refuse what is none."""
    image = check.numeric_array(name, image)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or not image.size:
        raise ValueError(f"{name} must have shape (height, width) or (height, width, channels); "
                         f"got {image.shape}")
    return image
