"""Checks of what users pass in: the only module that looks at it.

Each check takes the name of an argument and its value, and returns the value in
the one form that the rest of the library trusts. A refusal names the argument,
what is allowed and what came: TypeError for the wrong kind of object, ValueError
for the wrong number.
"""

import operator
import reprlib
from collections.abc import Sequence
from math import gcd, prod
from numbers import Real

import numpy as np

PADDING_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "abs", "square", "sigmoid", "tanh")
MAX_THREADS = 1024

FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
LITERALS = frozenset({int, str, type(None)})


# Settings: numbers, choices, switches


def are_literals(values):
    """Return whether all `values` are ints, strings, None, or tuples of these, and nothing else.

    Such values can be told apart by ==. Others cannot: 1 == True == 1.0.
    """
    return LITERALS.issuperset(map(type, values)) or all(
        type(value) in LITERALS or (type(value) is tuple and are_literals(value))
        for value in values
    )


def choice(name, value, allowed):
    """Return the entry of `allowed`, of strings and perhaps None, that equals `value`."""
    for entry in allowed:
        # Only strings are compared: an array's == is no yes or no.
        if value is entry or (isinstance(value, str) and value == entry):
            return entry
    raise ValueError(_refusal(name, "one of " + ", ".join(map(repr, allowed)), value))


def flag(name, value):
    """Return `value`, a Python or NumPy bool, as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(_refusal(name, "True or False", value))
    return bool(value)


def verbosity(value):
    """Check `verbose`: a bool, or an int from 0 on."""
    if not isinstance(value, (bool, np.bool_)):
        integer("verbose", value, 0)


def integer(name, value, minimum):
    """Return `value` as one int that is at least `minimum`."""
    number = as_int(value)
    allowed = f"an int, at least {minimum}"
    if number is None:
        raise TypeError(_refusal(name, allowed, value))
    if number < minimum:
        raise ValueError(_refusal(name, allowed, value))
    return number


def real_number(name, value, allowed):
    """Return `value`, a number of any kind but bool and complex, as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(_refusal(name, allowed, value))
    return float(value)


def finite_number(name, value):
    """Return `value`, a finite number, as a float."""
    allowed = "a finite number"
    number = real_number(name, value, allowed)
    if not abs(number) < float("inf"):
        raise ValueError(_refusal(name, allowed, value))
    return number


def share(name, value):
    """Return `value` as a float from 0 to 1."""
    number = real_number(name, value, "a number in 0 .. 1")
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be a number in 0 .. 1; got {value!r}")
    return number


def positive_number(name, value):
    """Return `value`, a finite number above zero, as a float."""
    allowed = "a finite number above 0"
    number = real_number(name, value, allowed)
    if not 0 < number < float("inf"):
        raise ValueError(_refusal(name, allowed, value))
    return number


def non_negative(name, value):
    """Return `value`, a finite number of at least zero, as a float."""
    allowed = "a finite number, at least 0"
    number = real_number(name, value, allowed)
    if not 0 <= number < float("inf"):
        raise ValueError(_refusal(name, allowed, value))
    return number


def axis_ints(name, value, rank, minimum):
    """Return `value`, an int for every axis or one int per axis, as a tuple of `rank` ints."""
    number = as_int(value)
    entries = (number,) * rank if number is not None else as_entries(value)
    return _ints(name, value, entries, (rank,), minimum, lambda: (
        f"an int or a sequence of {_count(rank, 'int')}, each at least {minimum}"))


def spatial_size(name, value, minimum, one_axis=True):
    """Return `value`, the ints of 1 to 3 axes, as a tuple; one int is one axis if `one_axis`."""
    number = as_int(value) if one_axis else None
    entries = (number,) if number is not None else as_entries(value)
    return _ints(name, value, entries, (1, 2, 3), minimum, lambda: (
        ("an int (one axis) or " if one_axis else "")
        + f"a sequence of 1 to 3 ints, one per axis, each at least {minimum}"))


