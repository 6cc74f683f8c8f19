"""Banks: what the kernels sum to, the filters they agree with, the formulas they come from."""

import numpy as np
import pytest
import scipy.fft

import convlib as cl
from convlib import banks, filters

RNG = np.random.default_rng(0)
IMAGES = {1: RNG.normal(size=40), 2: RNG.normal(size=(33, 38)), 3: RNG.normal(size=(11, 12, 13))}

# What the textbooks print.
SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
TABLES = {
    "mean": [np.full((3, 3), 1 / 9)],
    "sharpen": [[[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]],
    "roberts": [[[-1, 0], [0, 1]], [[0, -1], [1, 0]]],
    "prewitt": [[[-1, -1, -1], [0, 0, 0], [1, 1, 1]], [[-1, 0, 1]] * 3],
    "sobel": [np.transpose(SOBEL), SOBEL],
    "scharr": [[[-3, -10, -3], [0, 0, 0], [3, 10, 3]], [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]],
    "laplace": [[[0, 1, 0], [1, -4, 1], [0, 1, 0]]],
    "kirsch": [
        [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]], [[-3, 5, 5], [-3, 0, 5], [-3, -3, -3]],
        [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]], [[5, 5, -3], [5, 0, -3], [-3, -3, -3]],
        [[5, -3, -3], [5, 0, -3], [5, -3, -3]], [[-3, -3, -3], [5, 0, -3], [5, 5, -3]],
        [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]], [[-3, -3, -3], [-3, 0, 5], [-3, 5, 5]],
    ],
    "robinson": [
        SOBEL, [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]],
        [[1, 2, 1], [0, 0, 0], [-1, -2, -1]], [[2, 1, 0], [1, 0, -1], [0, -1, -2]],
        [[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[0, -1, -2], [1, 0, -1], [2, 1, 0]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]],
    ],
}
LAWS = {
    5: [[1, 4, 6, 4, 1], [-1, -2, 0, 2, 1], [-1, 0, 2, 0, -1], [-1, 2, 0, -2, 1],
        [1, -4, 6, -4, 1]],
    3: [[1, 2, 1], [-1, 0, 1], [-1, 2, -1]],
}


def kernel_list(bank):
    """Return the kernels of a bank one after the other, without channels."""
    return np.moveaxis(bank[..., 0, :], -1, 0)


def maps_of(bank, image):
    """Return what `conv` makes of an image, one map after the other."""
    maps = cl.conv(image[np.newaxis, ..., np.newaxis], bank, padding="same",
                   padding_mode="symmetric")
    return np.moveaxis(maps[0], -1, 0)


# Every bank


@pytest.mark.parametrize(
    ("name", "ndim"), [(name, ndim) for ndim in (1, 2, 3) for name in banks.bank_names(ndim)])
def test_banks_are_kernels_of_one_channel(name, ndim):
    bank = banks.named_bank(name, ndim)
    assert bank.ndim == ndim + 2
    assert bank.shape[-2] == 1
    assert bank.dtype == np.float32
    assert bank.flags.c_contiguous
    assert bank.flags.writeable
    precise = banks.named_bank(name, ndim, dtype="float64")
    assert precise.dtype == np.float64
    np.testing.assert_array_equal(bank, precise.astype(np.float32))
    assert np.unique(precise.reshape(-1, bank.shape[-1]), axis=1).shape[1] == bank.shape[-1]
    assert maps_of(bank, IMAGES[ndim].astype(np.float32)).shape[0] == bank.shape[-1]


@pytest.mark.parametrize(
    ("name", "ndim"), [(name, ndim) for ndim in (1, 2, 3) for name in banks.bank_names(ndim)])
def test_low_passes_sum_to_one_and_derivatives_to_zero(name, ndim):
    bank = banks.named_bank(name, ndim, dtype="float64")
    sums = bank.sum(axis=tuple(range(ndim + 1)))
    wanted = np.zeros(bank.shape[-1])
    if name in ("mean", "gaussian", "sharpen", "unsharp_mask"):
        wanted[:] = 1
    elif name == "dct":
        wanted[0] = 8 ** (ndim / 2)
    elif name == "laws":
        wanted[0] = 16**ndim
    np.testing.assert_allclose(sums, wanted, rtol=1e-13, atol=1e-12)


