"""Filters against scipy.ndimage, scikit-image and OpenCV, with the presets that equal them."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from convlib import filters

# What scipy.ndimage, scikit-image and OpenCV call the borders.
SCIPY = {"constant": "constant", "edge": "nearest", "reflect": "mirror", "symmetric": "reflect",
         "wrap": "wrap"}
OPENCV = {"constant": "BORDER_CONSTANT", "edge": "BORDER_REPLICATE",
          "reflect": "BORDER_REFLECT_101", "symmetric": "BORDER_REFLECT"}
SHAPES = [(40, 53), (3, 2), (1, 1), (31,), (7, 8, 9)]
FLAT = [(40, 53), (5, 7)]


def noise(shape, dtype="float64"):
    """Return reproducible noise."""
    return np.random.default_rng(len(shape)).random(shape).astype(dtype)


def assert_close(result, expected, scale=1.0):
    """Compare within rounding."""
    tolerance = (2e-6 if result.dtype == np.float32 else 2e-13) * scale
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * 20)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", SCIPY)
def test_scipy(shape, mode, dtype):
    image = noise(shape, dtype)
    exact = image.astype(np.float64)
    ours = {"padding_mode": mode, "constant_values": 0.25}
    theirs = {"mode": SCIPY[mode], "cval": 0.25}
    pairs = [
        (filters.mean(image, 4, **ours), ndimage.uniform_filter(exact, 4, **theirs)),
        (filters.gaussian(image, 1.3, **ours), ndimage.gaussian_filter(exact, 1.3, **theirs)),
        (filters.gaussian(image, 1.3, truncate=2.5, **ours),
         ndimage.gaussian_filter(exact, 1.3, truncate=2.5, **theirs)),
        (filters.laplace(image, normalize="scipy", **ours), ndimage.laplace(exact, **theirs)),
    ]
    pairs += [(filters.gaussian(image, 1.3, order=order, normalize="scipy", **ours),
               ndimage.gaussian_filter(exact, 1.3, order=order, **theirs)) for order in (1, 2, 3)]
    for name in ("sobel", "prewitt"):
        function = getattr(ndimage, name)
        pairs += [(getattr(filters, name)(image, axis, normalize="scipy", **ours),
                   function(exact, axis, **theirs)) for axis in range(len(shape))]
        if len(shape) > 1 or mode != "constant":
            pairs.append((
                getattr(filters, name)(image, normalize="scipy", **ours),
                ndimage.generic_gradient_magnitude(exact, function, **theirs)))
    # Their second passes see `cval` itself outside, ours what the first pass makes of it.
    if mode != "constant":
        pairs += [
            (filters.laplace_of_gaussian(image, 1.3, normalize="scipy", **ours),
             ndimage.gaussian_laplace(exact, 1.3, **theirs)),
            (filters.gradient_magnitude(image, 1.3, **ours),
             ndimage.gaussian_gradient_magnitude(exact, 1.3, **theirs)),
            (filters.hessian(image, 1.3, normalize="scipy", **ours)[0],
             ndimage.gaussian_filter(exact, 1.3, order=(2, *[0] * (len(shape) - 1)), **theirs)),
        ]
    else:
        pairs = [pair for number, pair in enumerate(pairs) if number in (0, 1, 2, 3)]
    for result, expected in pairs:
        assert result.dtype == dtype
        assert_close(result, expected, 4.0)


# The textbooks' masks towards east; a step counter-clockwise moves each weight to its neighbour.
AROUND = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
COMPASSES = {"kirsch": (5, 5, -3, -3, -3, -3, -3, 5), "robinson": (2, 1, 0, -1, -2, -1, 0, 1)}


def compass_of(name):
    """Return the eight masks of a compass, from east on."""
    masks = np.zeros((8, 3, 3))
    for turn, mask in enumerate(masks):
        mask[tuple(zip(*AROUND))] = np.roll(COMPASSES[name], turn)
    return masks


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16", "int32"])
@pytest.mark.parametrize("shape", [(20, 33), (3, 2), (1, 1)])
@pytest.mark.parametrize("mode", SCIPY)
def test_scipy_with_the_same_masks(shape, mode, dtype):
    image = (100 * noise(shape)).astype(dtype)
    exact, theirs = image.astype(np.float64), {"mode": SCIPY[mode], "cval": 3.0}

    def ours(name, *arguments):
        return getattr(filters, name)(
            image, *arguments, padding_mode=mode, constant_values=3)

    def summed(mask):
        return ndimage.correlate(exact, mask, **theirs)

    sharp = np.full((3, 3), -1.0)
    sharp[1, 1] = 9
    rows = np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]])
    slopes = summed(rows), summed(rows.T)
    strength, angle = ours("sobel"), ours("gradient_direction")
    pairs = [(ours("sharpen"), summed(sharp)), (strength, np.hypot(*slopes)),
             (strength * np.sin(angle), slopes[0]), (strength * np.cos(angle), slopes[1])]
    for name in COMPASSES:
        every = [summed(mask) for mask in compass_of(name)]
        pairs.append((ours(name), np.max(every, axis=0)))
        pairs += [(ours(name, way), values) for way, values in zip(
            ("E", "NE", "N", "NW", "W", "SW", "S", "SE"), every)]
    pairs += [(ours("roberts", way), summed(np.pad(mask, ((1, 0), (1, 0))))) for way, mask in (
        ("down", [[-1.0, 0], [0, 1]]), ("up", [[0, -1.0], [1, 0]]))]
    for result, expected in pairs:
        assert_close(result, expected, 40.0)


@pytest.mark.parametrize("shape", [(20, 33), (3, 2), (5, 6, 7)])
@pytest.mark.parametrize("mode", [mode for mode in SCIPY if mode != "constant"])
def test_scipy_in_steps(shape, mode):
    """What others make of several Gaussians; theirs see `cval` before each of them."""
    image, theirs = noise(shape), {"mode": SCIPY[mode]}
    ours = {"padding_mode": mode}
    narrow, wide = (ndimage.gaussian_filter(image, sigma, **theirs) for sigma in (1.2, 1.92))
    assert_close(filters.difference_of_gaussians(image, 1.2, **ours), narrow - wide, 4.0)
    assert_close(filters.unsharp_mask(image, 1.2, 0.7, **ours), image + 0.7 * (image - narrow), 4.0)
    orders = [np.bincount(pair, minlength=len(shape)) for pair in
              itertools.combinations_with_replacement(range(len(shape)), 2)]
    for part, order in zip(filters.hessian(image, 1.2, normalize="scipy", **ours), orders):
        assert_close(part, ndimage.gaussian_filter(image, 1.2, order=order, **theirs), 4.0)
    slopes = [ndimage.sobel(image, axis, **theirs) for axis in range(len(shape))]
    products = [one * other for one, other in itertools.combinations_with_replacement(slopes, 2)]
    for part, values in zip(filters.structure_tensor(image, 1.2, **ours), products):
        assert_close(part, ndimage.gaussian_filter(values, 1.2, **theirs), 40.0)


@pytest.mark.parametrize("mode", SCIPY)
def test_scipy_correlates_alike(mode):
    image, kernel = noise((20, 30)), noise((4, 3))
    for ours, theirs in ((filters.correlate, ndimage.correlate),
                         (filters.convolve, ndimage.convolve)):
        assert_close(ours(image, kernel, padding_mode=mode, constant_values=2),
                     theirs(image, kernel, mode=SCIPY[mode], cval=2), 10.0)


@pytest.mark.parametrize("sigma", [(2.0, 0.5), (0, 1.0)])
def test_scipy_takes_a_sigma_for_each_axis(sigma):
    image = noise((20, 30))
    assert_close(filters.gaussian(image, sigma), ndimage.gaussian_filter(image, sigma))


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("shape", [*FLAT, (7, 8, 9)])
def test_skimage(shape, mode):
    theirs = pytest.importorskip("skimage.filters")
    image = noise(shape)
    for name in ("sobel", "prewitt", "scharr", "farid"):
        ours = getattr(filters, name)
        function = getattr(theirs, name)
        settings = {"normalize": "skimage", "padding_mode": mode}
        assert_close(ours(image, **settings), function(image, mode=SCIPY[mode]), 10.0)
        for axis in range(len(shape)):
            # Theirs flip the kernel; the derivative then turns its sign, but for farid's taps.
            assert_close(np.abs(ours(image, axis, **settings)),
                         np.abs(function(image, axis=axis, mode=SCIPY[mode])), 10.0)


@pytest.mark.parametrize("shape", FLAT)
def test_skimage_of_two_axes(shape):
    theirs = pytest.importorskip("skimage.filters")
    feature = pytest.importorskip("skimage.feature")
    image = noise(shape)
    assert_close(filters.roberts(image, normalize="skimage"), theirs.roberts(image))
    assert_close(filters.roberts(image, "down"), theirs.roberts_pos_diag(image))
    assert_close(filters.roberts(image, "up"), theirs.roberts_neg_diag(image))
    assert_close(filters.laplace(image, normalize="skimage"), theirs.laplace(image))
    assert_close(filters.difference_of_gaussians(image, 1.0, 2.0, padding_mode="edge"),
                 theirs.difference_of_gaussians(image, 1.0, 2.0))
    assert_close(filters.unsharp_mask(image, 1.5, 0.7, padding_mode="symmetric"),
                 theirs.unsharp_mask(image, 1.5, 0.7, preserve_range=True))
    for ours, other in zip(filters.structure_tensor(image, 1.2, padding_mode="symmetric"),
                           feature.structure_tensor(image, 1.2, mode="reflect", order="rc")):
        assert_close(ours, other, 40.0)
    parts = filters.hessian(image, 1.2, normalize="scipy")
    assert_close(filters.hessian_eigenvalues(image, 1.2, normalize="scipy"),
                 feature.hessian_matrix_eigvals(list(parts)), 10.0)
    for theta in (0.0, 0.4, np.pi / 2, 2.0):
        real, imaginary = theirs.gabor(image, 0.2, theta)
        settings = {"frequency": 0.2, "theta": theta, "normalize": "skimage"}
        assert_close(filters.gabor(image, part="real", **settings), real)
        assert_close(filters.gabor(image, part="imaginary", **settings), imaginary)
        assert_close(filters.gabor(image, **settings), np.hypot(real, imaginary))


@pytest.mark.parametrize("mode", OPENCV)
@pytest.mark.parametrize("shape", [*FLAT, (20, 30, 3)])
def test_opencv(shape, mode):
    cv2 = pytest.importorskip("cv2")
    image = noise(shape, "float32")
    border = getattr(cv2, OPENCV[mode])
    ours = {"padding_mode": mode, "channel_axis": 2 if len(shape) == 3 else None}
    kernel = noise((3, 5), "float32")
    pairs = [
        (filters.mean(image, (3, 5), **ours), cv2.blur(image, (5, 3), borderType=border)),
        (filters.gaussian(image, size=3, **ours),
         cv2.sepFilter2D(image, -1, np.float32([.25, .5, .25]), np.float32([.25, .5, .25]),
                         borderType=border)),
        (filters.gaussian(image, 1.0, **ours),
         cv2.GaussianBlur(image, (9, 9), 1.0, borderType=border)),
        (filters.laplace(image, normalize="opencv", **ours),
         cv2.Laplacian(image, -1, ksize=1, borderType=border)),
        (filters.correlate(image, kernel, **ours),
         cv2.filter2D(image, -1, kernel, borderType=border)),
        (filters.scharr(image, 1, normalize="opencv", **ours),
         cv2.Scharr(image, -1, 1, 0, borderType=border)),
    ]
    slopes = [cv2.Sobel(image, -1, *step, borderType=border) for step in ((1, 0), (0, 1))]
    pairs += [
        (filters.sobel(image, 1, normalize="opencv", **ours), slopes[0]),
        (filters.sobel(image, 0, normalize="opencv", **ours), slopes[1]),
        (filters.sobel(image, normalize="opencv", **ours), np.hypot(*slopes)),
    ]
    for result, expected in pairs:
        assert_close(result, expected, 4.0)


@pytest.mark.parametrize("shape", [*FLAT, (20, 30, 3)])
def test_opencv_of_bytes(shape):
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ours = {"padding_mode": "reflect", "channel_axis": 2 if len(shape) == 3 else None}
    np.testing.assert_array_equal(filters.mean(image, (3, 5), **ours), cv2.blur(image, (5, 3)))
    blurred = cv2.GaussianBlur(image, (7, 7), 0.8)
    result = filters.gaussian(image, 0.8, **ours)
    assert np.abs(result.astype(int) - blurred).max() <= 1
