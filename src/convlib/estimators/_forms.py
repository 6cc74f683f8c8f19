"""The forms of convolution that ConvFeatures offers: a table from name to form.

Kernels are drawn or learnt as those of `conv`, whose maps they would give, or they are given as
the operands of an operator. A form turns the one into the other, and operands into stages:
convolutions of blocks of rows, one after the other.
"""

from math import prod
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from convlib import _validation as check
from convlib._conv.factors import factorize
from convlib.estimators._transpose import TransposeStage
from convlib.ops.conv import pack_kernel
from convlib.ops.separable import along, grouped


class Stage(NamedTuple):
    """One convolution."""

    kernel: np.ndarray
    settings: dict     # of `pack_kernel`

    def prepare(self, image_shape, bias, activation, dtype):
        """Return what a `Layer` runs."""
        return pack_kernel(self.kernel, image_shape, bias, activation=activation, dtype=dtype,
                           **self.settings)


class TransposedStage(NamedTuple):
    """One transposed convolution."""

    kernel: np.ndarray
    settings: dict     # stride, padding, dilation, groups

    def prepare(self, image_shape, bias, activation, dtype):
        """Return what a `Layer` runs."""
        names = "stride", "padding", "dilation", "groups"
        return TransposeStage(
            np.ascontiguousarray(self.kernel, dtype), bias.astype(dtype),
            (*(self.settings[name] for name in names), activation), tuple(image_shape))


class Standard:
    """`conv`."""

    per_channel = False    # whether n_kernels are those of each channel
    has_windows = True     # whether a value of a map is a window times a kernel
    has_groups = True      # whether `groups` may be more than one

    def given(self, kernels):
        """Return the operands that a user gave, checked as far as X does not matter."""
        return (_finite(check.kernel_array("kernels", kernels)),)

    def size(self, operands, groups):
        """Return the kernel size and the number of kernels of operands."""
        *size, _, n_kernels = operands[0].shape
        return tuple(size), n_kernels

    def fitted(self, operands, channels, groups):
        """Return operands for that many channels."""
        check.groups_fit(channels, operands[0].shape[-2], operands[0].shape[-1], groups)
        return operands

    def factor(self, kernels, channels, groups):
        """Return operands that give the maps of `conv` with `kernels`, or nearly so."""
        return (kernels,)

    def stages(self, operands, channels, settings):
        """Return the convolutions that an operator with these operands comes to."""
        return [Stage(operands[0], settings)]

    def pictures(self, operands):
        """Return kernels (*size, channels, n_kernels) to be looked at."""
        return operands[0]


