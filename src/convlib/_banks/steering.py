"""Derivatives of a Gaussian in any direction, as combinations of few kernels."""

from math import comb, pi

import numpy as np

from convlib import _validation as check
from convlib._banks._arrays import as_bank, finite, outer_sum
from convlib._filters.smoothing import gaussian_taps

__all__ = ["steerable", "steering_weights"]

MOST = 8    # order of a derivative


def steerable(order=2, sigma=1.5, *, truncate=4.0, dtype="float32"):
    """Return derivatives of a Gaussian in ``order + 1`` directions, a basis for all others.

    The derivative in any direction is a combination of these, kernels as well as maps: see
    `steering_weights`.

    Parameters
    ----------
    order : int, default=2
        Which derivative, 1 to 8.
    sigma : float, default=1.5
        Standard deviation of the Gaussian in pixels, above 0.
    truncate : float, default=4.0
        Radius of the kernels in standard deviations.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (size, size, 1, order + 1)
        Kernel j is the derivative in the direction ``j * pi / (order + 1)``, from the last axis
        towards the first. Each sums to zero.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    steering_weights : How to combine them.

    References
    ----------
    .. [1] W. T. Freeman and E. H. Adelson, "The Design and Use of Steerable Filters", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 13(9), 1991.

    Examples
    --------
    >>> from convlib import banks
    >>> kernels = banks.steerable(1, 1.0)
    >>> kernels.shape
    (9, 9, 1, 2)
    >>> (kernels @ banks.steering_weights(0.3, 1)).shape
    (9, 9, 1)
    """
    order = _order(order)
    sigma = check.positive_number("sigma", sigma)
    truncate = check.positive_number("truncate", truncate)
    taps = [gaussian_taps(sigma, n, truncate) for n in range(order + 1)]
    # (cos d/dx + sin d/dy) ** order, multiplied out.
    parts = np.array([comb(order, n) * outer_sum([(taps[order - n], taps[n])])
                      for n in range(order + 1)])
    powers = np.arange(order + 1)
    return as_bank([
        np.tensordot(np.cos(angle) ** powers * np.sin(angle) ** (order - powers), parts, 1)
        for angle in _directions(order)
    ], dtype)


def steering_weights(theta, order=2):
    """Return the weights of steerable kernels whose sum is the derivative in a direction.

    Parameters
    ----------
    theta : float
        The direction in radians: 0 is along the last axis, pi / 2 along the first.
    order : int, default=2
        Which derivative, 1 to 8.

    Returns
    -------
    weights : ndarray of shape (order + 1,)
        For the kernels of `steerable`, or for what images answer to them.

    Raises
    ------
    ValueError
        If `order` is too small or too large, or `theta` is not finite.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    steerable : The kernels.

    References
    ----------
    .. [1] W. T. Freeman and E. H. Adelson, "The Design and Use of Steerable Filters", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 13(9), 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import banks
    >>> banks.steering_weights(np.pi / 6, 1).round(3)
    array([0.866, 0.5  ])
    """
    order = _order(order)
    turns = finite("theta", theta) - _directions(order)
    waves = np.arange(order % 2, order + 1, 2)
    shares = np.where(waves == 0, 1.0, 2.0)
    return np.cos(np.multiply.outer(turns, waves)) @ shares / (order + 1)


def _order(order):
    """Return the checked order of a derivative."""
    number = check.integer("order", order, 1)
    if number > MOST:
        raise ValueError(check.refusal("order", f"at most {MOST}", order))
    return number


def _directions(order):
    return pi * np.arange(order + 1) / (order + 1)
