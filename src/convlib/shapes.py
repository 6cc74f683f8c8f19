"""The arithmetic of shapes: sizes, padding, receptive fields, parameters and products.

All of it is exact arithmetic on settings. A size is that of the spatial axes alone. An
int means one axis and is answered by an int; a tuple of 1 to 3 ints by a tuple.
"""

from math import prod
from typing import NamedTuple

from convlib._validation import (
    as_int,
    axis_ints,
    flag,
    layer_settings,
    padding_spec,
    spatial_size,
    weight_settings,
    window_settings,
)

__all__ = ["n_macs", "n_parameters", "output_size", "padding_pairs", "receptive_field",
           "transpose_output_size"]


def output_size(size, kernel_size, *, stride=1, padding=0, dilation=1, ceil_mode=False):
    """Return the number of windows along each axis of a convolution or a pooling.

    Parameters
    ----------
    size : int or tuple of int
        Size of the input: one axis, or 1 to 3 axes.
    kernel_size : int or tuple of int
        Taps along each axis of the kernel or the pooling window.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis. 'valid' adds none, 'same' gives
        ``ceil(size / stride)`` windows.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps.
    ceil_mode : bool, default=False
        Whether to count, for pooling, a last window that reaches past the padded input,
        and only windows that start in the input or in the padding before it.

    Returns
    -------
    out : int or tuple of int
        ``(size + before + after - dilation * (kernel_size - 1) - 1) // stride + 1``, with
        `ceil_mode` rounded up. An int where `size` is one.

    Raises
    ------
    ValueError
        If not even one window fits, or a number or a length is wrong.

    Examples
    --------
    >>> output_size((200, 200), 5, stride=2, padding=1)
    (99, 99)
    """
    sizes = spatial_size("size", size, minimum=0)
    ceil_mode = flag("ceil_mode", ceil_mode)
    axes = _axes(sizes, kernel_size, stride, padding, dilation)
    return _like(size, (_n_windows(number, axis, ceil_mode) for number, axis in enumerate(axes)))


def padding_pairs(size, kernel_size, *, stride=1, padding=0, dilation=1):
    """Return the pixels that a convolution adds before and after each axis.

    'same' is worked out for this size; every other padding is only written as pairs.
    Whether a window fits is left to `output_size`.

    Parameters
    ----------
    size : int or tuple of int
        Size of the input: one axis, or 1 to 3 axes.
    kernel_size : int or tuple of int
        Taps along each axis of the kernel.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        What to write as pairs. 'same' adds as little as gives ``ceil(size / stride)``
        windows; when the total is odd, the extra pixel comes last.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps.

    Returns
    -------
    pairs : tuple of (int, int)
        One (before, after) pair per axis; a single pair where `size` is an int.

    Raises
    ------
    ValueError
        If an axis is empty where padding is 'same', or a number or a length is wrong.

    Examples
    --------
    >>> padding_pairs((7, 8), 3, stride=2, padding="same")
    ((1, 1), (0, 1))
    """
    sizes = spatial_size("size", size, minimum=0)
    axes = _axes(sizes, kernel_size, stride, padding, dilation)
    return _like(size, ((axis.before, axis.after) for axis in axes))


def transpose_output_size(
    size, kernel_size, *, stride=1, padding=0, output_padding=0, dilation=1, output_shape=None
):
    """Return the size of the output of a transposed convolution.

    It is a size that the convolution with the same settings turns into `size`. With a
    stride above 1 there are several; `output_padding` or `output_shape` picks one.

    Parameters
    ----------
    size : int or tuple of int
        Size of the input: one axis, or 1 to 3 axes.
    kernel_size : int or tuple of int
        Taps along each axis of the kernel.
    stride : int or tuple of int, default=1
        That of the convolution that is transposed.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        That of the convolution that is transposed. It makes the result smaller.
    output_padding : int or tuple of int, default=0
        Pixels added at the end, fewer than `stride`; 0 with 'same' or `output_shape`.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps.
    output_shape : int or tuple of int, default=None
        The size wanted. None means the smallest possible plus `output_padding`, and with
        'same' the largest possible, ``size * stride``.

    Returns
    -------
    out : int or tuple of int
        ``(size - 1) * stride - before - after + dilation * (kernel_size - 1) +
        output_padding + 1``, or `output_shape`. An int where `size` is one.

    Raises
    ------
    ValueError
        If `output_shape` is impossible (the message lists the possible ones), padding
        leaves no pixel, or a number or a length is wrong.

    See Also
    --------
    output_size : The way back.

    Examples
    --------
    >>> transpose_output_size((4, 4), 3, stride=2, padding=1, output_shape=(7, 8))
    (7, 8)
    """
    sizes = spatial_size("size", size, minimum=1)
    rank = len(sizes)
    axes = _axes(sizes, kernel_size, stride, padding, dilation)
    same = padding_spec(padding, rank) == "same"
    extras = axis_ints("output_padding", output_padding, rank, 0)
    wanted = (None,) * rank
    if output_shape is not None:
        wanted = axis_ints("output_shape", output_shape, rank, 1)
    return _like(size, map(_transposed_size, range(rank), axes, (same,) * rank, extras, wanted))


