"""What an image becomes in a layer, and what of the image comes back from there."""

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._displays.panels import axes_for, draw_image, draw_values, image_array
from convlib._layers.insight import deconvnet, layer_number, settled
from convlib._layers.network import Network
from convlib._terms import numbered


class FeatureMapDisplay:
    """An image and the maps that a layer makes of it.

    Maps with values below zero have colours that are symmetric about zero, others go from dark, for
    zero, to bright. Make it with `from_estimator`.

    Parameters
    ----------
    maps : array-like of shape (height, width, n_maps)
        What is drawn.
    image : array-like of shape (height, width, channels), default=None
        Drawn before the maps.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Where they are drawn.
    axes_ : ndarray of matplotlib Axes
        One for each picture.

    See Also
    --------
    DeconvDisplay : What in the image the maps respond to.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.displays import FeatureMapDisplay
    >>> display = FeatureMapDisplay(np.random.default_rng(0).random((8, 8, 3))).plot()
    >>> [axis.get_title() for axis in display.axes_]
    ['map 0', 'map 1', 'map 2']
    """

    def __init__(self, maps, image=None):
        self.maps = maps
        self.image = image

    @classmethod
    def from_estimator(
        cls, estimator, image, *, layer=0, ax=None, figure=None, n_columns=None, max_maps=24,
        cmap=None, shared_scale=True,
    ):
        """Draw the maps of one image.

        Parameters
        ----------
        estimator : Network, ConvNetClassifier, ConvNetRegressor, ConvFeatures or its like
            Fitted.
        image : array-like of shape (height, width, channels) or (height, width)
            As the layers of a network get it, or as the transformer takes it.
        layer : int, default=0
            Number of the layer of a network; transformers have one.
        ax : matplotlib Axes or array-like of them, default=None
            As in `plot`.
        figure : matplotlib Figure or SubFigure, default=None
            As in `plot`.
        n_columns : int, default=None
            As in `plot`.
        max_maps : int, default=24
            As in `plot`.
        cmap : str or matplotlib Colormap, default=None
            As in `plot`.
        shared_scale : bool, default=True
            As in `plot`.

        Returns
        -------
        display : FeatureMapDisplay
            With the figure.

        See Also
        --------
        KernelDisplay.from_estimator : For the kernels.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from convlib import ConvFeatures
        >>> from convlib.displays import FeatureMapDisplay
        >>> images = load_digits().images
        >>> features = ConvFeatures(4, kernels="pca").fit(images)
        >>> len(FeatureMapDisplay.from_estimator(features, images[0]).axes_)
        5
        """
        if not isinstance(estimator, Network):
            check_is_fitted(estimator)
        image = image_array("image", image)
        if isinstance(estimator, Network) or hasattr(estimator, "_network"):
            network = settled(estimator)
            n_layers = layer_number(layer, len(network.layers)) + 1
            maps = network.outputs(image[np.newaxis], n_layers=n_layers)[0]
        elif hasattr(estimator, "transform") and hasattr(estimator, "output"):
            mapper = copy.copy(estimator)
            mapper.output = "maps"
            maps = mapper.transform(image[np.newaxis])[0]
        else:
            raise TypeError(check.refusal(
                "estimator", "a network or a transformer of images with maps", estimator))
        return cls(maps, image).plot(
            ax, figure, n_columns=n_columns, max_maps=max_maps, cmap=cmap,
            shared_scale=shared_scale)

    def plot(
        self, ax=None, figure=None, *, n_columns=None, max_maps=24, cmap=None, shared_scale=True,
    ):
        """Draw the maps, and set `figure_` and `axes_`.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            One Axes is shared out among the pictures; of several each gets one, in order.
        figure : matplotlib Figure or SubFigure, default=None
            Where new Axes are made; not with `ax`. None means a new figure.
        n_columns : int, default=None
            Pictures side by side. None makes about as many rows.
        max_maps : int, default=24
            Maps after these are left out.
        cmap : str or matplotlib Colormap, default=None
            None means 'RdBu_r' where there are values below zero, which is white, else 'viridis'.
        shared_scale : bool, default=True
            Whether the largest absolute value of all maps is the end of each scale, and not their
            own.

        Returns
        -------
        display : FeatureMapDisplay
            This one.

        See Also
        --------
        from_estimator : Compute, make and draw at once.

        Examples
        --------
        >>> import numpy as np
        >>> from convlib.displays import FeatureMapDisplay
        >>> maps = np.random.default_rng(0).normal(size=(8, 8, 3))
        >>> len(FeatureMapDisplay(maps).plot(max_maps=2).axes_)
        2
        """
        maps = check.numeric_array("maps", self.maps)
        if maps.ndim != 3 or not maps.size:
            raise ValueError(f"maps must have shape (height, width, n_maps); got {maps.shape}: a "
                             "layer of signals, volumes or flat values has none")
        n_maps = maps.shape[-1]
        names = numbered("map ", n_maps) if n_maps > 1 else ["map"]
        shown = maps[..., :check.integer("max_maps", max_maps, 1)]
        shared_scale = check.flag("shared_scale", shared_scale)
        first = int(self.image is not None)
        n_panels = first + shown.shape[-1]
        self.axes_ = axes_for(n_panels, n_columns, ax, figure)
        self.figure_ = self.axes_[0].figure
        if first:
            draw_image(self.axes_[0], image_array("image", self.image))
            self.axes_[0].set_title("image", fontsize="small")
        for number, axis in enumerate(self.axes_[first:]):
            values = np.asarray(shown[..., number:number + 1], np.float64)
            scale = shown if shared_scale else values
            draw_values(axis, values, float(np.abs(scale).max()) or 1.0,
                        is_signed=scale.min() < 0, cmap=cmap, positive="viridis")
            axis.set_title(names[number], fontsize="small")
        return self


