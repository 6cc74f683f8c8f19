"""Tests of channel_shuffle."""

import numpy as np
import pytest

import convlib as cl
from reference import same_bits, sample


def dealt(images, groups):
    """Return the channels one by one, in the order that the definition gives."""
    n = images.shape[-1] // groups
    order = [group * n + i for i in range(n) for group in range(groups)]
    return np.ascontiguousarray(images[..., order])


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_deals_each_group_out(rank, groups, dtype):
    images = sample((2, *[3, 4, 2][:rank], 12)).astype(dtype)
    out = cl.channel_shuffle(images, groups)
    assert same_bits(out, dealt(images, groups))
    assert same_bits(cl.channel_shuffle(out, 12 // groups), images)


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
               lambda x: x[:, ::-1, ::-1].copy()[:, ::-1, ::-1],
               lambda x: x.astype(x.dtype.newbyteorder("S"))])
def test_any_memory_order(change):
    images = sample((2, 3, 4, 6))
    out = cl.channel_shuffle(change(images), 3)
    assert same_bits(out, dealt(images, 3))
    assert out.flags.c_contiguous


@pytest.mark.parametrize(
    ("dtype", "expected"), [("uint8", "float32"), ("bool", "float32"), ("float16", "float32"),
                            ("int32", "float64"), ("int64", "float64")])
def test_dtypes(dtype, expected):
    images = np.arange(12).reshape(1, 2, 6).astype(dtype)
    assert same_bits(cl.channel_shuffle(images, 2), dealt(images, 2).astype(expected))


def test_it_joins_the_groups_of_two_convolutions():
    """After two group convolutions, an output depends on all channels only if they are shuffled."""
    images, kernel = np.zeros((6, 1, 6)), np.ones((1, 2, 6))
    images[:, 0] = np.eye(6)  # one image for each channel

    def seen(between):
        return cl.conv(between(cl.conv(images, kernel, groups=3)), kernel, groups=3)[:, 0] > 0

    assert seen(lambda x: x).sum(axis=0).tolist() == [2] * 6
    assert seen(lambda x: cl.channel_shuffle(x, 3)).sum(axis=0).tolist() == [4] * 6


def test_out_and_empty_batch():
    images = sample((2, 3, 6))
    out = np.full(images.shape, np.nan)
    assert cl.channel_shuffle(images, 2, out=out) is out
    assert same_bits(out, dealt(images, 2))
    assert cl.channel_shuffle(images[:0], 2).shape == (0, 3, 6)


@pytest.mark.parametrize("groups", [0, -1, 4, 5, 12, 2**70])
def test_groups_divide_the_channels(groups):
    with pytest.raises(ValueError, match="groups must be an int"):
        cl.channel_shuffle(np.ones((1, 2, 6)), groups)


@pytest.mark.parametrize("groups", [True, 2.0, "2", None, (2,)])
def test_groups_is_an_int(groups):
    with pytest.raises(TypeError, match="groups must be an int"):
        cl.channel_shuffle(np.ones((1, 2, 6)), groups)


@pytest.mark.parametrize(
    ("images", "error"),
    [(np.ones((2, 6)), ValueError), (np.ones((1, 2, 3, 4, 5, 6)), ValueError),
     (np.ones((1, 0, 6)), ValueError), (np.ones((1, 2, 6), complex), TypeError),
     (np.ones((1, 2, 6), object), TypeError), (np.ma.ones((1, 2, 6)), TypeError)])
def test_wrong_images(images, error):
    with pytest.raises(error, match="images must be an array"):
        cl.channel_shuffle(images, 2)


def test_wrong_out():
    images = np.ones((1, 2, 6))
    for out in (np.zeros((1, 2, 5)), np.zeros((1, 2, 6), "f4"), np.zeros((1, 2, 12))[..., ::2]):
        with pytest.raises(ValueError, match="out must be"):
            cl.channel_shuffle(images, 2, out=out)
        assert not out.any()
    with pytest.raises(ValueError, match="out must not share memory"):
        cl.channel_shuffle(images, 2, out=images)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_shuffle_folded_into_a_dense_kernel(rank, groups):
    images, kernel = sample((2, *[5, 4, 3][:rank], 12)), sample((*(2,) * rank, 12, 7), 1)
    expected = cl.conv(cl.channel_shuffle(images, groups), kernel)
    np.testing.assert_allclose(cl.conv(images, cl.shuffle_kernel(kernel, groups)), expected,
                               rtol=0, atol=1e-12)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_shuffle_moved_behind_a_depthwise_kernel(multiplier):
    images, kernel = sample((2, 5, 4, 12)), sample((3, 3, 12, multiplier), 1)
    expected = cl.depthwise_conv(cl.channel_shuffle(images, 3), kernel)
    out = cl.depthwise_conv(images, cl.shuffle_kernel(kernel, 3))
    order = dealt(np.arange(12)[np.newaxis], 3)[0]
    out = out.reshape(*out.shape[:-1], 12, multiplier)[..., order, :].reshape(out.shape)
    assert same_bits(out, expected)


def test_shuffled_kernel_refuses_groups():
    with pytest.raises(ValueError, match="groups must be an int that divides the 6 channels"):
        cl.shuffle_kernel(np.ones((1, 6, 2)), 4)
    with pytest.raises(ValueError, match="kernel must be an array"):
        cl.shuffle_kernel(np.ones((6, 2)), 2)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_gradient_is_the_shuffle_taken_back(groups):
    images = sample((2, 3, 12))
    assert same_bits(cl.grad.channel_shuffle_images(cl.channel_shuffle(images, groups), groups),
                     images)