def padding_spec(padding, rank):
    """Return `padding` as 'valid', 'same' or a tuple of `rank` (before, after) pairs."""
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise ValueError(_padding_refusal(padding, rank))
        return str(padding)
    number = as_int(padding)
    entries = (number,) * rank if number is not None else as_entries(padding)
    if entries is None:
        raise TypeError(_padding_refusal(padding, rank))
    nested = [as_entries(entry) for entry in entries]
    n_ints = nested.count(None)
    if 0 < n_ints < len(nested):
        raise ValueError(_padding_refusal(padding, rank) + ": ints and pairs cannot be mixed")
    pairs = [(entry, entry) for entry in entries] if n_ints else nested
    pairs = tuple(tuple(as_int(pad) for pad in pair) for pair in pairs)
    if any(pad is None for pair in pairs for pad in pair):
        raise TypeError(_padding_refusal(padding, rank))
    if len(pairs) != rank or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ValueError(_padding_refusal(padding, rank))
    return pairs


# Settings that belong together


def window_settings(rank, kernel_size, stride, padding, dilation):
    """Return kernel size, stride, padding and dilation with one entry per axis; or 'same'."""
    pads = padding_spec(padding, rank)
    return (
        axis_ints("kernel_size", kernel_size, rank, 1),
        axis_ints("stride", stride, rank, 1),
        ((0, 0),) * rank if pads == "valid" else pads,
        axis_ints("dilation", dilation, rank, 1),
    )


def adjoint_settings(name, rank, size, stride, padding, padding_mode, dilation, groups):
    """Return the settings of a convolution, one value per axis, whose gradient needs a size too.

    That is the size of the images or of the kernel, whichever operand is not given.
    """
    return (
        axis_ints(name, size, rank, 1),
        axis_ints("stride", stride, rank, 1),
        padding_spec(padding, rank),
        choice("padding_mode", padding_mode, PADDING_MODES),
        axis_ints("dilation", dilation, rank, 1),
        integer("groups", groups, 1),
    )


def channel_groups(in_channels, out_channels, groups):
    """Return the three as ints, where the groups divide the channels."""
    in_channels = integer("in_channels", in_channels, 1)
    out_channels = integer("out_channels", out_channels, 1)
    groups = integer("groups", groups, 1)
    if in_channels % groups or out_channels % groups:
        allowed = f"an int that divides in_channels={in_channels} and out_channels={out_channels}"
        raise ValueError(_refusal("groups", allowed, groups))
    return in_channels, out_channels, groups


def weight_settings(rank, in_channels, out_channels, groups, kind, multiplier):
    """Return the channels, groups, kind and multiplier of a kernel of `rank` axes."""
    in_channels, out_channels, groups = channel_groups(in_channels, out_channels, groups)
    kind = choice("kind", kind, ("standard", "depthwise_separable", "spatially_separable"))
    multiplier = integer("multiplier", multiplier, 1)
    if kind == "standard" and multiplier != 1:
        raise ValueError(_refusal("multiplier", f"1 where kind is {kind!r}", multiplier))
    if kind != "standard" and groups != 1:
        raise ValueError(_refusal("groups", f"1 where kind is {kind!r}", groups))
    product = in_channels * multiplier**rank
    if kind == "spatially_separable" and out_channels != product:
        allowed = f"in_channels * multiplier ** {rank} = {product} where kind is {kind!r}"
        raise ValueError(_refusal("out_channels", allowed, out_channels))
    return in_channels, out_channels, groups, kind, multiplier