def test_a_gaussian_sums_to_one_and_its_derivatives_to_zero():
    for order in (0, 1, 2, 3, (1, 2), (0, 4)):
        kernel = banks.gaussian_kernel((1.3, 0.8), order=order, dtype="float64")
        assert kernel.shape == (11, 7, 1, 1)
        np.testing.assert_allclose(kernel.sum(), order == 0, atol=1e-14)


@pytest.mark.parametrize("name", TABLES)
def test_small_kernels_are_those_of_the_textbooks(name):
    bank = banks.named_bank(name, dtype="float64")
    np.testing.assert_allclose(kernel_list(bank), TABLES[name], rtol=1e-15)


@pytest.mark.parametrize("size", [3, 5])
def test_laws_kernels_are_products_of_their_vectors(size):
    wanted = [np.outer(down, along) for down in LAWS[size] for along in LAWS[size]]
    np.testing.assert_array_equal(kernel_list(banks.laws(size)), wanted)
    np.testing.assert_array_equal(banks.laws(size, 1)[:, 0].T, LAWS[size])
    assert banks.laws(size, 3).shape == (size, size, size, 1, size**3)


def test_derivatives_are_odd_along_their_axis_and_even_along_others():
    for name in ("prewitt", "sobel", "scharr", "farid"):
        for axis, kernel in enumerate(kernel_list(banks.named_bank(name, 3))):
            for other in range(3):
                turned = np.flip(kernel, other)
                np.testing.assert_array_equal(turned, -kernel if other == axis else kernel)


def test_names_are_listed_by_rank():
    assert set(banks.bank_names(1)) == set(banks.bank_names(3)) < set(banks.bank_names(2))
    assert list(banks.bank_names()) == sorted(banks.bank_names())


# The filters


def agreeing():
    """Return kernels and the filters that they stand for, by name."""
    gabor = {"frequency": 0.2, "theta": 0.6, "sigma_x": 2.0, "sigma_y": 3.0, "offset": 0.4}
    cases = {
        "gaussian size": (banks.gaussian_kernel(size=5, dtype="float64"),
                          [lambda x: filters.gaussian(x, size=5)]),
        "gaussian order": (banks.gaussian_kernel(1.5, order=(1, 2), dtype="float64"),
                           [lambda x: filters.gaussian(x, 1.5, order=(1, 2))]),
        "roberts": (banks.roberts_kernels(dtype="float64"), [
            lambda x, diagonal=diagonal: filters.roberts(x, diagonal)
            for diagonal in ("down", "up")]),
        "gabor": (banks.gabor_kernels(**gabor, dtype="float64"), [
            lambda x, part=part: filters.gabor(x, part=part, **gabor)
            for part in ("real", "imaginary")]),
    }
    for name in ("kirsch", "robinson"):
        function = getattr(filters, name)
        cases[name] = banks.named_bank(name, dtype="float64"), [
            lambda x, f=function, d=direction: f(x, d)
            for direction in ("E", "NE", "N", "NW", "W", "SW", "S", "SE")]
    for ndim in (1, 2, 3):
        own = {"ndim": ndim, "dtype": "float64"}
        cases |= {
            f"mean {ndim}": (banks.mean_kernel(5, **own), [lambda x: filters.mean(x, 5)]),
            f"gaussian {ndim}": (banks.gaussian_kernel(1.2, truncate=3, **own),
                                 [lambda x: filters.gaussian(x, 1.2, truncate=3)]),
            f"sharpen {ndim}": (banks.sharpen_kernel(**own), [filters.sharpen]),
            f"unsharp_mask {ndim}": (banks.unsharp_mask_kernel(1.1, 0.7, **own),
                                     [lambda x: filters.unsharp_mask(x, 1.1, 0.7)]),
            f"laplace {ndim}": (banks.laplace_kernel(**own), [filters.laplace]),
            f"laplace_of_gaussian {ndim}": (
                banks.laplace_of_gaussian_kernel(0.9, **own),
                [lambda x: filters.laplace_of_gaussian(x, 0.9)]),
            f"difference_of_gaussians {ndim}": (
                banks.difference_of_gaussians_kernel(0.7, 1.1, **own),
                [lambda x: filters.difference_of_gaussians(x, 0.7, 1.1)]),
        }
        for name in ("prewitt", "sobel", "scharr", "farid"):
            function = getattr(filters, name)
            cases[f"{name} {ndim}"] = banks.named_bank(name, ndim, dtype="float64"), [
                lambda x, f=function, axis=axis: f(x, axis) for axis in range(ndim)]
    return cases


