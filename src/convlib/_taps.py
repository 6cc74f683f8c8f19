"""The textbook kernels: taps along one axis, and small masks. Pure NumPy, all in float64.

Taps are in the order of correlation: the first one weighs the neighbour of the lowest index. So
derivatives are negative first, and positive where values rise. What is meant to keep the mean sums
to one, what is meant to find changes sums to zero.
"""

from math import comb

import numpy as np

# Smoothing across the axis and derivative along it: 3x3 and 5x5 kernels are their products.
DERIVATIVES = {
    "sobel": ((1, 2, 1), (-1, 0, 1)),
    "prewitt": ((1, 1, 1), (-1, 0, 1)),
    "scharr": ((3, 10, 3), (-1, 0, 1)),
    # H. Farid and E. P. Simoncelli, "Differentiation of Discrete Multidimensional Signals", 2004.
    "farid": (
        (0.0376593171958126, 0.249153396177344, 0.426374573253687, 0.249153396177344,
         0.0376593171958126),
        (-0.109603762960254, -0.276690988455557, 0, 0.276690988455557, 0.109603762960254),
    ),
}

# Directions of the compass masks, in their order: where values rise towards.
COMPASS = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")


def box(size):
    """Return the taps of a mean."""
    return np.full(size, 1 / size)


def binomial(size):
    """Return the row of Pascal's triangle with `size` entries, divided by its sum."""
    return np.array([comb(size - 1, k) for k in range(size)]) / 2.0 ** (size - 1)


def gaussian_radius(sigma, truncate):
    """Return the taps on each side of a sampled Gaussian, rounded as scipy does."""
    return int(truncate * sigma + 0.5)


def gaussian(sigma, order=0, radius=None, *, truncate=4.0, balanced=True):
    """Return the taps of a sampled Gaussian that sums to one, or of its derivative.

    A derivative is the polynomial of its order times these taps. What is left of an even one's
    sum, since the tails are cut off, is taken out in the form of the Gaussian if `balanced`.
    """
    if radius is None:
        radius = gaussian_radius(sigma, truncate)
    places = np.arange(-radius, radius + 1)
    if sigma == 0:
        return (places == 0).astype(float)
    values = np.exp(-0.5 * (places / sigma) ** 2)
    values /= values.sum()
    if not order:
        return values
    # d/dx of q(x) g(x) is (q' - q x / sigma^2) g; signs as correlation needs them.
    polynomial = np.polynomial.Polynomial([1.0])
    slope = np.polynomial.Polynomial([0.0, -1 / sigma**2])
    for _ in range(order):
        polynomial = polynomial.deriv() + polynomial * slope
    taps = (-1) ** order * polynomial(places) * values
    if not balanced:
        return taps
    if order % 2 == 0:
        return taps - taps.sum() * values
    return (taps - taps[::-1]) / 2


def derivative_kernel(name, ndim, axis):
    """Return the kernel of a first derivative along one of `ndim` axes, unnormalised."""
    smoothing, derivative = DERIVATIVES[name]
    taps = [derivative if other == axis else smoothing for other in range(ndim)]
    return outer(*taps)


def outer(*vectors):
    """Return the outer product of vectors, one an axis."""
    kernel = np.ones(())
    for vector in vectors:
        kernel = np.multiply.outer(kernel, np.asarray(vector, np.float64))
    return kernel


def kirsch():
    """Return Kirsch's eight masks, (8, 3, 3), in the order of `COMPASS`."""
    return _compass((5, 5, 5, -3, -3, -3, -3, -3))


def robinson():
    """Return Robinson's eight masks, Sobel's kernel turned, in the order of `COMPASS`."""
    return _compass((1, 2, 1, 0, -1, -2, -1, 0))


