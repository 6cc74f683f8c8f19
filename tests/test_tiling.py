"""Tests of `convlib.tiling`: halos are exact."""

import numpy as np
import pytest

import convlib as cl
from convlib import filters, tiling

RNG = np.random.default_rng(0)


# Halos


def reach(function, size, stride=1, factor=1):
    """Return the pixels before and after its own that an output sees, along each axis.

    All pixels at one place of an axis are changed together, and it is seen which outputs change.
    """
    image = RNG.normal(size=size)
    whole, found = function(image), []
    for axis, n in enumerate(size):
        before, after = [0], [0]
        for place in range(n):
            changed = image.copy()
            line = np.moveaxis(changed, axis, 0)[place]
            line += 100 + 100 * RNG.random(line.shape)
            out = function(changed)
            others = tuple(k for k in range(out.ndim) if k != axis)
            for output in np.flatnonzero((abs(out - whole) > 1e-9).any(axis=others)):
                own = output * stride // factor
                before.append(own - place)
                after.append(place - own)
        found.append((max(before), max(after)))
    return tuple(found)


OF_FILTERS = [
    ("convolve", (RNG.normal(size=(4, 7)),), {}), ("correlate", (RNG.normal(size=(6, 9)),), {}),
    ("correlate", (np.ones((4, 1)),), {}), ("difference_of_gaussians", (), {"truncate": 2.0}),
    ("farid", (), {}), ("gabor", (0.3, 0.4), {"sigma_x": 1.0, "sigma_y": 2.0}),
    ("gabor", (0.3,), {"part": "imaginary"}), ("gaussian", ((0.5, 1.3),), {}),
    ("gaussian", (), {"size": (3, 5)}), ("gaussian", (1.0,), {"order": (0, 1), "truncate": 2.0}),
    ("gradient_direction", ("farid",), {}), ("gradient_magnitude", (), {"truncate": 2.0}),
    ("hessian", (), {"truncate": 2.0}), ("hessian_eigenvalues", (), {"truncate": 2.5}),
    ("kirsch", (), {}), ("laplace", (), {}), ("laplace_of_gaussian", ((0.7, 1.2),), {}),
    ("maximum", ((4, 2),), {}), ("mean", ((2, 5),), {}), ("median", (3,), {}),
    ("minimum", (), {"footprint": [[0, 1, 1], [0, 1, 0]]}), ("percentile", (30, (5, 4)), {}),
    ("prewitt", (), {"axis": 0}), ("roberts", (), {}), ("robinson", (), {}), ("scharr", (), {}),
    ("sharpen", (), {}), ("sobel", (), {}), ("structure_tensor", (0.5,), {}),
    ("unsharp_mask", (0.6,), {}),
]


def test_every_filter_is_here():
    assert {name for name, *_ in OF_FILTERS} == set(filters.__all__)


@pytest.mark.parametrize(("name", "operands", "settings"), OF_FILTERS)
def test_halos_of_filters_are_exact(name, operands, settings):
    function = getattr(filters, name)

    def run(image):
        out = function(image, *operands, **settings)
        return np.moveaxis(out, 0, -1) if out.ndim > image.ndim else out

    expected = tiling.halo(function, *operands, **settings)
    assert reach(run, (21, 23)) == expected
    assert tiling.halo(function, *operands, **settings, shape=(3, 21, 23), axes=(1, 2)) == expected


def of_one(function, *operands, **settings):
    """Return an operator as a function of one image without channels."""
    return lambda image: function(image[np.newaxis, ..., np.newaxis], *operands, **settings)[0]


KERNEL = RNG.normal(size=(3, 4, 1, 2))
WINDOWS = [
    {}, {"padding": "same"}, {"padding": ((5, 1), (0, 2)), "dilation": (2, 1)},
    {"stride": (2, 3), "padding": "same"}, {"stride": 2, "padding": 1},
]