class DeconvDisplay:
    """An image, and for some units of a network what in it they respond to.

    Patterns are those of `convlib.layers.deconvnet`; their colours are symmetric about zero, which
    is white. Make it with `from_estimator`.

    Parameters
    ----------
    image : array-like of shape (height, width, channels)
        What the network was given.
    patterns : array-like of shape (n_units, height, width, channels)
        What came back of each unit.
    names : sequence of str
        Of the units.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Where they are drawn.
    axes_ : ndarray of matplotlib Axes
        One for each picture.

    See Also
    --------
    FeatureMapDisplay : The maps themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.displays import DeconvDisplay
    >>> image = np.random.default_rng(0).random((8, 8, 1))
    >>> display = DeconvDisplay(image, [image * 2], ["all"]).plot()
    >>> [axis.get_title() for axis in display.axes_]
    ['image', 'all']
    """

    def __init__(self, image, patterns, names):
        self.image = image
        self.patterns = patterns
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, image, *, layer=-1, units=None, ax=None, figure=None, n_columns=None,
        cmap=None,
    ):
        """Send the responses of some units back to the pixels and draw what comes there.

        Parameters
        ----------
        estimator : Network, ConvNetClassifier or ConvNetRegressor
            Fitted.
        image : array-like of shape (height, width, channels) or (height, width)
            As the layers get it.
        layer : int, default=-1
            Number of the layer that the units belong to.
        units : sequence of int or of tuple of int, default=None
            As `unit` in `convlib.layers.deconvnet`. None are the seven channels with the largest
            responses.
        ax : matplotlib Axes or array-like of them, default=None
            As in `plot`.
        figure : matplotlib Figure or SubFigure, default=None
            As in `plot`.
        n_columns : int, default=None
            As in `plot`.
        cmap : str or matplotlib Colormap, default=None
            As in `plot`.

        Returns
        -------
        display : DeconvDisplay
            With the figure.

        See Also
        --------
        convlib.layers.deconvnet : The patterns as arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from convlib.displays import DeconvDisplay
        >>> from convlib.layers import Conv, Network
        >>> network = Network([Conv(2, bias=False)], (8, 8, 1), {"0.kernel": np.ones((3, 3, 1, 2))})
        >>> display = DeconvDisplay.from_estimator(network, np.eye(8), units=[1, (4, 5, 0)])
        >>> [axis.get_title() for axis in display.axes_]
        ['image', 'channel 1', 'channel 0 at 4, 5']
        """
        if not isinstance(estimator, Network):
            check_is_fitted(estimator)
        network, image = settled(estimator), image_array("image", image)
        number = layer_number(layer, len(network.layers))
        if units is None:
            outputs = network.outputs(image[np.newaxis], n_layers=number + 1)[0]
            units = np.argsort(-outputs.reshape(-1, outputs.shape[-1]).max(axis=0), kind="stable")
            units = [int(unit) for unit in units[:7]]
        patterns = [deconvnet(network, image, number, unit) for unit in units]
        names = [f"channel {unit}" if check.as_int(unit) is not None else
                 f"channel {unit[-1]}" + (f" at {', '.join(map(str, unit[:-1]))}"
                                          if len(unit) > 1 else "") for unit in units]
        return cls(image, patterns, names).plot(ax, figure, n_columns=n_columns, cmap=cmap)

    def plot(self, ax=None, figure=None, *, n_columns=None, cmap=None):
        """Draw the image and the patterns, and set `figure_` and `axes_`.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            One Axes is shared out among the pictures; of several each gets one, in order.
        figure : matplotlib Figure or SubFigure, default=None
            Where new Axes are made; not with `ax`. None means a new figure.
        n_columns : int, default=None
            Pictures side by side. None makes about as many rows.
        cmap : str or matplotlib Colormap, default=None
            Of patterns of one channel; None means 'RdBu_r'. Those of three are red, green and blue
            around grey.

        Returns
        -------
        display : DeconvDisplay
            This one.

        See Also
        --------
        from_estimator : Compute, make and draw at once.

        Examples
        --------
        >>> import numpy as np
        >>> from convlib.displays import DeconvDisplay
        >>> image = np.random.default_rng(0).random((8, 8, 1))
        >>> len(DeconvDisplay(image, [image, -image], ["plus", "minus"]).plot(n_columns=3).axes_)
        3
        """
        image = image_array("image", self.image)
        patterns = [image_array(f"patterns[{number}]", pattern)
                    for number, pattern in enumerate(self.patterns)]
        if len(patterns) != len(self.names):
            raise ValueError(f"names must be {len(patterns)}, one a pattern; got {len(self.names)}")
        n_panels = 1 + len(patterns)
        self.axes_ = axes_for(n_panels, n_columns, ax, figure)
        self.figure_ = self.axes_[0].figure
        draw_image(self.axes_[0], image)
        for axis, pattern in zip(self.axes_[1:], patterns):
            pattern = np.asarray(pattern, np.float64)
            draw_values(axis, pattern, float(np.abs(pattern).max()) or 1.0, cmap=cmap)
        for axis, name in zip(self.axes_, ["image", *self.names]):
            axis.set_title(name, fontsize="small")
        return self
