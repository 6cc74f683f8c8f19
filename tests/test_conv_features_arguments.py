"""What ConvFeatures refuses, and how it says so."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from convlib import ConvFeatures

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 7, 2))

REFUSED = [
    ({"n_kernels": 0}, ValueError, "n_kernels must be an int, at least 1; got 0"),
    ({"n_kernels": 2.0}, TypeError, "n_kernels must be an int"),
    ({"kernel_size": 0}, ValueError, "kernel_size must be"),
    ({"kernel_size": (3, 3, 3, 3)}, ValueError, "kernel_size must be"),
    ({"kernel_size": ()}, ValueError, "kernel_size must be"),
    ({"kernel_size": 2.5}, TypeError, "kernel_size must be"),
    ({"kernel_size": 9, "padding": "valid"}, ValueError, "no window fits .* size 8"),
    ({"kernels": "sobol"}, ValueError, "kernels must be one of 'random', 'kmeans', 'pca'"),
    ({"kernels": None}, TypeError, "kernels must be"),
    ({"kernels": np.ones((3, 3))}, ValueError, "kernels must be an array of shape"),
    ({"kernels": np.ones((3, 3, 3, 4))}, ValueError, "images must have 3 channels"),
    ({"kernels": "sobol"}, ValueError, "'gabor', .*'sobel', .*; got 'sobol'"),
    ({"kernels": "sobel", "n_kernels": 3}, ValueError,
     r"n_kernels=3 does not agree with kernels='sobel' of shape \(3, 3, 1, 2\)"),
    ({"kernels": "farid", "kernel_size": 7}, ValueError,
     r"kernel_size=7 does not agree with kernels='farid' of shape \(5, 5, 1, 2\)"),
    ({"kernels": "farid", "kernel_size": (3, 3)}, ValueError, r"kernel_size=\(3, 3\) does not"),
    ({"kernels": "sobel", "groups": 2}, ValueError, "groups must be 1 with kernels='sobel'"),
    ({"kernels": "sobel", "conv": "separable"}, ValueError,
     r"kernels='sobel', a bank, goes with conv in \['standard', 'depthwise', 'spatial'\] only"),
    ({"kernels": "sobel", "conv": "transposed"}, ValueError, "got 'transposed'"),
    ({"kernels": "gabor", "conv": "spatial"}, ValueError, "must be products of one-dimensional"),
    ({"kernels": "gabor", "kernel_size": (3,)}, ValueError,
     "kernels='gabor' is a bank of images; for kernel_size of 1 axes there are 'dct'"),
    ({"kernels": "kirsch", "kernel_size": (3, 3, 3)}, ValueError, "for kernel_size of 3 axes"),
    ({"kernels": "sobel", "activation": "triangle"}, ValueError, "goes with kernels='kmeans' and"),
    ({"kernels": np.full((3, 3, 2, 4), np.nan)}, ValueError, "kernels must be finite"),
    ({"kernels": np.ones((3, 3, 2, 4)), "n_kernels": 5}, ValueError, "n_kernels=5 does not agree"),
    ({"kernels": np.ones((3, 3, 2, 4)), "kernel_size": 5}, ValueError, "kernel_size=5 does not"),
    ({"kernels": "pca", "n_kernels": 19}, ValueError, "at most 18 kernels"),
    ({"kernels": "kmeans", "n_kernels": 1000}, ValueError, "at least 1000 patches of"),
    ({"stride": 0}, ValueError, "stride must be"),
    ({"stride": (1, 2, 3)}, ValueError, "stride must be"),
    ({"stride": "1"}, TypeError, "stride must be"),
    ({"padding": -1}, ValueError, "padding must be"),
    ({"padding": "full"}, ValueError, "padding must be"),
    ({"padding_mode": "zeros"}, ValueError, "padding_mode must be one of"),
    ({"dilation": 0}, ValueError, "dilation must be"),
    ({"groups": 3}, ValueError, "groups must divide the 2 channels of X and n_kernels=32; got 3"),
    ({"groups": 0}, ValueError, "groups must be"),
    ({"groups": 2, "n_kernels": 3}, ValueError, "groups must divide"),
    ({"activation": "swish"}, ValueError, "activation must be one of"),
    ({"activation": "triangle"}, ValueError, "goes with kernels='kmeans' and"),
    ({"activation": "triangle", "kernels": "kmeans", "conv": "separable"}, ValueError,
     r"conv in \['standard', 'depthwise'\] only"),
    ({"conv": "dense"}, ValueError, "conv must be one of 'standard', 'depthwise'"),
    ({"conv": "depthwise", "groups": 2}, ValueError, "groups must be 1 with conv='depthwise'"),
    ({"conv": "depthwise", "kernels": np.ones((3, 3, 3, 1))}, ValueError,
     r"the 2 channels of X, or for all .*; got \(3, 3, 3, 1\)"),
    ({"conv": "separable", "kernels": np.ones((3, 3, 2, 1))}, ValueError, "must be a pair"),
    ({"conv": "separable", "kernels": (np.ones((3, 3, 2, 1)), np.ones((1, 1, 3, 4)))}, ValueError,
     r"kernels\[1\] must have shape \(1, 1, 2, 'n_kernels'\)"),
    ({"conv": "separable", "kernels": (np.ones((3, 3, 3, 1)), np.ones((1, 1, 3, 4)))}, ValueError,
     r"kernels\[0\] must have shape \(\*kernel_size, 2, multiplier\)"),
    ({"conv": "separable", "normalize_patches": True}, ValueError, "normalize_patches goes with"),
    ({"conv": "spatial", "kernels": np.eye(3).reshape(3, 3, 1, 1)}, ValueError,
     "must be products of one-dimensional"),
    ({"conv": "spatial", "kernels": [np.ones((3, 3, 1, 1))]}, ValueError, r"got shapes \[\(3, 3"),
    ({"conv": "spatial", "kernels": [np.ones((3, 2, 1)), np.ones((3, 3, 1))]}, ValueError,
     r"kernels\[1\] must have shape \(size, 2 or 1, multiplier\)"),
    ({"conv": "transposed", "padding_mode": "edge"}, ValueError,
     "padding_mode must be 'constant' with conv='transposed'"),
    ({"conv": "transposed", "kernels": np.ones((3, 3, 4, 3))}, ValueError, "channels"),
    ({"dilations": 2}, ValueError, "dilations must be a sequence of at least one"),
    ({"dilations": ()}, ValueError, "dilations must be a sequence of at least one"),
    ({"dilations": (1, 0)}, ValueError, r"dilations\[1\] must be"),
    ({"dilations": (1, 1)}, ValueError, "dilations must differ"),
    ({"dilations": (1, 2), "dilation": 2}, ValueError, "dilation must be 1 where dilations"),
    ({"dilations": (1, 2), "padding": "valid", "output": "maps"}, ValueError,
     "output='maps' needs maps of one size"),
    ({"pool": "median"}, ValueError, "pool must be one of"),
    ({"pool": "std"}, ValueError, "pool='std' needs pool_size='global'"),
    ({"pool": "lp", "pool_size": "global"}, ValueError, "pool must be one of"),
    ({"pool_size": "whole"}, ValueError, "pool_size must be one of 'global'"),
    ({"pool_size": 0}, ValueError, "pool_size must be"),
    ({"pool_size": 9}, ValueError, "no window fits .* size 8"),
    ({"pool_stride": -3, "pool_size": "global"}, ValueError, "pool_stride must be"),
    ({"pool_stride": 0}, ValueError, "pool_stride must be"),
    ({"pool_stride": 1.5}, TypeError, "pool_stride must be"),
    ({"output": "tensor"}, ValueError, "output must be one of 'flat', 'maps'"),
    ({"image_shape": (8, 8)}, ValueError, "as image_shape says"),
    ({"image_shape": 8}, TypeError, "image_shape must be"),
    ({"image_shape": (8,)}, ValueError, "image_shape must be"),
    ({"normalize_patches": "always"}, ValueError, "normalize_patches must be one of 'auto'"),
    ({"normalize_patches": 1}, TypeError, "normalize_patches must be True or False"),
    ({"scale": "255"}, TypeError, "scale must be a number or None"),
    ({"scale": 0}, ValueError, "scale must be finite and not zero"),
    ({"scale": np.inf}, ValueError, "scale must be finite and not zero"),
    ({"working_memory": 0}, ValueError, "working_memory must be positive"),
    ({"working_memory": "1GB"}, TypeError, "working_memory must be a number"),
    ({"n_threads": 0}, ValueError, "n_threads must be"),
    ({"n_threads": 1.0}, TypeError, "n_threads must be"),
    ({"n_threads": True}, TypeError, "n_threads must be"),
    ({"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ({"verbose": "yes"}, TypeError, "verbose must be an int"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), REFUSED)
def test_fit_names_the_parameter_and_what_is_allowed(parameters, error, message):
    with pytest.raises(error, match=message):
        ConvFeatures(**parameters).fit(IMAGES)


@pytest.mark.parametrize(
    ("X", "kernel_size", "message"),
    [
        (IMAGES.reshape(6, -1), 3, "for flat X say image_shape=\\(height, width\\)"),
        (IMAGES[..., None], 3, "X must have shape \\(n_images, height, width\\)"),
        (IMAGES, (3,), "X must have shape \\(n_images, length\\)"),
        (IMAGES[..., 0], (3, 3, 3), "X must have shape \\(n_images, depth, height, width\\)"),
        (IMAGES[0, 0, 0], 3, "Expected 2D array, got 1D array"),
    ],
)
def test_axes_are_never_guessed(X, kernel_size, message):
    with pytest.raises(ValueError, match=message):
        ConvFeatures(kernel_size=kernel_size).fit(X)


def test_transform_refuses_other_images_than_those_of_fit():
    transformer = ConvFeatures(random_state=0).fit(IMAGES)
    with pytest.raises(ValueError, match=r"of shape \(8, 7, 2\); got \(7, 7, 2\)"):
        transformer.transform(IMAGES[:, :7])
    with pytest.raises(ValueError, match=r"of shape \(8, 7, 2\); got \(8, 7, 1\)"):
        transformer.transform(IMAGES[..., 0])
    free = ConvFeatures(random_state=0, pool_size="global").fit(IMAGES)
    with pytest.raises(ValueError, match=r"of any size like those of fit, of shape \(8, 7, 2\)"):
        free.transform(IMAGES[..., :1])
    flat = ConvFeatures(image_shape=(8, 7, 2)).fit(IMAGES.reshape(6, -1))
    with pytest.raises(ValueError, match="X has 110 features"):
        flat.transform(IMAGES.reshape(6, -1)[:, :110])


def test_images_of_different_sizes_need_global_pooling():
    images = [IMAGES[0], IMAGES[1, :5]]
    with pytest.raises(ValueError, match="only where pool_size='global'"):
        ConvFeatures().fit(images)
    with pytest.raises(ValueError, match="must have the same channels"):
        ConvFeatures(pool_size="global").fit([IMAGES[0], IMAGES[1, :5, :, :1]])
    with pytest.raises(ValueError, match="X must have shape"):
        ConvFeatures(pool_size="global").fit([IMAGES[0, 0, 0], IMAGES[0]])
    bad = IMAGES[1, :5].copy()
    bad[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Input X\[1\] contains NaN"):
        ConvFeatures(pool_size="global").fit([IMAGES[0], bad])


def test_a_refused_fit_leaves_nothing_half_fitted():
    transformer = ConvFeatures(kernel_size=9, padding="valid")
    with pytest.raises(ValueError, match="no window fits"):
        transformer.fit(IMAGES)
    assert not hasattr(transformer, "kernels_")


def test_a_refused_refit_leaves_the_first_fit():
    transformer = ConvFeatures(3, random_state=0).fit(IMAGES)
    features = transformer.transform(IMAGES)
    transformer.set_params(working_memory=-1)
    with pytest.raises(ValueError, match="working_memory must be positive"):
        transformer.fit(IMAGES[:, :4])
    transformer.set_params(working_memory=None)
    assert transformer.n_features_in_ == 8 * 7 * 2
    np.testing.assert_array_equal(transformer.transform(IMAGES), features)


def test_a_refused_first_fit_is_no_fit():
    transformer = ConvFeatures(4)
    with pytest.raises(ValueError, match="no window fits"):
        transformer.fit(np.ones((3, 1, 1)))
    with pytest.raises(NotFittedError):
        transformer.transform(np.ones((3, 8, 8)))


@pytest.mark.parametrize("kernels", ["kmeans", "pca"])
def test_one_patch_teaches_nothing(kernels):
    with pytest.raises(ValueError, match="learns from at least 2 patches"):
        ConvFeatures(1, kernels=kernels, padding="valid", pool=None).fit(np.ones((1, 3, 3)))


def test_masks_and_dates_are_refused():
    transformer = ConvFeatures(3, random_state=0, pool_size="global").fit(IMAGES)
    masked = np.ma.masked_less(IMAGES, 0)
    with pytest.raises(TypeError, match="X must be an array without a mask"):
        transformer.transform(masked)
    with pytest.raises(TypeError, match=r"X\[0\] must be an array without a mask"):
        transformer.transform([masked[0], IMAGES[1, :5]])
    with pytest.raises(TypeError, match="X must hold bool, integers or real numbers"):
        transformer.transform((100 * IMAGES).astype("m8[s]"))


def test_empty_axes_are_refused():
    with pytest.raises(ValueError, match="X must not have an empty axis"):
        ConvFeatures().fit(IMAGES[..., :0])


def test_verbose_may_be_a_bool(capsys):
    ConvFeatures(2, verbose=True).fit_transform(IMAGES)
    assert "6 of 6 images" in capsys.readouterr().err
    ConvFeatures(2, verbose=False).fit_transform(IMAGES)
    assert not capsys.readouterr().err