def receptive_field(layers):
    """Return the window of the input that one output value of stacked layers depends on.

    The middle of the window of output ``j`` is at ``offset + j * stride``, where 0 is the
    first input pixel, if no layer pads. One that pads ``before`` pixels moves all middles
    back by ``before`` times the product of the strides of the layers ahead of it.

    Parameters
    ----------
    layers : sequence of (kernel_size, stride, dilation)
        The convolutions and poolings, first to last. Each entry is an int, or a tuple of
        one int per axis.

    Returns
    -------
    size : int or tuple of int
        Pixels from the first to the last of the window; dilation may skip some between.
    stride : int or tuple of int
        Input pixels between the windows of neighbouring output values.
    offset : float or tuple of float
        Middle of the first window, ``(size - 1) / 2``.

    Raises
    ------
    ValueError
        If a layer has not three entries, a number is below 1, or the numbers of axes differ.

    Examples
    --------
    >>> receptive_field([(5, 2, 1), (3, 1, 1), (3, 1, 1)])
    (13, 2, 6.0)
    """
    rank, checked = layer_settings(layers)
    sizes, strides = [1] * (rank or 1), [1] * (rank or 1)
    for kernel, stride, dilation in checked:
        for axis in range(len(sizes)):
            sizes[axis] += dilation[axis] * (kernel[axis] - 1) * strides[axis]
            strides[axis] *= stride[axis]
    offsets = [(size - 1) / 2 for size in sizes]
    if rank is None:
        return sizes[0], strides[0], offsets[0]
    return tuple(sizes), tuple(strides), tuple(offsets)


def n_parameters(
    kernel_size, in_channels, out_channels, *, groups=1, bias=False, kind="standard", multiplier=1
):
    """Return the number of weights that a convolution learns.

    Parameters
    ----------
    kernel_size : tuple of int
        Taps along each of 1 to 3 axes. One int would not tell the number of axes.
    in_channels, out_channels : int
        Channels of the input and of the output.
    groups : int, default=1
        Independent convolutions into which the channels are split; 'standard' only.
    bias : bool, default=False
        Whether one number is added to each output channel.
    kind : {'standard', 'depthwise_separable', 'spatially_separable'}, default='standard'
        'depthwise_separable' filters each channel by itself, then mixes them with 1x1.
        'spatially_separable' filters each channel along one axis after the other.
    multiplier : int, default=1
        Outputs of each channel in a depthwise step; 1 for 'standard'. In the last kind
        every axis multiplies: `out_channels` is ``in_channels * multiplier ** n_axes``.

    Returns
    -------
    n_parameters : int
        Weights of the kernels, and the biases.

    Raises
    ------
    ValueError
        If `groups` does not divide the channels, `kind` is unknown, `groups`, `multiplier`
        or `out_channels` does not go with it, or a number is out of range.

    Examples
    --------
    >>> n_parameters((3, 3), 3, 32)
    864
    """
    kernel = spatial_size("kernel_size", kernel_size, minimum=1, one_axis=False)
    steps = _steps(kernel, in_channels, out_channels, groups, kind, multiplier)
    n_biases = as_int(out_channels) if flag("bias", bias) else 0
    return sum(n_weights for n_weights, _ in steps) + n_biases