def _compass(ring):
    """Return masks whose ring of eight values is turned; it begins below the corner to the right.

    `ring` runs against the clock from the lower right corner, three values to the east first.
    """
    places = ((2, 2), (1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1))
    masks = np.zeros((8, 3, 3))
    for turn in range(8):
        for number, value in enumerate(ring):
            masks[(turn, *places[(number + turn) % 8])] = value
    return masks


def roberts():
    """Return the two 2x2 masks of Roberts' cross: rising down to the right, and to the left."""
    return np.array([[[-1.0, 0], [0, 1]], [[0, -1.0], [1, 0]]])


def second_difference():
    """Return the taps of the second derivative."""
    return np.array([1.0, -2.0, 1.0])


def laplace(ndim):
    """Return the Laplacian of `ndim` axes with 2 * ndim neighbours."""
    kernel = np.zeros((3,) * ndim)
    for axis in range(ndim):
        index = [1] * ndim
        index[axis] = slice(None)
        kernel[tuple(index)] += second_difference()
    return kernel


def laws(size):
    """Return Laws' vectors of 3 or 5 taps, by name: level, edge, spot, wave, ripple.

    Those of five are convolutions of those of three, as Laws made them.
    """
    smoothing, edge = (np.array(taps, float) for taps in DERIVATIVES["sobel"])
    spot = -second_difference()
    if size == 3:
        return {"L3": smoothing, "E3": edge, "S3": spot}
    return {
        "L5": np.convolve(smoothing, smoothing), "E5": np.convolve(smoothing, edge),
        "S5": np.convolve(smoothing, spot), "W5": -np.convolve(edge, spot),
        "R5": np.convolve(spot, spot),
    }


def cosines(size):
    """Return the vectors of the orthonormal cosine transform DCT-II, one a row."""
    places, waves = np.arange(size) + 0.5, np.arange(size)[:, np.newaxis]
    vectors = np.cos(np.pi * waves * places / size) * np.sqrt(2 / size)
    vectors[0] = np.sqrt(1 / size)
    return vectors


def sharpen(ndim=2):
    """Return ones less all neighbours: the centre 9 and eight -1 in two axes."""
    kernel = np.full((3,) * ndim, -1.0)
    kernel[(1,) * ndim] = 3**ndim
    return kernel


def gabor(frequency, theta=0.0, *, sigma_x=None, sigma_y=None, bandwidth=1.0, n_stds=3.0,
          offset=0.0, balanced=False, scale="sum"):
    """Return a complex Gabor kernel: a wave along the direction `theta` under a Gaussian.

    `frequency` is in waves a pixel; `sigma_x` is along the wave and `sigma_y` across it, both
    from `bandwidth` in octaves if not given. The Gaussian sums to one; its integral is one with
    the `scale` "integral", as in scikit-image. A `balanced` kernel does not see a constant.
    """
    sigma = gabor_sigma(frequency, bandwidth)
    sigma_x = sigma if sigma_x is None else sigma_x
    sigma_y = sigma if sigma_y is None else sigma_y
    cosine, sine = np.cos(theta), np.sin(theta)
    half_x = _half(n_stds, sigma_x * cosine, sigma_y * sine)
    half_y = _half(n_stds, sigma_y * cosine, sigma_x * sine)
    y, x = np.mgrid[-half_y:half_y + 1, -half_x:half_x + 1]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    envelope = np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    envelope /= 2 * np.pi * sigma_x * sigma_y if scale == "integral" else envelope.sum()
    wave = np.exp(1j * (2 * np.pi * frequency * along + offset))
    if balanced:
        wave = wave - (envelope * wave).sum() / envelope.sum()
    return envelope * wave


def gabor_sigma(frequency, bandwidth):
    """Return the standard deviation of a Gabor kernel of some bandwidth in octaves."""
    octaves = 2.0**bandwidth
    return np.sqrt(np.log(2) / 2) / np.pi * (octaves + 1) / (octaves - 1) / frequency


def _half(n_stds, first, second):
    return int(np.ceil(max(abs(n_stds * first), abs(n_stds * second), 1)))
