"""The parameters of ConvFeatures, checked together and put into one form."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from convlib import _validation as check
from convlib.estimators import _kernels
from convlib.estimators._layer import build_layer
from convlib.ops.pool import GLOBAL_KINDS, WINDOW_KINDS

DEFAULT_N_KERNELS = 32
DEFAULT_KERNEL_SIZE = 3


@dataclass(frozen=True)
class LayerSettings:
    """What a layer is made from: one value per axis, kernels by name or as an array."""

    kernels: object
    kernel_size: tuple
    n_kernels: int
    stride: tuple
    padding: object
    padding_mode: str
    dilation: tuple
    groups: int
    activation: str | None
    pool: str | None
    pool_size: object    # 'global' or one int per axis
    pool_stride: tuple | None
    normalize: bool
    scale: float

    @property
    def rank(self):
        """Number of spatial axes."""
        return len(self.kernel_size)

    def check_channels(self, channels):
        """Refuse images whose channels do not fit the kernels and groups."""
        if channels % self.groups or self.n_kernels % self.groups:
            raise ValueError(
                f"groups must divide the {channels} channels of X and n_kernels="
                f"{self.n_kernels}; got {self.groups}"
            )
        if isinstance(self.kernels, np.ndarray):
            check.groups_fit(channels, self.kernels.shape[-2], self.n_kernels, self.groups)

    def learn(self, images, random_state):
        """Return the `Learnt` kernels for a list of `Images`."""
        if isinstance(self.kernels, np.ndarray):
            return _kernels.given(
                self.kernels, images, self.dilation, self.normalize, self.scale, random_state)
        return _kernels.learn(
            self.kernels, images, self.kernel_size, self.n_kernels, self.dilation, self.groups,
            self.normalize, self.scale, random_state)

    def layer(self, learnt, image_shape, dtype):
        """Return the `Layer` of learnt kernels for images of `dtype`."""
        conv = {
            "stride": self.stride, "padding": self.padding, "padding_mode": self.padding_mode,
            "dilation": self.dilation, "groups": self.groups, "activation": self.activation,
        }
        return build_layer(
            learnt, image_shape, conv, self.pool, self.pool_size, self.pool_stride, dtype)


def checked_settings(parameters):
    """Return the `LayerSettings` of the parameters of a ConvFeatures."""
    kernels, kernel_size, n_kernels = _checked_kernels(parameters)
    rank = len(kernel_size)
    activation = check.choice(
        "activation", parameters["activation"], (None, *check.ACTIVATIONS, "triangle"))
    if activation == "triangle" and not (isinstance(kernels, str) and kernels == "kmeans"):
        raise ValueError("activation='triangle' goes with kernels='kmeans' only")
    normalize = parameters["normalize_patches"]
    if isinstance(normalize, str):
        check.choice("normalize_patches", normalize, ("auto",))
        normalize = isinstance(kernels, str) and kernels == "kmeans"
    pool, pool_size, pool_stride = _checked_pool(parameters, rank)
    return LayerSettings(
        kernels=kernels, kernel_size=kernel_size, n_kernels=n_kernels,
        stride=check.axis_ints("stride", parameters["stride"], rank, 1),
        padding=check.padding_spec(parameters["padding"], rank),
        padding_mode=check.choice(
            "padding_mode", parameters["padding_mode"], check.PADDING_MODES),
        dilation=check.axis_ints("dilation", parameters["dilation"], rank, 1),
        groups=check.integer("groups", parameters["groups"], 1),
        activation=activation, pool=pool, pool_size=pool_size, pool_stride=pool_stride,
        normalize=check.flag("normalize_patches", normalize),
        scale=1.0 if parameters["scale"] is None else _factor("scale", parameters["scale"]),
    )


def _checked_kernels(parameters):
    """Return kernels, kernel size and count; an array settles the last two."""
    kernels, size = parameters["kernels"], parameters["kernel_size"]
    n_kernels = check.integer("n_kernels", parameters["n_kernels"], 1)
    entries = check.as_entries(size)
    rank = 2 if entries is None else len(entries)
    kernel_size = check.axis_ints("kernel_size", size, min(max(rank, 1), 3), 1)
    if isinstance(kernels, str):
        return check.choice("kernels", kernels, tuple(_kernels.LEARNERS)), kernel_size, n_kernels
    kernels = check.kernel_array("kernels", kernels)
    if not np.isfinite(kernels).all():
        raise ValueError("kernels must be finite")
    if kernel_size != kernels.shape[:-2] and check.as_int(size) != DEFAULT_KERNEL_SIZE:
        raise ValueError(
            f"kernel_size={size} does not agree with kernels of shape {kernels.shape}")
    if n_kernels not in (kernels.shape[-1], DEFAULT_N_KERNELS):
        raise ValueError(
            f"n_kernels={n_kernels} does not agree with kernels of shape {kernels.shape}")
    return kernels, kernels.shape[:-2], kernels.shape[-1]


def _checked_pool(parameters, rank):
    """Return pool, pool size and pool stride."""
    pool, size = parameters["pool"], parameters["pool_size"]
    pool = check.choice("pool", pool, (None, *dict.fromkeys((*WINDOW_KINDS, *GLOBAL_KINDS))))
    stride = parameters["pool_stride"]
    if stride is not None:
        stride = check.axis_ints("pool_stride", stride, rank, 1)
    if isinstance(size, str):
        check.choice("pool_size", size, ("global",))
        if pool is not None:
            check.choice("pool", pool, GLOBAL_KINDS)
        return pool, "global", None
    size = check.axis_ints("pool_size", size, rank, 1)
    stride = size if stride is None else stride
    if pool is not None and pool not in WINDOW_KINDS:
        raise ValueError(f"pool={pool!r} needs pool_size='global'; got pool_size={size}")
    return pool, size, stride


def _factor(name, value):
    """Return `value` as a finite float other than zero."""
    number = check.real_number(name, value, "a number or None")
    if not isfinite(number) or number == 0:
        raise ValueError(f"{name} must be finite and not zero; got {value!r}")
    return number


def memory_bytes(working_memory, default):
    """Return `working_memory`, MiB or None for `default`, in bytes."""
    value = default if working_memory is None else working_memory
    number = check.real_number("working_memory", value, "a number of MiB or None")
    if not number > 0:
        raise ValueError(f"working_memory must be positive; got {value!r}")
    return number * 2**20