@pytest.mark.parametrize("settings", WINDOWS)
def test_halos_of_operators_are_exact(settings):
    size = (15, 17)
    shape = (1, *size, 1)
    stride = np.broadcast_to(settings.get("stride", 1), 2)
    calls = [
        (cl.conv, (KERNEL,), {"algorithm": "direct"}), (cl.depthwise_conv, (KERNEL,), {}),
        (cl.separable_conv, (KERNEL, RNG.normal(size=(1, 1, 2, 3))), {}),
        (cl.spatially_separable_conv, (RNG.normal(size=(2, 4, 1, 1)),), {}),
        (cl.im2col, ((3, 4),), {}), (cl.lp_pool, ((3, 4),), {"stride": tuple(stride)}),
    ]
    for function, operands, own in calls:
        own = own | settings
        found = [reach(of_one(function, *operands, **own), size, int(step)) for step in stride]
        expected = tiling.halo(function, *operands, **own, shape=shape)
        assert (found[0][0], found[1][1]) == expected, function.__name__


@pytest.mark.parametrize("settings", [
    {}, {"stride": 2, "padding": "same"}, {"stride": (3, 2), "padding": 1, "dilation": (2, 1)},
    {"stride": (2, 1), "output_padding": (1, 0)},
])
def test_halos_of_what_enlarges_are_exact(settings):
    factor = np.broadcast_to(settings.get("stride", 1), 2)
    kernel = RNG.normal(size=(5, 4, 2, 1))
    found = [reach(of_one(cl.conv_transpose, kernel, **settings), (9, 8), factor=int(times))
             for times in factor]
    assert (found[0][0], found[1][1]) == tiling.halo(cl.conv_transpose, kernel, **settings)
    for kind in ("nearest", "bilinear", "bicubic"):
        found = [reach(of_one(cl.upsample, (3, 2), kind), (9, 8), factor=times)
                 for times in (3, 2)]
        assert (found[0][0], found[1][1]) == tiling.halo(cl.upsample, (3, 2), kind)


@pytest.mark.parametrize("settings", [
    {}, {"pool": None, "dilations": [1, 2]}, {"stride": 2, "kernel_size": 5, "pool_size": 3},
    {"conv": "transposed", "stride": 2, "padding": 1, "pool_size": 3, "pool_stride": 2},
    {"conv": "spatial", "kernel_size": (3, 5), "pool": None, "padding": 1},
    {"conv": "separable", "pool_size": (1, 3), "pool_stride": 1},
])
def test_halos_of_conv_features_are_exact(settings):
    size = (17, 18)
    own = cl.ConvFeatures(**{"n_kernels": 6, "output": "maps", "random_state": 0,
                             "activation": "abs"} | settings)
    own.fit(RNG.normal(size=(1, *size, 1)))
    steps = own.stride * np.broadcast_to(own.pool_stride or own.pool_size, 2)
    steps = np.ones(2, int) if own.pool is None else steps
    factor = 1
    if own.conv == "transposed":
        steps, factor = steps // own.stride, own.stride
    found = [reach(lambda image: own.transform(image[np.newaxis])[0], size, int(step), factor)
             for step in steps]
    assert (found[0][0], found[1][1]) == own.halo == tiling.halo(own)


def test_halos_of_other_transformers():
    volume = RNG.normal(size=(2, 9, 12, 13))
    assert cl.ImageFilter("mean", size=(2, 3, 5), rank=3).fit(volume).halo \
        == ((1, 0), (1, 1), (2, 2))
    pixels = cl.PixelFeatures(sigmas=[1]).fit(volume[0, 0])
    model = cl.PixelClassifier(features=pixels).fit(volume[0, 0], np.ones((12, 13), int))
    assert model.halo == pixels.halo == tiling.halo(model) == ((6, 6), (6, 6))


def test_what_has_no_halo_says_so():
    X = RNG.normal(size=(2, 9, 9, 1))
    for own in (cl.ConvFeatures(pool_size="global").fit(X), cl.DeformConvFeatures(4).fit(X)):
        assert not hasattr(own, "halo")
        with pytest.raises(TypeError, match="function must be an operator or a filter"):
            tiling.halo(own)
    for function in (np.sin, cl.deform_conv, cl.global_pool, filters):
        with pytest.raises(TypeError, match="function must be an operator or a filter"):
            tiling.halo(function)
    with pytest.raises(TypeError, match="conv: missing a required argument: 'kernel'"):
        tiling.halo(cl.conv)
    with pytest.raises(ValueError, match="shape must be given where padding is 'same'"):
        tiling.halo(cl.conv, KERNEL, padding="same", stride=2)
    with pytest.raises(ValueError, match="shape must be given where no argument tells"):
        tiling.halo(cl.max_pool, 3)