def n_macs(
    image_size, kernel_size, in_channels, out_channels, *, stride=1, padding=0, dilation=1,
    groups=1, kind="standard", multiplier=1
):
    """Return the number of multiply-adds that a convolution takes for one image.

    Products with the zeros of the padding count; faster algorithms may take fewer.

    Parameters
    ----------
    image_size : int or tuple of int
        Size of the image without channels: one axis, or 1 to 3 axes.
    kernel_size : int or tuple of int
        Taps along each axis of the kernel.
    in_channels, out_channels : int
        Channels of the image and of the output.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis, as in `output_size`.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps.
    groups : int, default=1
        Independent convolutions into which the channels are split; 'standard' only.
    kind : {'standard', 'depthwise_separable', 'spatially_separable'}, default='standard'
        As in `n_parameters`. Stride, padding and dilation belong to the depthwise steps.
    multiplier : int, default=1
        Outputs of each channel in a depthwise step, as in `n_parameters`.

    Returns
    -------
    n_macs : int
        Multiply-adds; a bias would take none.

    Raises
    ------
    ValueError
        If no window fits, or for the reasons of `n_parameters`.

    Examples
    --------
    >>> n_macs((5, 5), 3, 1, 1), n_macs((5, 5), 3, 1, 1, kind="spatially_separable")
    (81, 72)
    """
    current = list(spatial_size("image_size", image_size, minimum=0))
    kernel = axis_ints("kernel_size", kernel_size, len(current), 1)
    out = output_size(current, kernel, stride=stride, padding=padding, dilation=dilation)
    total = 0
    for n_weights, axes in _steps(kernel, in_channels, out_channels, groups, kind, multiplier):
        for axis in axes:
            current[axis] = out[axis]
        total += n_weights * prod(current)  # every weight is used once per output pixel
    return total


class _Axis(NamedTuple):
    """The settings of one axis, 'same' worked out; a window reaches over `reach` pixels."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self):
        return self.dilation * (self.kernel - 1) + 1


def _axes(sizes, kernel_size, stride, padding, dilation):
    """Return one `_Axis` for each size, from settings as the user gave them."""
    settings = window_settings(len(sizes), kernel_size, stride, padding, dilation)
    kernels, strides, pads, dilations = settings
    if pads == "same":
        if min(sizes) < 1:
            raise ValueError(f"size must be at least 1 where padding is 'same'; got {sizes}")
        pads = map(_same_pair, sizes, kernels, strides, dilations)
    rows = zip(sizes, kernels, strides, dilations, pads, strict=True)
    return [_Axis(*row, *pair) for *row, pair in rows]


def _same_pair(size, kernel, stride, dilation):
    n_windows = -(-size // stride)
    total = max((n_windows - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _n_windows(number, axis, ceil_mode):
    """Return the number of windows along `axis`; `number` is for the message."""
    room = axis.size + axis.before + axis.after - axis.reach
    n_windows = room // axis.stride + 1
    if ceil_mode:
        n_starts = -(-(axis.size + axis.before) // axis.stride)
        n_windows = min(-(-room // axis.stride) + 1, n_starts)
    if n_windows < 1:
        raise ValueError(
            f"no window fits on axis {number}: size {axis.size} with padding "
            f"({axis.before}, {axis.after}) is {axis.reach + room} pixels, kernel_size "
            f"{axis.kernel} with dilation {axis.dilation} reaches over {axis.reach}"
        )
    return n_windows


def _transposed_size(number, axis, same, extra, wanted):
    """Return the size that becomes that of `axis`: the one `wanted`, or None for the usual."""
    if extra >= axis.stride or (extra and (same or wanted is not None)):
        raise ValueError(
            f"output_padding must be smaller than stride ({axis.stride} on axis {number}), and "
            f"0 where padding is 'same' or output_shape is given; got {extra}"
        )
    smallest = (axis.size - 1) * axis.stride + 1
    if not same:
        smallest += axis.reach - 1 - axis.before - axis.after
    largest = smallest + axis.stride - 1
    result = wanted or (largest if same else smallest + extra)
    if min(result, largest) < 1:
        raise ValueError(
            f"padding ({axis.before}, {axis.after}) must leave at least 1 pixel on axis {number} "
            f"of the output; it leaves {min(result, largest)}"
        )
    if not smallest <= result <= largest:
        sizes = range(max(smallest, 1), largest + 1)
        listed = ", ".join(map(str, sizes)) if axis.stride < 9 else f"{sizes[0]} to {largest}"
        raise ValueError(f"output_shape on axis {number} must be one of {listed}; got {result}")
    return result


def _steps(kernel, in_channels, out_channels, groups, kind, multiplier):
    """Return (number of weights, axes they run along) for each step of a convolution."""
    axes = range(len(kernel))
    settings = weight_settings(len(axes), in_channels, out_channels, groups, kind, multiplier)
    n_in, n_out, groups, kind, multiplier = settings
    if kind == "standard":
        return [(prod(kernel) * (n_in // groups) * n_out, axes)]
    if kind == "depthwise_separable":
        return [(prod(kernel) * n_in * multiplier, axes), (n_in * multiplier * n_out, ())]
    return [(kernel[axis] * n_in * multiplier ** (axis + 1), (axis,)) for axis in axes]


def _like(size, entries):
    """Return `entries` as a tuple, or the only one where the user's `size` is an int."""
    entries = tuple(entries)
    return entries[0] if as_int(size) is not None else entries