@pytest.mark.parametrize("name", agreeing())
def test_convolution_with_a_bank_is_the_filter(name):
    bank, functions = agreeing()[name]
    image = IMAGES[bank.ndim - 2]
    wanted = [function(image) for function in functions]
    assert bank.shape[-1] == len(wanted)
    scale = np.abs(bank).sum(axis=tuple(range(bank.ndim - 1))).max()
    np.testing.assert_allclose(maps_of(bank, image), wanted, rtol=0, atol=1e-13 * scale)


# Gabor kernels


def test_gabor_bank_is_its_kernels_at_one_size():
    frequencies, n = (0.3, 0.17), 3
    bank = banks.gabor_bank(frequencies, n, bandwidth=1.4, dtype="float64")
    kernels = kernel_list(bank)
    assert bank.shape[-1] == 2 * n * len(frequencies)
    largest = 0
    for number, (f, turn) in enumerate((f, turn) for f in frequencies for turn in range(n)):
        one = kernel_list(banks.gabor_kernels(
            f, np.pi * turn / n, bandwidth=1.4, balanced=True, dtype="float64"))
        largest = max(largest, *one.shape[1:])
        rows, columns = ((m - k) // 2 for m, k in zip(bank.shape, one.shape[1:]))
        inner = kernels[2 * number:2 * number + 2, rows:bank.shape[0] - rows,
                        columns:bank.shape[1] - columns]
        np.testing.assert_array_equal(inner, one)
        outside = np.abs(kernels[2 * number:2 * number + 2]).sum() - np.abs(one).sum()
        assert abs(outside) < 1e-12
    assert bank.shape[:2] == (largest, largest)


def test_gabor_kernels_find_their_wave():
    x = np.arange(64)
    for frequency, turn in ((0.25, 0), (0.25, 1), (0.125, 3)):
        angle = np.pi * turn / 4
        wave = np.cos(2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * x[:, None]))
        maps = maps_of(banks.gabor_bank((0.25, 0.125), 4, dtype="float64"), wave)
        energy = np.hypot(maps[::2], maps[1::2])[:, 32, 32]
        assert energy.argmax() == (4 if frequency < 0.2 else 0) + turn


def test_gabor_kernels_against_scikit_image():
    skimage = pytest.importorskip("skimage.filters")
    for theta in (0, 0.5, 2.0):
        theirs = skimage.gabor_kernel(0.2, theta, sigma_x=2.0, sigma_y=3.0, offset=0.3)
        real, imaginary = kernel_list(banks.gabor_kernels(
            0.2, theta, sigma_x=2.0, sigma_y=3.0, offset=0.3, dtype="float64"))
        assert theirs.shape == real.shape
        ratio = np.vdot(theirs, real + 1j * imaginary) / np.vdot(theirs, theirs)
        np.testing.assert_allclose(real + 1j * imaginary, ratio * theirs, atol=1e-15)
        assert abs(ratio.imag) < 1e-12
        assert abs(ratio.real - 1) < 0.05    # theirs has an integral of one