class Depthwise(Standard):
    """`depthwise_conv`: kernels of one channel each."""

    per_channel = True
    has_groups = False
    shape = "(*kernel_size, channels or 1, n_kernels)"

    def fitted(self, operands, channels, groups):
        (kernels,) = operands
        if kernels.shape[-2] not in (1, channels):
            raise ValueError(
                f"kernels must hold kernels for each of the {channels} channels of X, or for all "
                f"of them alike, of shape {self.shape}; got {kernels.shape}"
            )
        return (np.repeat(kernels, channels // kernels.shape[-2], axis=-2),)

    def factor(self, kernels, channels, groups):
        return (kernels.reshape(*kernels.shape[:-2], channels, -1),)

    def stages(self, operands, channels, settings):
        return [Stage(grouped(operands[0]), settings | {"groups": channels})]

    def pictures(self, operands):
        *size, _, _ = operands[0].shape
        return operands[0].reshape(*size, 1, -1)


class Separable:
    """`separable_conv`: kernels of one channel each, and a 1x1 convolution of their maps."""

    per_channel = False
    has_windows = False
    has_groups = False
    shape = "a depthwise kernel (*kernel_size, channels, multiplier) and a pointwise kernel"

    def given(self, kernels):
        if not _are_arrays(kernels) or len(kernels) != 2:
            raise ValueError(f"kernels must be a pair, {self.shape}, with conv='separable'")
        depthwise, pointwise = (
            _finite(check.kernel_array(f"kernels[{i}]", part)) for i, part in enumerate(kernels))
        wanted = (*[1] * (depthwise.ndim - 2), prod(depthwise.shape[-2:]))
        if pointwise.shape[:-1] != wanted:
            raise ValueError(
                f"kernels[1] must have shape {wanted + ('n_kernels',)} to go with kernels[0] of "
                f"shape {depthwise.shape}; got {pointwise.shape}"
            )
        return depthwise, pointwise

    def size(self, operands, groups):
        return operands[0].shape[:-2], operands[1].shape[-1]

    def fitted(self, operands, channels, groups):
        if operands[0].shape[-2] != channels:
            raise ValueError(
                f"kernels[0] must have shape (*kernel_size, {channels}, multiplier) for the "
                f"{channels} channels of X; got {operands[0].shape}"
            )
        return operands

    def factor(self, kernels, channels, groups):
        """Return the nearest operands, channel by channel, that leave all maps independent.

        For that the channels have n_kernels maps together, or each as many as it has taps.
        """
        *size, _, n_kernels = kernels.shape
        multiplier = min(prod(size), -(-n_kernels // channels))
        matrices = np.moveaxis(kernels, -2, 0).reshape(channels, -1, n_kernels)
        with threadpool_limits(1):
            left, values, right = np.linalg.svd(matrices, full_matrices=False)
        depthwise = np.moveaxis(left[..., :multiplier], 0, -2)
        pointwise = (values[..., np.newaxis] * right)[:, :multiplier]
        return (depthwise.reshape(*size, channels, multiplier),
                pointwise.reshape(*[1] * len(size), channels * multiplier, n_kernels))

    def stages(self, operands, channels, settings):
        rank = operands[0].ndim - 2
        first = Depthwise().stages(operands[:1], channels, settings)
        return [*first, Stage(operands[1], _along((), settings, rank) | {"algorithm": "pointwise"})]

    def pictures(self, operands):
        return Depthwise().pictures(operands)


class Spatial:
    """`spatially_separable_conv`: kernels of one channel and one axis each."""

    per_channel = True
    has_windows = False
    has_groups = False
    shape = "one (size, channels or 1, multiplier) array per axis"

    def given(self, kernels):
        if _are_arrays(kernels):
            vectors = tuple(_finite(check.kernel_array(f"kernels[{axis}]", part))
                            for axis, part in enumerate(kernels))
            if not 1 <= len(vectors) <= 3 or any(part.ndim != 3 for part in vectors):
                raise ValueError(f"kernels must be {self.shape} with conv='spatial'; got shapes "
                                 f"{[part.shape for part in vectors]}")
            return vectors
        kernels = _finite(check.kernel_array("kernels", kernels))
        vectors = _vectors(kernels, 4 * np.finfo(check.result_dtype(kernels.dtype)).eps)
        if vectors is None:
            raise ValueError(
                "kernels must be products of one-dimensional kernels with conv='spatial'; see "
                "factorize_kernel"
            )
        return vectors

    def size(self, operands, groups):
        return (tuple(len(vector) for vector in operands),
                prod(vector.shape[-1] for vector in operands))

    def fitted(self, operands, channels, groups):
        fitted, maps = [], channels
        is_shared, own_maps = operands[0].shape[1] == 1, 1    # of one channel
        for axis, vector in enumerate(operands):
            n = vector.shape[1]
            if n not in (1, maps) and not (is_shared and n == own_maps):
                raise ValueError(
                    f"kernels[{axis}] must have shape (size, {maps} or 1, multiplier) for the "
                    f"{channels} channels of X; got {vector.shape}"
                )
            fitted.append(np.tile(vector, (1, maps // n, 1)))
            maps *= vector.shape[-1]
            own_maps *= vector.shape[-1]
        return tuple(fitted)

    def factor(self, kernels, channels, groups):
        return _vectors(Depthwise().factor(kernels, channels, 1)[0], None)

    def stages(self, operands, channels, settings):
        rank, stages = len(operands), []
        for axis, vector in enumerate(operands):
            own = _along((axis,), settings, rank) | {"groups": vector.shape[1]}
            if axis:
                own["algorithm"] = "depthwise"    # whose bits do not depend on where a block is
            stages.append(Stage(along(vector, axis, rank), own))
        return stages

    def pictures(self, operands):
        kernels = np.ones((operands[0].shape[1],))
        for vector in operands:
            kernels = np.einsum("...m,tmn->...tmn", kernels, vector)
            kernels = kernels.reshape(*kernels.shape[:-2], -1)
        return kernels[..., np.newaxis, :]


class Transposed:
    """`conv_transpose`: with a stride, maps are larger than images."""

    per_channel = False
    has_windows = False
    has_groups = True

    def given(self, kernels):
        return (_finite(check.transposed_kernel_array("kernels", kernels)),)

    def size(self, operands, groups):
        *size, group_out, _ = operands[0].shape
        return tuple(size), groups * group_out

    def fitted(self, operands, channels, groups):
        check.transposed_groups_fit(channels, operands[0].shape[-1], groups)
        return operands

    def factor(self, kernels, channels, groups):
        """Return the kernels turned around: without a stride, their maps are those of `conv`."""
        *size, group_in, n_kernels = kernels.shape
        kernels = np.flip(kernels, tuple(range(len(size))))
        kernels = kernels.reshape(*size, group_in, groups, n_kernels // groups)
        return (np.swapaxes(kernels, -3, -1).reshape(*size, n_kernels // groups, channels),)

    def stages(self, operands, channels, settings):
        return [TransposedStage(operands[0], settings)]

    def pictures(self, operands):
        return np.swapaxes(operands[0], -1, -2)


FORMS = {"standard": Standard(), "depthwise": Depthwise(), "separable": Separable(),
         "spatial": Spatial(), "transposed": Transposed()}


def _along(axes, settings, rank):
    """Return settings of a convolution that sees its neighbours along these axes only."""
    padding = settings["padding"]
    if not isinstance(padding, str):
        padding = tuple(padding[axis] if axis in axes else (0, 0) for axis in range(rank))
    one = {name: tuple(settings[name][axis] if axis in axes else 1 for axis in range(rank))
           for name in ("stride", "dilation")}
    return {"padding": padding, "padding_mode": settings["padding_mode"], **one}


def _vectors(kernels, tol):
    """Return the vectors whose products are depthwise kernels (*size, channels, multiplier).

    Where they are not products within `tol`, return None; without `tol` what is nearest.
    """
    *size, channels, multiplier = kernels.shape
    vectors = [np.zeros((n, channels, multiplier)) for n in size]
    for channel, k in np.ndindex(channels, multiplier):
        with threadpool_limits(1):
            terms = factorize(kernels[..., channel, k], tol or 0)
        if tol is not None and len(terms) > 1:
            return None
        for vector, part in zip(vectors, terms[0] if terms else ()):
            vector[:, channel, k] = part
    return (vectors[0], *(vector.reshape(len(vector), -1, 1) for vector in vectors[1:]))


def _are_arrays(kernels):
    """Return whether kernels are several arrays, not one."""
    return isinstance(kernels, (list, tuple)) and all(
        isinstance(part, np.ndarray) for part in kernels)


def _finite(kernels):
    if not np.isfinite(kernels).all():
        raise ValueError("kernels must be finite")
    return kernels
