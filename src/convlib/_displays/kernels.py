"""Kernels, given or learnt."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._displays.panels import axes_for, draw_values
from convlib._terms import numbered


class KernelDisplay:
    """Kernels side by side, each a picture with its name above.

    Kernels of one channel have the colours of `cmap`, which are symmetric about zero where there
    are values below it, and those of three channels are red, green and blue, with grey as zero.
    Of any other number each channel is a picture. Kernels of signals are lines, and of volumes
    the slice in the middle of the first axis is drawn.

    Make it with `from_kernels` or `from_estimator`.

    Parameters
    ----------
    kernels : array-like of shape (*kernel_size, channels, n_kernels)
        What is drawn.
    names : sequence of str, default=None
        A name for each kernel; None means 'k0', 'k1' and so on.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Where they are drawn.
    axes_ : ndarray of matplotlib Axes
        One for each picture.

    See Also
    --------
    convlib.banks : Kernels to draw.

    Examples
    --------
    >>> from convlib import banks
    >>> from convlib.displays import KernelDisplay
    >>> display = KernelDisplay.from_kernels(banks.sobel_kernels(), names=["down", "right"])
    >>> [axis.get_title() for axis in display.axes_]
    ['down', 'right']
    """

    def __init__(self, kernels, *, names=None):
        self.kernels = kernels
        self.names = names

    @classmethod
    def from_kernels(
        cls, kernels, *, names=None, ax=None, figure=None, n_columns=None, max_kernels=64,
        cmap=None, shared_scale=False,
    ):
        """Draw kernels.

        Parameters
        ----------
        kernels : array-like of shape (*kernel_size, channels, n_kernels)
            As `convlib.conv` takes them.
        names : sequence of str, default=None
            A name for each kernel; None means 'k0', 'k1' and so on.
        ax : matplotlib Axes or array-like of them, default=None
            As in `plot`.
        figure : matplotlib Figure or SubFigure, default=None
            As in `plot`.
        n_columns : int, default=None
            As in `plot`.
        max_kernels : int, default=64
            As in `plot`.
        cmap : str or matplotlib Colormap, default=None
            As in `plot`.
        shared_scale : bool, default=False
            As in `plot`.

        Returns
        -------
        display : KernelDisplay
            With the figure.

        See Also
        --------
        from_estimator : For kernels that were learnt.

        Examples
        --------
        >>> from convlib import banks
        >>> from convlib.displays import KernelDisplay
        >>> len(KernelDisplay.from_kernels(banks.kirsch_kernels()).axes_)
        8
        """
        return cls(kernels, names=names).plot(
            ax, figure, n_columns=n_columns, max_kernels=max_kernels, cmap=cmap,
            shared_scale=shared_scale)

    @classmethod
    def from_estimator(
        cls, estimator, *, ax=None, figure=None, n_columns=None, max_kernels=64, cmap=None,
        shared_scale=False,
    ):
        """Draw the kernels of a fitted estimator.

        Parameters
        ----------
        estimator : ConvFeatures, DeformConvFeatures or another with `kernels_`
            Fitted. Kernels that all channels share are drawn once; where convolution is separable
            they are the depthwise ones, where it is spatially separable their products.
        ax : matplotlib Axes or array-like of them, default=None
            As in `plot`.
        figure : matplotlib Figure or SubFigure, default=None
            As in `plot`.
        n_columns : int, default=None
            As in `plot`.
        max_kernels : int, default=64
            As in `plot`.
        cmap : str or matplotlib Colormap, default=None
            As in `plot`.
        shared_scale : bool, default=False
            As in `plot`.

        Returns
        -------
        display : KernelDisplay
            With the figure.

        See Also
        --------
        from_kernels : For an array.

        Examples
        --------
        >>> from convlib import ConvFeatures
        >>> from convlib.displays import KernelDisplay
        >>> from sklearn.datasets import load_digits
        >>> X, y = load_digits(return_X_y=True)
        >>> features = ConvFeatures(9, kernels="pca", image_shape=(8, 8)).fit(X)
        >>> len(KernelDisplay.from_estimator(features).axes_)
        9
        """
        check_is_fitted(estimator)
        if hasattr(estimator, "_kernel_pictures"):
            kernels, names = estimator._kernel_pictures()
        elif hasattr(estimator, "kernels_"):
            kernels, names = estimator.kernels_, None
        else:
            raise TypeError(check.refusal(
                "estimator", "one with kernels_, such as ConvFeatures", estimator))
        return cls.from_kernels(
            kernels, names=names, ax=ax, figure=figure, n_columns=n_columns,
            max_kernels=max_kernels, cmap=cmap, shared_scale=shared_scale)

    def plot(
        self, ax=None, figure=None, *, n_columns=None, max_kernels=64, cmap=None,
        shared_scale=False,
    ):
        """Draw the kernels, and set `figure_` and `axes_`.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            One Axes is shared out among the kernels; of several each gets a picture, in order.
        figure : matplotlib Figure or SubFigure, default=None
            Where new Axes are made; not with `ax`. None means a new figure.
        n_columns : int, default=None
            Pictures side by side. None makes about as many rows.
        max_kernels : int, default=64
            Kernels after these are left out.
        cmap : str or matplotlib Colormap, default=None
            Colours of kernels of one channel. None means 'RdBu_r' where there are values below
            zero, which is white, and else 'gray', where it is black.
        shared_scale : bool, default=False
            Whether the largest absolute value of all kernels is the end of each scale, and not
            their own.

        Returns
        -------
        display : KernelDisplay
            This one.

        See Also
        --------
        from_kernels : Check, make and draw at once.

        Examples
        --------
        >>> from convlib import banks
        >>> from convlib.displays import KernelDisplay
        >>> display = KernelDisplay(banks.gaussian_kernel(2.0, ndim=1)).plot()
        >>> display.figure_.axes == list(display.axes_)
        True
        """
        panels = self._panels(check.integer("max_kernels", max_kernels, 1))
        shared_scale = check.flag("shared_scale", shared_scale)
        self.axes_ = axes_for(len(panels), n_columns, ax, figure)
        self.figure_ = self.axes_[0].figure
        together = np.concatenate([kernel.ravel() for _, kernel in panels])
        for axis, (name, kernel) in zip(self.axes_, panels):
            scale = together if shared_scale else kernel
            if kernel.ndim == 2:
                _draw_lines(axis, kernel, scale)
            else:
                _draw_picture(axis, kernel, scale, cmap)
            axis.set_title(name, fontsize="small")
        return self

    def _panels(self, max_kernels):
        """Return the name and the kernel (*kernel_size, channels) of each picture."""
        kernels = check.kernel_array("kernels", self.kernels)
        if not np.isfinite(kernels).all():
            raise ValueError("kernels must be finite")
        channels, n_kernels = kernels.shape[-2:]
        names = self._checked_names(n_kernels)[:max_kernels]
        panels = []
        for k, name in enumerate(names):
            kernel = np.asarray(kernels[..., k], np.float64)
            if kernel.ndim == 2 or channels in (1, 3):
                panels.append((name, kernel))
            else:
                panels += [(f"{name}_c{c}", kernel[..., c:c + 1]) for c in range(channels)]
        return panels

    def _checked_names(self, n_kernels):
        """Return a name for each kernel."""
        if self.names is None:
            return numbered("k", n_kernels)
        names = check.as_entries(self.names)
        if names is None or not all(isinstance(name, str) for name in names):
            raise TypeError(check.refusal("names", f"{n_kernels} strings or None", self.names))
        if len(names) != n_kernels:
            raise ValueError(check.refusal("names", f"{n_kernels} strings or None", self.names))
        return names


def _draw_lines(axis, kernel, scale):
    """Draw the kernel of signals, (length, channels): a line for each channel."""
    largest = np.abs(scale).max() or 1.0
    axis.axhline(0, color="0.8", linewidth=0.8)
    axis.plot(kernel, marker=".", markersize=4, linewidth=1)
    low = -largest if scale.min() < 0 else 0
    axis.set(ylim=(1.1 * low - 0.05 * largest, 1.1 * largest), xticks=[], yticks=[])


def _draw_picture(axis, kernel, scale, cmap):
    """Draw a kernel (height, width, 1 or 3), or the middle of one with a depth before these."""
    largest = np.abs(scale).max() or 1.0
    if kernel.ndim == 4:
        kernel = kernel[len(kernel) // 2]
    # Where a pixel of the picture is several taps, it has the colour of their mean.
    draw_values(axis, kernel, largest, is_signed=scale.min() < 0 or not scale.any(), cmap=cmap,
                interpolation_stage="data")