def test_kernels_against_opencv():
    cv2 = pytest.importorskip("cv2")
    for name, size in (("sobel", 3), ("scharr", cv2.FILTER_SCHARR)):
        for dy, dx in ((1, 0), (0, 1)):
            along, down = cv2.getDerivKernels(dx, dy, size)
            kernel = banks.named_bank(name)[..., 0, dx]
            np.testing.assert_array_equal(kernel, np.outer(down, along))
    ours = banks.gaussian_kernel(1.3, 1, truncate=3, dtype="float64")[:, 0, 0]
    np.testing.assert_allclose(ours, cv2.getGaussianKernel(len(ours), 1.3)[:, 0], atol=1e-15)
    theirs = cv2.getGaborKernel((11, 11), 2.5, 0.7, 5.0, 1.0, 0.4)
    ours = banks.gabor_kernels(0.2, 0.7, sigma_x=2.5, sigma_y=2.5, offset=0.4, dtype="float64")
    rows, columns = (slice((n - 11) // 2, (n + 11) // 2) for n in ours.shape[:2])
    middle = np.flip(ours[rows, columns, 0, 0])    # as a convolution has it
    np.testing.assert_allclose(middle / middle[5, 5] * theirs[5, 5], theirs, atol=1e-12)


def test_derivatives_against_scikit_image():
    skimage = pytest.importorskip("skimage.filters")
    image = IMAGES[2]
    for name, scale in (("prewitt", 6), ("sobel", 8), ("scharr", 32), ("farid", 1)):
        theirs = [getattr(skimage, f"{name}_{way}")(image)[4:-4, 4:-4] for way in "hv"]
        ours = maps_of(banks.named_bank(name, dtype="float64"), image)[:, 4:-4, 4:-4]
        factor = scale / 2 if name != "farid" else 1
        for own, other in zip(ours, theirs):
            np.testing.assert_allclose(np.abs(own), factor * np.abs(other), atol=1e-12)


# Cosines


@pytest.mark.parametrize("size", [(8, 8), (3, 5), (4,), (2, 3, 4)])
def test_cosines_are_orthonormal_and_give_the_coefficients_of_the_transform(size):
    bank = banks.dct(size, len(size), dtype="float64")
    flat = bank.reshape(-1, bank.shape[-1])
    np.testing.assert_allclose(flat.T @ flat, np.eye(len(flat)), atol=1e-14)
    block = RNG.normal(size=size)
    maps = cl.conv(block[np.newaxis, ..., np.newaxis], bank)
    wanted = scipy.fft.dctn(block, norm="ortho")
    np.testing.assert_allclose(maps.ravel(), wanted.ravel(), atol=1e-13)


# Banks for textures, by their definitions


def grid(size):
    """Return x to the right and y upwards."""
    half = (size - 1) / 2
    return np.meshgrid(np.linspace(-half, half, size), np.linspace(half, -half, size))


def scaled(values):
    values = values - np.mean(values)
    return values / np.sum(np.abs(values))


def normal(x, sigma):
    return np.exp(-x**2 / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma**2)


def oriented(size, sigma, turn, order):
    """Return an edge (order 1) or a bar (2) as products of normal densities, turned."""
    x, y = grid(size)
    turned = np.exp(1j * np.pi * turn / 6) * (x + 1j * y)
    u, v = turned.real, turned.imag
    factor = {1: -v / sigma**2, 2: (v**2 - sigma**2) / sigma**4}[order]
    return scaled(normal(u, 3 * sigma) * normal(v, sigma) * factor)


def spot(size, sigma):
    x, y = grid(size)
    return scaled(normal(x, sigma) * normal(y, sigma))


def laplacian(size, sigma):
    x, y = grid(size)
    second = normal(x, sigma) * normal(y, sigma) * (
        (x**2 - sigma**2) / sigma**4 + (y**2 - sigma**2) / sigma**4)
    return scaled(second)


@pytest.mark.parametrize(("scales", "first"), [("small", 1.0), ("large", 2**0.5)])
def test_leung_malik_by_definition(scales, first):
    size = 31
    sigmas = [first * 2 ** (k / 2) for k in range(4)]
    wanted = [oriented(size, sigma, turn, order)
              for order in (1, 2) for sigma in sigmas[:3] for turn in range(6)]
    for sigma in sigmas:
        wanted += [spot(size, sigma), laplacian(size, sigma), laplacian(size, 3 * sigma)]
    kernels = kernel_list(banks.leung_malik(size, scales=scales, dtype="float64"))
    assert len(kernels) == 48
    np.testing.assert_allclose(kernels, wanted, rtol=0, atol=1e-15)


def test_maximum_response_by_definition():
    wanted = [oriented(49, sigma, turn, order)
              for order in (1, 2) for sigma in (1, 2, 4) for turn in range(6)]
    wanted += [spot(49, 10), laplacian(49, 10)]
    kernels = kernel_list(banks.maximum_response(dtype="float64"))
    np.testing.assert_allclose(kernels, wanted, rtol=0, atol=1e-15)


def test_schmid_by_definition():
    pairs = [(2, 1), (4, 1), (4, 2), (6, 1), (6, 2), (6, 3), (8, 1), (8, 2), (8, 3), (10, 1),
             (10, 2), (10, 3), (10, 4)]
    x, y = grid(49)
    r = np.sqrt(x**2 + y**2)
    wanted = [scaled(np.cos(np.pi * tau * r / sigma) * np.exp(-r**2 / (2 * sigma**2)))
              for sigma, tau in pairs]
    kernels = kernel_list(banks.schmid(dtype="float64"))
    np.testing.assert_allclose(kernels, wanted, rtol=0, atol=1e-15)
    np.testing.assert_allclose(kernels, np.rot90(kernels, axes=(1, 2)), atol=1e-15)


@pytest.mark.parametrize("name", ["leung_malik", "schmid", "maximum_response"])
def test_texture_kernels_have_zero_mean_and_absolute_values_that_sum_to_one(name):
    kernels = kernel_list(banks.named_bank(name, dtype="float64"))
    np.testing.assert_allclose(kernels.mean(axis=(1, 2)), 0, atol=1e-16)
    np.testing.assert_allclose(np.abs(kernels).sum(axis=(1, 2)), 1, rtol=1e-12)


def test_the_strongest_responses_are_kept():
    image = IMAGES[2]
    maps = maps_of(banks.maximum_response(21, dtype="float64"), image)
    signed = [maps[first:first + 6].max(axis=0) for first in range(0, 36, 6)] + [*maps[36:]]
    absolute = [np.abs(maps[first:first + 6]).max(axis=0) for first in range(0, 36, 6)]
    kept = banks.mr8_responses(image, 21)
    assert kept.shape == (*image.shape, 8)
    np.testing.assert_allclose(np.moveaxis(kept, -1, 0), absolute + [*maps[36:]], atol=1e-12)
    kept = banks.mr8_responses(image, 21, absolute=False)
    np.testing.assert_allclose(np.moveaxis(kept, -1, 0), signed, atol=1e-12)


def test_responses_turn_with_the_image():
    image = IMAGES[2]
    kept, turned = (banks.mr8_responses(one, 21) for one in (image, np.rot90(image)))
    np.testing.assert_allclose(turned, np.rot90(kept), atol=1e-12)


def test_responses_of_several_images_and_dtypes():
    stack = np.stack([IMAGES[2], IMAGES[2][::-1]])[..., np.newaxis].astype(np.float32)
    kept = banks.mr8_responses(stack, 15, padding_mode="edge", n_threads=2)
    assert kept.dtype == np.float32
    assert kept.shape == (2, *IMAGES[2].shape, 8)
    for image, responses in zip(stack, kept):
        np.testing.assert_array_equal(
            banks.mr8_responses(image[..., 0], 15, padding_mode="edge"), responses)
    assert banks.mr8_responses(np.zeros((9, 9), np.uint8), 5).dtype == np.float32


# Steerable derivatives


def directional(order, sigma, theta, radius):
    """Return the derivative of a Gaussian along a direction, by Hermite polynomials."""
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1] / sigma
    along = np.cos(theta) * x + np.sin(theta) * y
    hermite = np.polynomial.hermite_e.hermeval(along, [0] * order + [1])
    return hermite * np.exp(-(x**2 + y**2) / 2) / (2 * np.pi * sigma ** (2 + order))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
def test_a_turned_derivative_is_a_combination(order):
    sigma = 3.0
    basis = banks.steerable(order, sigma, truncate=7, dtype="float64")
    radius = basis.shape[0] // 2
    for turn in range(order + 1):
        wanted = directional(order, sigma, np.pi * turn / (order + 1), radius)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(basis[..., 0, turn], wanted, rtol=0, atol=1e-6 * scale)
    for theta in (0.0, 0.3, 1.9, -2.5):
        turned = basis[..., 0, :] @ banks.steering_weights(theta, order)
        wanted = directional(order, sigma, theta, radius)
        np.testing.assert_allclose(turned, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_a_turned_gradient_is_made_of_cosine_and_sine():
    basis = banks.steerable(1, 1.0, dtype="float64")
    along, down = kernel_list(basis)
    np.testing.assert_allclose(along, banks.gaussian_kernel(
        1.0, order=(0, 1), dtype="float64")[..., 0, 0], atol=1e-16)
    theta = 0.8
    np.testing.assert_allclose(
        banks.steering_weights(theta, 1), [np.cos(theta), np.sin(theta)], atol=1e-15)
    image = IMAGES[2]
    turned = np.cos(theta) * along + np.sin(theta) * down
    maps = maps_of(turned[..., np.newaxis, np.newaxis], image)[0]
    combined = np.tensordot(banks.steering_weights(theta, 1), maps_of(basis, image), 1)
    np.testing.assert_allclose(combined, maps, atol=1e-13)


def test_steering_towards_a_kernel_takes_it_alone():
    for order in (1, 2, 5, 8):
        for turn in range(order + 1):
            weights = banks.steering_weights(np.pi * turn / (order + 1), order)
            np.testing.assert_allclose(weights, np.arange(order + 1) == turn, atol=1e-14)


# What is refused


REFUSED = [
    (lambda: banks.mean_kernel(0), ValueError, "size must be an int or a sequence of 2 ints"),
    (lambda: banks.mean_kernel((3, 3, 3)), ValueError, "size must be .* 2 ints"),
    (lambda: banks.mean_kernel(3.0), TypeError, "size must be"),
    (lambda: banks.mean_kernel(2**14), ValueError, r"at most 2 \*\* 26 values; got 1 of 16384 x"),
    (lambda: banks.sobel_kernels(0), ValueError, "ndim must be an int, at least 1; got 0"),
    (lambda: banks.sobel_kernels(4), ValueError, "ndim must be 1, 2 or 3; got 4"),
    (lambda: banks.sobel_kernels(2.0), TypeError, "ndim must be an int"),
    (lambda: banks.sobel_kernels(dtype="float16"), ValueError, "dtype must be one of 'float32'"),
    (lambda: banks.kirsch_kernels(dtype=None), ValueError, "dtype must be one of 'float32'"),
    (lambda: banks.gaussian_kernel(-1), ValueError, "sigma must be a finite number, at least 0"),
    (lambda: banks.gaussian_kernel((1, 2, 3)), ValueError, "sigma must be a number or 2 of them"),
    (lambda: banks.gaussian_kernel(0, order=1), ValueError, "sigma must be above 0 along"),
    (lambda: banks.gaussian_kernel(1e9), ValueError, "truncate . sigma must be at most"),
    (lambda: banks.gaussian_kernel(1e4), ValueError, "a bank must have at most"),
    (lambda: banks.gaussian_kernel(size=3, order=1), ValueError, "order must be 0 with size"),
    (lambda: banks.unsharp_mask_kernel(1, np.nan), ValueError, "amount must be a finite number"),
    (lambda: banks.unsharp_mask_kernel(1, "1"), TypeError, "amount must be a finite number"),
    (lambda: banks.laplace_of_gaussian_kernel(0), ValueError, "sigma must be above 0"),
    (lambda: banks.laplace_of_gaussian_kernel(truncate=0), ValueError, "truncate must be"),
    (lambda: banks.difference_of_gaussians_kernel(2, 1), ValueError, "high_sigma must be at"),
    (lambda: banks.gabor_kernels(0), ValueError, "frequency must be a finite number above 0"),
    (lambda: banks.gabor_kernels(1e-5), ValueError, "the kernel must have at most"),
    (lambda: banks.gabor_kernels(0.2, np.inf), ValueError, "theta must be a finite number"),
    (lambda: banks.gabor_kernels(0.2, balanced=1), TypeError, "balanced must be True or False"),
    (lambda: banks.gabor_bank(0.2), TypeError, "frequencies must be a sequence of numbers"),
    (lambda: banks.gabor_bank(()), ValueError, "frequencies must be at least one number"),
    (lambda: banks.gabor_bank((0.2, -1)), ValueError, r"frequencies\[1\] must be"),
    (lambda: banks.gabor_bank(n_orientations=0), ValueError, "n_orientations must be an int, at"),
    (lambda: banks.gabor_bank(n_orientations=10**9), ValueError, "a bank must have at most"),
    (lambda: banks.dct(0), ValueError, "size must be"),
    (lambda: banks.dct(100), ValueError, "a bank must have at most .* got 10000 of 100 x 100"),
    (lambda: banks.laws(4), ValueError, "size must be 3 or 5; got 4"),
    (lambda: banks.laws("5"), TypeError, "size must be an int"),
    (lambda: banks.leung_malik(48), ValueError, "size must be an odd int, at least 3; got 48"),
    (lambda: banks.leung_malik(1), ValueError, "size must be an int, at least 3; got 1"),
    (lambda: banks.leung_malik(scales="huge"), ValueError, "scales must be one of 'small', 'l"),
    (lambda: banks.leung_malik(2**13 + 1), ValueError, "a bank must have at most"),
    (lambda: banks.schmid(2), ValueError, "size must be an int, at least 3"),
    (lambda: banks.maximum_response(4.0), TypeError, "size must be an int"),
    (lambda: banks.steerable(0), ValueError, "order must be an int, at least 1"),
    (lambda: banks.steerable(9), ValueError, "order must be at most 8; got 9"),
    (lambda: banks.steerable(sigma=0), ValueError, "sigma must be a finite number above 0"),
    (lambda: banks.steering_weights(np.nan), ValueError, "theta must be a finite number"),
    (lambda: banks.steering_weights("0"), TypeError, "theta must be a finite number"),
    (lambda: banks.mr8_responses(np.zeros((3, 4, 5))), ValueError,
     r"image must be of shape \(height, width\) or \(n_images, height, width, 1\)"),
    (lambda: banks.mr8_responses(np.zeros((5, 5)), 4), ValueError, "size must be an odd int"),
    (lambda: banks.mr8_responses(np.zeros((5, 5)), absolute=1), TypeError, "absolute must be"),
    (lambda: banks.mr8_responses(np.array([["a"]])), TypeError, "image must"),
    (lambda: banks.mr8_responses(np.zeros((5, 5)), padding_mode="zeros"), ValueError,
     "padding_mode must be one of"),
    (lambda: banks.named_bank("sobol"), ValueError, "name must be one of .*'sobel'.* got 'sobol'"),
    (lambda: banks.named_bank(None), ValueError, "name must be one of"),
    (lambda: banks.named_bank("gabor", 1), ValueError,
     "'gabor' is a bank of images; for signals there are 'dct'"),
    (lambda: banks.bank_names(4), ValueError, "ndim must be 1, 2 or 3"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refusals_name_the_argument_and_what_is_allowed(call, error, message):
    with pytest.raises(error, match=message):
        call()
