"""Convolution: check the call, choose an algorithm, allocate, run."""

from copy import copy
from functools import lru_cache
from operator import is_
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._algorithms import NAMES, Algorithm, ConvPlan, anywhere, by_name, choose, explain
from convlib._conv.lowrank import worthwhile_rank
from convlib._lazy import takes_dask
from convlib._native import cpu
from convlib._problem import WHOLE, ConvProblem, five_axes, three
from convlib.shapes import output_size, padding_pairs

__all__ = ["ConvPlan", "PackedKernel", "conv", "explain_conv", "pack_kernel"]


@takes_dask("images")
def conv(
    images, kernel, bias=None, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    groups=1, activation=None, algorithm="auto", n_threads=None, out=None,
):
    """Correlate images, signals or volumes with a set of kernels.

    ``out[n, p, q, o]`` is the inner product of kernel ``o`` with the window of image ``n``
    that starts at row ``p * stride_h`` and column ``q * stride_w``. The kernel is not flipped:
    this is cross-correlation, what deep-learning libraries call convolution; ``np.flip`` the
    kernel for the mathematician's. The rank of the kernel tells signals (one spatial axis),
    images (two) and volumes (three) apart; the shapes below are those of images.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, in_channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        Weights, converted to the dtype of `images`; or what `pack_kernel` returns, and then
        only `n_threads` and `out` may be given. A setting that is written out as its default
        is not told from one that is left out; whatever was packed counts.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows, along each axis.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis. 'valid' adds none; 'same' gives
        ``ceil(size / stride)`` outputs, and when the total is odd, the extra pixel comes last.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='constant'
        What those pixels hold, as in `numpy.pad`; 'constant' is zero.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring kernel taps.
    groups : int, default=1
        Independent convolutions into which the channels are split.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default=None
        Function applied to every output; the slope of 'leaky_relu' is 0.01.
    algorithm : {'auto', 'pointwise', 'depthwise', 'grouped', 'planes', 'lowrank', 'winograd', \
'winograd2', 'fft', 'igemm', 'direct'}, default='auto'
        How to compute it. `explain_conv` tells what 'auto' chooses, and why.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (n_images, out_h, out_w, out_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, out_channels)
        ``out_h = (height + top + bottom - dilation_h * (kernel_h - 1) - 1) // stride_h + 1``.

    Raises
    ------
    ValueError
        If shapes and channels do not agree, the dilated kernel is larger than the padded
        image, the result has more bytes than an address can tell, or `algorithm` cannot
        compute this problem (the message says why).
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    explain_conv : Which algorithm runs.
    pack_kernel : Prepare a kernel once for many calls.

    Notes
    -----
    A NaN or an infinity in an image reaches the outputs whose windows see it, and where outputs
    are computed in tiles, with 'winograd', 'winograd2' and 'fft', all others of the same tile
    too. Name another algorithm, such as 'igemm', for images that mark missing values with NaN.
    'lowrank' may turn an infinity into NaN. Subnormal numbers may count as zero.

    References
    ----------
    .. [1] M. Dukhan, "The Indirect Convolution Algorithm", arXiv:1907.02129 ('igemm').
    .. [2] A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks",
       arXiv:1509.09308 ('winograd', 'winograd2').
    .. [3] A. Zlateski, Z. Jia, K. Li, F. Durand, "FFT Convolutions are Faster than Winograd on
       Modern CPUs, Here is Why", arXiv:1809.07851 ('fft').

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.conv(np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    settings = (stride, padding, padding_mode, dilation, groups, activation, algorithm)
    if isinstance(kernel, PackedKernel):
        _refuse_settings(bias, *settings)
        return kernel._convolve(images, n_threads, out)
    kernel = check.kernel_array("kernel", kernel)
    rank = kernel.ndim - 2
    if not check.are_literals(settings):
        settings = _settings(rank, *settings)
    images = check.images_array("images", images, rank)
    kernel_rank = 0
    if kernel.shape[-2] == 1:
        kernel_rank = worthwhile_rank(kernel, images.dtype, images.shape[1:-1], settings[-1])
    problem, way, layout, shape = _plan(
        images.shape[1:], kernel.shape, images.dtype, settings, False, kernel_rank, cpu.tier())
    n_threads = check.threads(n_threads)
    bias = check.bias_vector(bias, problem.out_channels, images.dtype)
    out = check.output_array(out, (len(images), *shape), images.dtype, images, kernel, bias)
    kernel = np.ascontiguousarray(kernel, images.dtype)
    if out.size:
        prepared = way.prepare(problem, kernel, bias, n_threads)
        way.run(problem, layout, prepared, five_axes(images), five_axes(out), WHOLE, n_threads)
    return out


def pack_kernel(
    kernel, image_shape, bias=None, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    groups=1, activation=None, algorithm="auto", dtype="float32",
):
    """Prepare a kernel for many calls of `conv`.

    Parameters
    ----------
    kernel : array-like of shape (*kernel_size, in_channels // groups, out_channels)
        Weights.
    image_shape : tuple of int
        Shape of one image, (*size, in_channels). It guides the choice of the algorithm;
        images of other sizes are accepted and the algorithm stays.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    stride, padding, padding_mode, dilation, groups, activation, algorithm
        As in `conv`.
    dtype : {'float32', 'float64'}, default='float32'
        Of the images to come; others are refused.

    Returns
    -------
    packed : PackedKernel
        For ``conv(images, packed, n_threads=..., out=...)``.

    Raises
    ------
    ValueError, TypeError
        As `conv` does for these arguments.

    See Also
    --------
    conv : Convolve images with the packed kernel.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> packed = cl.pack_kernel(np.ones((3, 3, 1, 8)), (28, 28, 1), padding="same")
    >>> cl.conv(np.ones((5, 28, 28, 1), dtype="float32"), packed).shape
    (5, 28, 28, 8)
    """
    kernel = check.kernel_array("kernel", kernel)
    settings = _settings(
        kernel.ndim - 2, stride, padding, padding_mode, dilation, groups, activation, algorithm
    )
    shape = check.image_shape("image_shape", image_shape, kernel.ndim - 2)
    dtype = check.float_dtype(dtype)
    kernel_rank = worthwhile_rank(kernel, dtype, None, settings.algorithm)
    way = _plan(shape, kernel.shape, dtype, settings, True, kernel_rank, cpu.tier()).way
    bias = check.bias_vector(bias, kernel.shape[-1], dtype)
    # Copies: a packed kernel never changes, and the user's arrays stay writeable.
    kernel, bias = np.array(kernel, dtype, order="C"), bias.copy()
    return PackedKernel(kernel, bias, settings, shape, way.name)


def explain_conv(
    image_shape, kernel, *, stride=1, padding=0, padding_mode="constant", dilation=1, groups=1,
    activation=None, algorithm="auto", dtype="float32", packed=False,
):
    """Tell which algorithm `conv` runs, and why.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of one image, (*size, in_channels).
    kernel : array-like, or tuple of int
        Weights, or their shape (*kernel_size, in_channels // groups, out_channels), which does
        not tell whether they are few products of 1-D kernels.
    stride, padding, padding_mode, dilation, groups, activation, algorithm
        As in `conv`.
    dtype : {'float32', 'float64'}, default='float32'
        Of the images.
    packed : bool, default=False
        Whether the kernel comes from `pack_kernel`: its preparation then costs nothing.

    Returns
    -------
    plan : ConvPlan
        Frozen, with fields `algorithm`, `refusals` (name to reason) and `costs` (name to
        predicted seconds for one image on one thread).

    Raises
    ------
    ValueError, TypeError
        As `conv` does for these arguments.

    See Also
    --------
    conv : Compute it.

    Examples
    --------
    >>> import convlib as cl
    >>> cl.explain_conv((28, 28, 64), (1, 1, 64, 32)).algorithm
    'pointwise'
    """
    kernel_shape = check.kernel_shape("kernel", kernel)
    rank = len(kernel_shape) - 2
    settings = _settings(
        rank, stride, padding, padding_mode, dilation, groups, activation, algorithm
    )
    shape = check.image_shape("image_shape", image_shape, rank)
    packed = check.flag("packed", packed)
    dtype, kernel_rank = check.float_dtype(dtype), 0
    if np.ndim(kernel) > 1:
        kernel = check.kernel_array("kernel", kernel)
        size = None if packed else shape[:-1]
        kernel_rank = worthwhile_rank(kernel, dtype, size, settings.algorithm)
    problem = _plan(
        shape, kernel_shape, dtype, settings, packed, kernel_rank, cpu.tier()).problem
    return explain(problem, settings.algorithm, packed)


class PackedKernel:
    """A kernel prepared for `conv`; made by `pack_kernel`.

    It may be shared between threads, copied and pickled. Its state is the plain kernel, the
    settings and the algorithm's name. Loading packs again with that algorithm, on any machine; only
    where vectors are wider, and its prepared kernel too large for that, with the one that
    `pack_kernel` would choose.

    Attributes
    ----------
    kernel : ndarray of shape (*kernel_size, in_channels // groups, out_channels)
        The weights.
    bias : ndarray of shape (out_channels,)
        Zero where none was given.
    algorithm : str
        The algorithm that runs.
    image_shape : tuple of int
        The shape the algorithm was chosen for.
    nbytes : int
        Bytes of the kernel and the bias, as they were given and as they were prepared.
    """

    def __init__(self, kernel, bias, settings, image_shape, algorithm):
        self.kernel = kernel
        self.bias = bias
        self.image_shape = image_shape
        self.algorithm = algorithm
        self._settings = settings._replace(algorithm=algorithm)
        rank = worthwhile_rank(kernel, kernel.dtype, None, algorithm)
        self._form = (kernel.shape, kernel.dtype, self._settings, True, rank)
        for array in (kernel, bias):
            array.flags.writeable = False  # the prepared copy would not follow
        self._by_tier = None, None
        self._prepared()

    def __reduce__(self):
        state = (self.kernel, self.bias, self._settings, self.image_shape, self.algorithm)
        return _load, tuple(
            array.copy() if isinstance(array, np.ndarray) else array for array in state
        )

    @property
    def nbytes(self):
        return self.kernel.nbytes + self.bias.nbytes + _bytes_beside(self.kernel, self._prepared())

    def __repr__(self):
        return (
            f"PackedKernel(shape={self.kernel.shape}, dtype={self.kernel.dtype.name}, "
            f"algorithm={self.algorithm!r})"
        )

    def output_shape(self, image_shape):
        """Return the shape of the convolution of one image.

        Parameters
        ----------
        image_shape : tuple of int
            Shape of the image, (*size, in_channels).

        Returns
        -------
        shape : tuple of int
            (*output_size, out_channels).
        """
        shape = check.image_shape("image_shape", image_shape, self.kernel.ndim - 2)
        return self._plan(shape).shape

    def _without_grid(self):
        """Return the kernel packed for an algorithm by which parts of images may begin anywhere."""
        problem = self._plan(self.image_shape).problem
        if by_name(self.algorithm).grid(problem) == (1,) * problem.rank:
            return self
        return PackedKernel(self.kernel, self.bias, self._settings, self.image_shape,
                            anywhere(problem).name)

    def _prepared(self):
        """Return the kernel as the algorithm takes it, for the tier in use: it may have changed."""
        tier, prepared = self._by_tier
        if tier != cpu.tier():
            plan = self._plan(self.image_shape)
            prepared = plan.way.prepare(plan.problem, self.kernel, self.bias, None)
            self._by_tier = cpu.tier(), prepared
        return prepared

    def _plan(self, image_shape):
        return _plan(image_shape, *self._form, cpu.tier())

    def _convolve(self, images, n_threads, out):
        images = check.images_array("images", images, self.kernel.ndim - 2)
        check.same_dtype("images", images, self.kernel.dtype)
        n_threads = check.threads(n_threads)
        problem, way, layout, shape = self._plan(images.shape[1:])
        out = check.output_array(out, (len(images), *shape), images.dtype, images)
        if out.size:
            images, out5 = five_axes(images), five_axes(out)
            way.run(problem, layout, self._prepared(), images, out5, WHOLE, n_threads)
        return out

    def _padded(self, padding):
        """Return this kernel, prepared as it is, with other padding: for part of an image."""
        other = copy(self)
        other._settings = self._settings._replace(padding=padding)
        shape, dtype, _, packed, rank = self._form
        other._form = shape, dtype, other._settings, packed, rank
        return other

    def _run(self, images, out, first, n_threads):
        """Write rows `first` and on of the result to `out`; images and `out` are trusted."""
        problem, way, layout, _ = self._plan(images.shape[1:])
        start = (0,) * (3 - problem.rank) + (first,) + (0,) * (problem.rank - 1)
        images, out = five_axes(images), five_axes(out)
        way.run(problem, layout, self._prepared(), images, out, start, n_threads)


def _load(kernel, bias, settings, image_shape, algorithm):
    """Return a `PackedKernel` of another process, whose vectors may have been shorter."""
    rank = worthwhile_rank(kernel, kernel.dtype, None, algorithm)
    form = (kernel.shape, kernel.dtype, settings._replace(algorithm="auto"), True, rank)
    problem, cheapest, *_ = _plan(image_shape, *form, cpu.tier())
    if by_name(algorithm).refuse(problem):
        algorithm = cheapest.name
    return PackedKernel(kernel, bias, settings, image_shape, algorithm)


def _bytes_beside(kernel, prepared):
    """Return the bytes of the arrays of a prepared kernel that are not the kernel itself."""
    if isinstance(prepared, tuple):
        return sum(_bytes_beside(kernel, part) for part in prepared)
    if not isinstance(prepared, np.ndarray) or np.may_share_memory(prepared, kernel):
        return 0
    return prepared.nbytes


class _Settings(NamedTuple):
    """The checked settings of a call, one value per axis."""

    stride: tuple
    padding: tuple | str
    padding_mode: str
    dilation: tuple
    groups: int
    activation: str | None
    algorithm: str


def _settings(rank, stride, padding, padding_mode, dilation, groups, activation, algorithm):
    return _Settings(
        check.axis_ints("stride", stride, rank, 1),
        check.padding_spec(padding, rank),
        check.choice("padding_mode", padding_mode, check.PADDING_MODES),
        check.axis_ints("dilation", dilation, rank, 1),
        check.integer("groups", groups, 1),
        check.choice("activation", activation, (None, *check.ACTIVATIONS)),
        check.choice("algorithm", algorithm, ("auto", *NAMES)),
    )


_DEFAULTS = (None, 1, 0, "constant", 1, 1, None, "auto")


def _refuse_settings(*given):
    """Refuse what a packed kernel has already settled."""
    if all(map(is_, given, _DEFAULTS)):
        return
    for name, value, default in zip(("bias", *_Settings._fields), given, _DEFAULTS):
        if value is not default and not (isinstance(value, str) and value == default):
            raise ValueError(f"{name} was settled by pack_kernel and cannot be given again")


class _Plan(NamedTuple):
    """What is settled for all calls of a kind."""

    problem: ConvProblem
    way: Algorithm
    layout: object    # the way's own
    shape: tuple      # of the result for one image


@lru_cache(maxsize=1024)
def _plan(image_shape, kernel_shape, dtype, settings, packed, kernel_rank, tier):
    """Return the `_Plan` of a call; here alone is it settled what runs.

    The settings are checked ones, or still as the user wrote them if they are literals: then
    they are checked in the first of many equal calls. What fails is not remembered. Layouts are
    made for the tier in use.
    """
    *size, in_channels = image_shape
    *kernel_size, group_size, out_channels = kernel_shape
    size, kernel_size = tuple(size), tuple(kernel_size)
    settings = _settings(len(size), *settings)
    check.groups_fit(in_channels, group_size, out_channels, settings.groups)
    window = {"stride": settings.stride, "padding": settings.padding,
              "dilation": settings.dilation}
    outputs = output_size(size, kernel_size, **window)
    pads = padding_pairs(size, kernel_size, **window)
    check.addressable(size, pads, settings.stride, settings.dilation)
    problem = ConvProblem(
        rank=len(size), image_size=three(size, 1), in_channels=in_channels,
        kernel_size=three(kernel_size, 1), out_channels=out_channels, groups=settings.groups,
        stride=three(settings.stride, 1), dilation=three(settings.dilation, 1),
        padding=three(pads, (0, 0)), padding_mode=settings.padding_mode,
        activation=settings.activation, output_size=three(outputs, 1), dtype=dtype.name,
        kernel_rank=kernel_rank,
    )
    way = choose(problem, settings.algorithm, packed)
    return _Plan(problem, way, way.layout(problem), (*outputs, out_channels))
