"""How far the layers of a network see."""

import numpy as np

from convlib import _validation as check
from convlib._displays.panels import draw_image, image_array, one_axes, pyplot
from convlib._layers import chain
from convlib._layers.insight import settled
from convlib._layers.layer import checked_shape, first_field

SIZE = 5.5, 3.6    # inches of a new figure


class ReceptiveFieldDisplay:
    """The windows that values of the layers of a network see, one inside the other.

    Each is drawn about the middle of the image, once where it grows; it may be larger than the
    image. Offsets of deformable convolutions count as zero. Make it with `from_estimator` or
    `from_layers`.

    Parameters
    ----------
    names : sequence of str
        Of the layers.
    sizes : sequence of (int, int)
        Height and width of their windows.
    input_shape : tuple of int
        Height, width and channels of the image.
    image : array-like of shape (height, width, channels), default=None
        Drawn below them.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Where they are drawn.
    ax_ : matplotlib Axes
        With the image and the windows.
    legend_ : matplotlib Legend
        With the names and sizes.

    See Also
    --------
    convlib.layers.summary : The same as numbers.

    Examples
    --------
    >>> from convlib.displays import ReceptiveFieldDisplay
    >>> display = ReceptiveFieldDisplay(["one", "two"], [(3, 3), (5, 5)], (8, 8, 1)).plot()
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['one: 3 x 3', 'two: 5 x 5']
    """

    def __init__(self, names, sizes, input_shape, image=None):
        self.names = names
        self.sizes = sizes
        self.input_shape = input_shape
        self.image = image

    @classmethod
    def from_estimator(cls, estimator, *, image=None, ax=None):
        """Draw the windows of the layers of a network.

        Parameters
        ----------
        estimator : Network, ConvNetClassifier or ConvNetRegressor
            Fitted.
        image : array-like of shape (height, width, channels) or (height, width), default=None
            Drawn below them.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : ReceptiveFieldDisplay
            With the figure.

        See Also
        --------
        from_layers : For layers without weights.

        Examples
        --------
        >>> from convlib.displays import ReceptiveFieldDisplay
        >>> from convlib.layers import AveragePool, Network
        >>> network = Network([AveragePool(2), AveragePool(2)], (8, 8, 1), {})
        >>> ReceptiveFieldDisplay.from_estimator(network).sizes
        [(2, 2), (4, 4)]
        """
        network = settled(estimator)
        return cls.from_layers(network.layers, network.input_shape, image=image, ax=ax)

    @classmethod
    def from_layers(cls, layers, input_shape, *, image=None, ax=None):
        """Draw the windows of a list of layers.

        Parameters
        ----------
        layers : list of layers
            Of `convlib.layers`.
        input_shape : tuple of int
            Height, width and channels of an image.
        image : array-like of shape (height, width, channels) or (height, width), default=None
            Drawn below them.
        ax : matplotlib Axes, default=None
            As in `plot`.

        Returns
        -------
        display : ReceptiveFieldDisplay
            With the figure.

        See Also
        --------
        from_estimator : For fitted networks.

        Examples
        --------
        >>> from convlib.displays import ReceptiveFieldDisplay
        >>> from convlib.layers import Conv
        >>> display = ReceptiveFieldDisplay.from_layers([Conv(8), Conv(8, dilation=2)], (28, 28, 1))
        >>> display.names
        ['0 Conv', '1 Conv']
        """
        layers, input_shape = chain.check_layers("layers", layers), checked_shape(input_shape)
        if len(input_shape) != 3:
            raise ValueError("input_shape must be height, width and channels; got "
                             f"{input_shape}")
        field, names, sizes = first_field(input_shape), [], []
        for number, layer, shape in chain.steps(layers, input_shape):
            field = layer._field(field, shape)
            if field.size != (sizes[-1] if sizes else (1, 1)):
                names.append(f"{number} {type(layer).__name__}")
                sizes.append(field.size)
        return cls(names, sizes, input_shape, image).plot(ax)

    def plot(self, ax=None):
        """Draw the windows, and set `figure_`, `ax_` and `legend_`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where it is drawn; None means a new figure.

        Returns
        -------
        display : ReceptiveFieldDisplay
            This one.

        See Also
        --------
        from_estimator : Compute, make and draw at once.

        Examples
        --------
        >>> from convlib.displays import ReceptiveFieldDisplay
        >>> display = ReceptiveFieldDisplay(["all"], [(8, 8)], (8, 8, 1)).plot()
        >>> len(display.ax_.patches)
        2
        """
        height, width, *_ = check.axis_ints("input_shape", self.input_shape, 3, 1)
        self.ax_ = one_axes(ax, SIZE)
        self.figure_ = self.ax_.figure
        colours = pyplot().get_cmap("plasma")(np.linspace(0.85, 0.1, max(1, len(self.names))))
        if self.image is not None:
            draw_image(self.ax_, image_array("image", self.image),
                       extent=(0, width, height, 0))
        rectangle = _rectangle()
        self.ax_.add_patch(rectangle(
            (0, 0), width, height, fill=False, edgecolor="0.5", linestyle="--"))
        # From the middle of a pixel to that of another: the image may have no pixel in the middle.
        row, column = height // 2 + 0.5, width // 2 + 0.5
        for name, (rows, columns), colour in zip(self.names, self.sizes, colours):
            self.ax_.add_patch(rectangle(
                (column - columns / 2, row - rows / 2), columns, rows, fill=False,
                edgecolor=colour, linewidth=2, label=f"{name}: {rows} x {columns}"))
        largest = np.max([(height, width), *self.sizes], axis=0)
        margin = 0.04 * largest.max()
        self.ax_.set(
            xlim=(min(0, column - largest[1] / 2) - margin,
                  max(width, column + largest[1] / 2) + margin),
            ylim=(max(height, row + largest[0] / 2) + margin,
                  min(0, row - largest[0] / 2) - margin),
            xticks=[], yticks=[], aspect="equal", title=f"image: {height} x {width}")
        options = {"frameon": False, "title": "what a value sees", "alignment": "left"}
        if ax is None:
            self.legend_ = self.figure_.legend(loc="outside right upper", **options)
        else:
            self.legend_ = self.ax_.legend(
                loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0, **options)
        return self


def _rectangle():
    pyplot()    # tells where matplotlib comes from
    from matplotlib.patches import Rectangle

    return Rectangle