def layer_settings(layers):
    """Return the number of axes, None where all entries are ints, and the layers as tuples."""
    triple = "(kernel_size, stride, dilation)"
    entries = as_entries(layers)
    if entries is None:
        raise TypeError(_refusal("layers", f"a sequence of {triple}", layers))
    settings = [as_entries(layer) for layer in entries]
    for number, (layer, given) in enumerate(zip(settings, entries, strict=True)):
        if layer is None:
            raise TypeError(_refusal(f"layers[{number}]", triple, given))
        if len(layer) != 3:
            raise ValueError(_refusal(f"layers[{number}]", triple, given))
    lengths = [len(as_entries(part) or ()) for layer in settings for part in layer]
    rank = max(lengths, default=0) or None
    if rank is not None and rank > 3:
        raise ValueError(_refusal("layers", f"of 1 to 3 axes, {triple}", layers))
    checked = []
    for number, (kernel_size, stride, dilation) in enumerate(settings):
        names = (f"layers[{number}] {word}" for word in ("kernel_size", "stride", "dilation"))
        parts = zip(names, (kernel_size, stride, dilation), strict=True)
        checked.append(tuple(axis_ints(name, part, rank or 1, 1) for name, part in parts))
    return rank, checked


# Arrays


def images_array(name, images, rank):
    """Return `images` as an array of `rank` spatial axes, in the dtype that results have."""
    array = images if is_plain(images) else numeric_array(name, images)
    if array.ndim != rank + 2:
        axes = ("width", "height, width", "depth, height, width")[rank - 1]
        hint = f"; for one image pass {name}[np.newaxis]" if array.ndim == rank + 1 else ""
        allowed = f"an array of shape (n_images, {axes}, channels) for a kernel of rank {rank}"
        raise ValueError(_refusal(name, allowed, array) + hint)
    return _batch(name, array, "channels")


def batch_array(name, value, last="channels"):
    """Return `value` as an array of 1 to 3 spatial axes, in the dtype that results have."""
    array = value if is_plain(value) else numeric_array(name, value)
    if not 3 <= array.ndim <= 5:
        allowed = f"an array of shape (n_images, *size, {last}) with 1 to 3 axes in size"
        raise ValueError(_refusal(name, allowed, array))
    return _batch(name, array, last)


def _batch(name, array, last):
    """Return an array of (n_images, *size, last) in the dtype that results have."""
    if array.size == 0 and min(array.shape[1:]) < 1:
        refusal = _refusal(name, "an array of which only the first axis is empty", array)
        raise ValueError(f"{refusal}; the axes are (n_images, *size, {last})")
    return array if array.dtype in FLOATS else array.astype(result_dtype(array.dtype))


def index_array(name, indices, shape, n_pixels, source="output_shape"):
    """Return `indices`, places among the `n_pixels` pixels of `source`, as int64 of `shape`."""
    array = numeric_array(name, indices)
    if array.dtype.kind not in "iu":
        raise TypeError(_refusal(name, "an array of integers", array))
    if array.shape != shape:
        raise ValueError(_refusal(name, f"an array of shape {shape}", array))
    if array.size and not (array.min() >= 0 and array.max() < n_pixels):
        allowed = f"in 0 .. {n_pixels - 1}, since {source} has {n_pixels} pixels"
        raise ValueError(f"{name} must be {allowed}; got {array.min()} .. {array.max()}")
    return array.astype(np.int64, copy=False)


def numeric_array(name, value):
    """Return `value` as an array of real numbers that C can address."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(_refusal(name, "an array without a mask", value))
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        allowed = "an array of bool, integers, float16, float32 or float64"
        raise TypeError(_refusal(name, allowed, array))
    strides = array.strides
    if not (array.flags.aligned and array.dtype.isnative) or any(
        stride % array.itemsize for stride in strides
    ):
        array = np.array(array, array.dtype.newbyteorder("="), order="C")
    return array


def matrix(name, value, n_rows, n_columns):
    """Return an array of two axes of these sizes; a size that is a word may be any but zero."""
    array = numeric_array(name, value)
    wanted = n_rows, n_columns
    if array.ndim != 2 or not all(
            size > 0 if isinstance(want, str) else size == want
            for size, want in zip(array.shape, wanted)):
        raise ValueError(f"{name} must be an array of shape ({n_rows}, {n_columns}); got shape "
                         f"{array.shape}")
    return array


def is_plain(value):
    """Return whether `value` is what most users pass: floats of this machine, one by one."""
    if type(value) is not np.ndarray or value.dtype not in FLOATS:
        return False
    flags = value.flags
    return flags.c_contiguous and flags.aligned


def result_dtype(dtype):
    """Return the dtype in which images of `dtype` are computed."""
    dtype = dtype.newbyteorder("=")
    if dtype in (np.float32, np.float64):
        return dtype
    return np.dtype(np.float32) if dtype.itemsize <= 2 else np.dtype(np.float64)


def computed_dtype(name, dtype):
    """Return the dtype in which X of a dtype, given as users name it, is computed."""
    allowed = "a dtype of real numbers, such as 'float32'"
    try:
        array_dtype = np.dtype(dtype)
    except TypeError as error:
        raise TypeError(_refusal(name, allowed, dtype)) from error
    if array_dtype.kind not in "fiubO":
        raise TypeError(_refusal(name, allowed, dtype))
    return result_dtype(array_dtype)


def transposed_kernel_array(name, kernel):
    """Return `kernel` as an array of (*kernel_size, output channels of a group, in_channels)."""
    return kernel_array(name, kernel, "out_channels // groups, in_channels")


def kernel_array(name, kernel, channels="in_channels // groups, out_channels"):
    """Return `kernel` as an array of (*kernel_size, channels of a group, out_channels)."""
    array = kernel if is_plain(kernel) else numeric_array(name, kernel)
    if not 3 <= array.ndim <= 5:
        allowed = f"an array of shape (*kernel_size, {channels}) with 1 to 3 axes in kernel_size"
        raise ValueError(_refusal(name, allowed, array))
    if array.size == 0:
        raise ValueError(_refusal(name, "an array without an empty axis", array))
    return array


def depthwise_kernel(name, kernel):
    """Return `kernel` as an array of (*kernel_size, channels, multiplier)."""
    array = numeric_array(name, kernel)
    if not 3 <= array.ndim <= 5 or array.size == 0:
        allowed = "an array of shape (*kernel_size, channels, multiplier) with 1 to 3 axes in " \
            "kernel_size, none of them empty"
        raise ValueError(_refusal(name, allowed, array))
    return array


def pointwise_kernel(name, kernel, rank, in_channels):
    """Return `kernel` as an array of (1, ..., in_channels, out_channels) of `rank` ones."""
    array = numeric_array(name, kernel)
    shape = (*(1,) * rank, in_channels)
    if array.shape[:-1] != shape or array.size == 0:
        axes = ", ".join(map(str, shape))
        allowed = f"an array of shape ({axes}, out_channels), after a depthwise kernel of " \
            f"{in_channels} outputs"
        raise ValueError(_refusal(name, allowed, array))
    return array


def axis_kernels(name, kernels):
    """Return 1 to 3 arrays of (taps, channels, multiplier), each for the outputs of the last."""
    entries = as_entries(kernels)
    allowed = "a sequence of 1 to 3 arrays, one per axis, of shape (taps, channels, multiplier)"
    if entries is None:
        raise TypeError(_refusal(name, allowed, kernels))
    if not 1 <= len(entries) <= 3:
        raise ValueError(_refusal(name, allowed, kernels))
    arrays = [numeric_array(f"{name}[{axis}]", entry) for axis, entry in enumerate(entries)]
    channels = None
    for axis, array in enumerate(arrays):
        label = f"{name}[{axis}]"
        if array.ndim != 3 or array.size == 0:
            allowed = "an array of shape (taps, channels, multiplier), none of them 0"
            raise ValueError(_refusal(label, allowed, array))
        if channels is not None and array.shape[1] != channels:
            allowed = f"of shape (taps, {channels}, multiplier), since the one before has " \
                f"{channels} outputs"
            raise ValueError(_refusal(label, allowed, array))
        channels = array.shape[1] * array.shape[2]
    return arrays


def channels_of(name, images, channels, kernel):
    """Refuse images that have not the channels of the kernel called `kernel`."""
    if images.shape[-1] != channels:
        allowed = f"an array of {channels} channels, as {kernel} has them"
        raise ValueError(_refusal(name, allowed, images))


def plain_kernel(name, kernel):
    """Return one kernel, without channels, in float32 or float64."""
    array = numeric_array(name, kernel)
    array = array.astype(result_dtype(array.dtype))
    if array.ndim < 2 or min(array.shape) < 1 or not np.isfinite(array).all():
        allowed = "an array of two axes or more, none of them empty, of finite numbers"
        raise ValueError(_refusal(name, allowed, array))
    return array


def image_kernel(name, kernel):
    """Return `kernel` as an array of (kernel_h, kernel_w, channels of a group, out_channels)."""
    array = kernel_array(name, kernel)
    if array.ndim != 4:
        allowed = "an array of shape (kernel_h, kernel_w, in_channels // groups, out_channels)"
        raise ValueError(_refusal(name, allowed, array))
    return array


def point_arrays(offsets, mask, shape, n_taps, channels):
    """Return offsets, the mask or None, and the number of offset groups.

    `shape` is (n_images, out_h, out_w); the groups share the channels out among them.
    """
    offsets = numeric_array("offsets", offsets)
    last = offsets.shape[-1] if offsets.ndim else 0
    sizes = ", ".join(map(str, shape))
    if offsets.shape[:-1] != shape or last < 1 or last % (2 * n_taps):
        allowed = f"an array of shape ({sizes}, offset_groups * {2 * n_taps}), since the kernel " \
            f"has {_count(n_taps, 'tap')}"
        raise ValueError(_refusal("offsets", allowed, offsets))
    groups = last // (2 * n_taps)
    if channels % groups:
        raise ValueError(
            f"offsets must be for a number of offset groups that divides the {channels} channels "
            f"of the images; got {groups} groups of {_count(n_taps, 'tap')}"
        )
    if mask is None:
        return offsets, None, groups
    mask = numeric_array("mask", mask)
    if mask.shape != (*shape, groups * n_taps):
        allowed = f"an array of shape ({sizes}, {groups * n_taps}), half as many values as offsets"
        raise ValueError(_refusal("mask", allowed, mask))
    return offsets, mask, groups


def same_shape(name, array, shape):
    """Refuse an array that does not have the shape of the results."""
    if array.shape != shape:
        sizes = ", ".join(map(str, shape))
        allowed = f"an array of shape ({sizes}), as the outputs have with these settings"
        raise ValueError(_refusal(name, allowed, array))


def gradient_array(name, value, shape, dtype=None):
    """Return `value`, a gradient by outputs of `shape` (None: any size), in `dtype` or its own."""
    array = value if is_plain(value) else numeric_array(name, value)
    if array.ndim != len(shape) or any(
        wanted is not None and size != wanted for size, wanted in zip(array.shape, shape)
    ):
        sizes = ", ".join("*" if size is None else str(size) for size in shape)
        raise ValueError(_refusal(name, f"of shape ({sizes}), as the outputs are", array))
    return array.astype(result_dtype(array.dtype) if dtype is None else dtype, copy=False)


def vector(name, value, size, dtype):
    """Return `value` as an array of shape (size,)."""
    array = numeric_array(name, value)
    if array.shape != (size,):
        raise ValueError(_refusal(name, f"an array of shape ({size},)", array))
    return np.ascontiguousarray(array, dtype)


def output_array(out, shape, dtype, *inputs):
    """Return `out`, or a new array where it is None, of `shape`; `inputs` must lie elsewhere."""
    if out is None:
        try:
            return np.empty(shape, dtype)
        except ValueError:  # numpy's words say nothing of the result
            countable(shape, dtype)
            raise
    if type(out) is not np.ndarray and (
        not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray)
    ):
        raise TypeError(_refusal("out", "an ndarray without a mask, or None", out))
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(_refusal("out", f"of shape {shape} and dtype {dtype}", out))
    flags = out.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise ValueError("out must be C-contiguous, aligned and writeable")
    for given in inputs:
        if np.may_share_memory(out, given):
            raise ValueError("out must not share memory with another argument")
    return out


def countable(shape, dtype):
    """Refuse arrays of more bytes than an address can tell."""
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if n_bytes >= 2**63:
        raise ValueError(f"the result would have shape {shape} and {n_bytes} bytes")


def threads(n_threads):
    """Return `n_threads`, None or an int that a process can start."""
    if n_threads is None:
        return None
    number = integer("n_threads", n_threads, 1)
    if number > MAX_THREADS:
        raise ValueError(_refusal("n_threads", f"at most {MAX_THREADS}", number))
    return number


def bias_vector(bias, size, dtype, name="bias"):
    """Return `bias` as an array of shape (size,), zero where it is None."""
    return np.zeros(size, dtype) if bias is None else vector(name, bias, size, dtype)


def same_dtype(name, array, dtype):
    """Refuse images of another dtype than a packed kernel was made for."""
    if array.dtype != dtype:
        allowed = f"of a dtype that is computed in {dtype}, as the kernel was packed"
        raise TypeError(_refusal(name, allowed, array))


def float_dtype(dtype):
    """Return the dtype float32 or float64."""
    try:
        name = None if dtype is None else np.dtype(dtype).name  # numpy reads None as float64
    except TypeError:
        name = dtype
    return np.dtype(choice("dtype", name, ("float32", "float64")))


# Shapes that belong together


def image_shape(name, shape, rank):
    """Return the shape of one image, (*size, channels), as a tuple of ints."""
    return _ints(name, shape, as_entries(shape), (rank + 1,), 1, lambda: (
        f"a sequence of {rank + 1} ints, the spatial axes and then the channels, each at least 1"))


def batch_shape(name, shape):
    """Return the shape of X, flat or as images, as a tuple of ints."""
    return _ints(name, shape, as_entries(shape), (2, 3, 4, 5), 1,
                 lambda: "a sequence of 2 to 5 ints, each at least 1")


def array_shape(name, shape, n_axes=None):
    """Return the shape of an array with as many axes as one of `n_axes` says, or with any."""
    entries = as_entries(shape)
    n_axes = n_axes or (max(1, len(entries or ())),)
    return _ints(name, shape, entries, n_axes, 1, lambda: (
        f"a sequence of {' or '.join(map(str, n_axes))} ints, each at least 1"))


def kernel_shape(name, kernel):
    """Return the shape of a kernel, given as an array or as the shape itself."""
    entries = as_entries(kernel)
    if entries is not None and all(as_int(entry) is not None for entry in entries):
        return _ints(name, kernel, entries, (3, 4, 5), 1, lambda: (
            "3 to 5 ints (*kernel_size, in_channels // groups, out_channels), each at least 1"))
    return kernel_array(name, kernel).shape


def groups_fit(in_channels, group_size, out_channels, groups):
    """Refuse channels that do not agree with the kernel and the groups."""
    wanted = group_size * groups
    if in_channels != wanted:
        each = f" for each of {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"images must have {wanted} channels, since kernel has {group_size} input channels"
            f"{each}; got {in_channels}"
        )
    channel_groups(in_channels, out_channels, groups)


def transposed_groups_fit(in_channels, kernel_channels, groups):
    """Refuse channels that do not agree with the kernel of the convolution that is transposed."""
    if in_channels != kernel_channels:
        raise ValueError(
            f"images must have {kernel_channels} channels, since that many are along the last "
            f"axis of kernel; got {in_channels}"
        )
    dividing_groups(in_channels, groups)


def dividing_groups(channels, groups):
    """Return `groups` as an int that divides `channels`."""
    groups = integer("groups", groups, 1)
    if channels % groups:
        raise ValueError(_refusal("groups", f"an int that divides the {channels} channels", groups))
    return groups


def factors_divide(name, size, factor):
    """Refuse images whose size is not a multiple of the factor along each axis."""
    if any(n % times for n, times in zip(size, factor)):
        raise ValueError(f"{name} must have a size that factor={factor} divides; got {size}")


def column_channels(columns, output_size, n_taps):
    """Return the channels of the images whose patches are `columns`."""
    if columns.shape[1:-1] != output_size or columns.shape[-1] % n_taps:
        sizes = ", ".join(map(str, output_size))
        allowed = f"of shape (n_images, {sizes}, {n_taps} * channels) for these settings"
        raise ValueError(_refusal("columns", allowed, columns))
    return columns.shape[-1] // n_taps


def addressable(size, pads, stride, dilation):
    """Refuse coordinates beyond what C can count."""
    reach = [before + length + after for length, (before, after) in zip(size, pads)]
    if max(*reach, *stride, *dilation) >= 2**60:
        raise ValueError(
            f"padding {pads}, stride {stride} and dilation {dilation} must be below 2 ** 60"
        )


def windows_see_pixels(sizes, kernel_size, stride, pads, dilation, n_windows):
    """Refuse padding so large that some window has all its taps in it."""
    axes = zip(sizes, kernel_size, stride, pads, dilation, n_windows)
    for axis, (size, taps, step, (before, after), gap, n) in enumerate(axes):
        starts = range(-before, -before + n * step, step)
        # The first tap at 0 or later decides. Where the gaps are wider than the image it can
        # leap over it; the remainders of the starts repeat.
        leaping = starts[:gap // gcd(step, gap)] if gap > size else ()
        if (before > (taps - 1) * gap or starts[-1] >= size
                or any(start < 0 and start % gap >= size for start in leaping)):
            raise ValueError(
                f"padding must leave at least one pixel of the image in each window; on axis "
                f"{axis} it is ({before}, {after}) around {size} pixels, and the window has "
                f"{taps} taps at stride {step} and dilation {gap}"
            )


# What the checks are made of


def as_int(value):
    """Return `value` as an int, or None where it is no integer; a bool is none."""
    if type(value) is int:    # most are, and every call has dozens of them
        return value
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_entries(value):
    """Return the entries of a sequence or an array as a tuple, or None for anything else."""
    if type(value) is tuple:
        return value
    if isinstance(value, np.ndarray):
        return tuple(value) if value.ndim else None
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return tuple(value)
    return None


def shown(value):
    """Return a short text that tells what `value` is; kinds beyond the obvious are named."""
    if isinstance(value, np.ndarray) and (value.ndim > 1 or value.size > 8):
        return f"array of shape {value.shape} and dtype {value.dtype} ({type(value).__name__})"
    text = reprlib.repr(value)
    if value is None or isinstance(value, (bool, int, str, tuple, list)):
        return text
    return f"{text} ({type(value).__name__})"


def _ints(name, value, entries, lengths, minimum, allowed):
    """Return `entries` as ints, or refuse `value`, where they come from; `allowed` gives words."""
    if entries is None:
        raise TypeError(_refusal(name, allowed(), value))
    numbers = tuple(map(as_int, entries))
    if None in numbers:
        raise TypeError(_refusal(name, allowed(), value))
    if len(numbers) not in lengths or min(numbers) < minimum:
        raise ValueError(_refusal(name, allowed(), value))
    return numbers


def _padding_refusal(padding, rank):
    return _refusal(
        "padding",
        f"'valid', 'same', an int, a tuple of {_count(rank, 'int')} or a tuple of "
        f"{_count(rank, '(before, after) pair')} such as {((0, 1),) * rank}, none negative",
        padding,
    )


def _refusal(name, allowed, value):
    return f"{name} must be {allowed}; got {shown(value)}"


def refusal(name, allowed, value):
    """Return the words that refuse the argument `name`, for rooms with checks of their own."""
    return _refusal(name, allowed, value)


def _count(number, word):
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
