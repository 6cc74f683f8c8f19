"""The parameters of ConvFeatures, checked together and put into one form."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite

from convlib import _validation as check
from convlib import banks
from convlib._terms import numbered
from convlib.estimators import _kernels
from convlib.estimators._backprop import N_EPOCHS
from convlib.estimators._forms import FORMS
from convlib.estimators._layer import build_layer
from convlib.estimators._progress import CALLBACK_STATE
from convlib.ops.pool import GLOBAL_KINDS, WINDOW_KINDS

DEFAULT_N_KERNELS = 32
DEFAULT_KERNEL_SIZE = 3
BANK_FORMS = "standard", "depthwise", "spatial"    # whose kernels may be of one channel


@dataclass(frozen=True)
class LayerSettings:
    """What layers are made from: one value per axis, kernels by name or as operands."""

    form: object         # of convolution, from `FORMS`
    kernels: str | tuple
    kernel_size: tuple
    n_kernels: int
    stride: tuple
    padding: object
    padding_mode: str
    dilations: tuple     # of tuples, one for each layer
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

    def for_channels(self, channels):
        """Return settings by which given kernels of one channel convolve each of several."""
        is_shared = (
            self.form is FORMS["standard"] and not isinstance(self.kernels, str)
            and self.kernels[0].shape[-2] == 1 and self.groups == 1 and channels > 1
        )
        return replace(self, form=FORMS["depthwise"]) if is_shared else self

    def kernel_names(self):
        """Return a name for each kernel, such as 'k07'."""
        return numbered("k", self.n_kernels)

    @property
    def n_steps(self):
        """Steps of learning that can be told one by one."""
        return N_EPOCHS if _kernels.takes_labels(self.kernels) else 0

    def learn(self, images, random_state, y=None, progress=None):
        """Return the `Learnt` kernels for a list of `Images`."""
        channels = images[0].shape[-1]
        if channels % self.groups or self.n_kernels % self.groups:
            raise ValueError(
                f"groups must divide the {channels} channels of X and n_kernels="
                f"{self.n_kernels}; got {self.groups}"
            )
        learn = _kernels.learn if isinstance(self.kernels, str) else _kernels.given
        return learn(self, images, channels, random_state, y, progress)

    def layers(self, learnt, image_shape, dtype):
        """Return a `Layer` of learnt kernels for each dilation, for images of `dtype`."""
        conv = {
            "stride": self.stride, "padding": self.padding, "padding_mode": self.padding_mode,
            "groups": self.groups, "activation": self.activation,
        }
        pool = self.pool, self.pool_size, self.pool_stride
        return [build_layer(self.form, learnt, image_shape, conv | {"dilation": dilation}, pool,
                            dtype) for dilation in self.dilations]


def checked_settings(parameters):
    """Return the `LayerSettings` of the parameters of a ConvFeatures."""
    form = FORMS[check.choice("conv", parameters["conv"], tuple(FORMS))]
    groups = check.integer("groups", parameters["groups"], 1)
    if groups > 1 and not form.has_groups:
        raise ValueError(f"groups must be 1 with conv={parameters['conv']!r}; got {groups}")
    if parameters["conv"] == "transposed" and parameters["padding_mode"] != "constant":
        raise ValueError("padding_mode must be 'constant' with conv='transposed', whose padding "
                         f"cuts maps; got {parameters['padding_mode']!r}")
    kernels, kernel_size, n_kernels = _checked_kernels(parameters, form, groups)
    rank = len(kernel_size)
    activation = check.choice(
        "activation", parameters["activation"], (None, *check.ACTIVATIONS, "triangle"))
    windowed = [name for name, other in FORMS.items() if other.has_windows]
    is_kmeans = isinstance(kernels, str) and kernels == "kmeans"
    if activation == "triangle" and not (is_kmeans and form.has_windows):
        raise ValueError(
            f"activation='triangle' goes with kernels='kmeans' and conv in {windowed} only")
    normalize = parameters["normalize_patches"]
    if isinstance(normalize, str):
        check.choice("normalize_patches", normalize, ("auto",))
        normalize = is_kmeans and form.has_windows
    normalize = check.flag("normalize_patches", normalize)
    if normalize and not form.has_windows:
        raise ValueError(f"normalize_patches goes with conv in {windowed} only")
    pool, pool_size, pool_stride = _checked_pool(parameters, rank)
    dilations = _checked_dilations(parameters, rank)
    if _kernels.takes_labels(kernels) and (
            form is not FORMS["standard"] or normalize or len(dilations) > 1
            or pool not in (None, "max", "mean")):
        raise ValueError(
            f"kernels={kernels!r} goes with conv='standard', one dilation, pool 'max', 'mean' or "
            "None, and patches as they are (normalize_patches=False)")
    return LayerSettings(
        form=form, kernels=kernels, kernel_size=kernel_size, n_kernels=n_kernels,
        stride=check.axis_ints("stride", parameters["stride"], rank, 1),
        padding=check.padding_spec(parameters["padding"], rank),
        padding_mode=check.choice(
            "padding_mode", parameters["padding_mode"], check.PADDING_MODES),
        dilations=dilations, groups=groups,
        activation=activation, pool=pool, pool_size=pool_size, pool_stride=pool_stride,
        normalize=normalize,
        scale=1.0 if parameters["scale"] is None else finite_factor("scale", parameters["scale"]),
    )


def _checked_kernels(parameters, form, groups):
    """Return kernels, kernel size and count; operands settle the last two."""
    kernels, size = parameters["kernels"], parameters["kernel_size"]
    n_kernels = check.integer("n_kernels", parameters["n_kernels"], 1)
    entries = check.as_entries(size)
    rank = 2 if entries is None else len(entries)
    kernel_size = check.axis_ints("kernel_size", size, min(max(rank, 1), 3), 1)
    shown = "kernels"
    if isinstance(kernels, str):
        learners = *_kernels.LEARNERS, *_kernels.WITH_LABELS
        kernels = check.choice("kernels", kernels, (*learners, *banks.bank_names()))
        if kernels in learners:
            return kernels, kernel_size, n_kernels
        shown = f"kernels={kernels!r}"
        kernels = _named_bank(kernels, len(kernel_size), parameters["conv"], groups)
    operands = form.given(kernels)
    shown += " of shape " + " and ".join(str(operand.shape) for operand in operands)
    own_size, own_count = form.size(operands, groups)
    if kernel_size != own_size and check.as_int(size) != DEFAULT_KERNEL_SIZE:
        raise ValueError(f"kernel_size={size} does not agree with {shown}")
    if n_kernels not in (own_count, DEFAULT_N_KERNELS):
        raise ValueError(f"n_kernels={n_kernels} does not agree with {shown}")
    return operands, own_size, own_count


def _named_bank(name, rank, conv, groups):
    """Return the kernels of a bank, of one channel each."""
    names = banks.bank_names(rank)
    if name not in names:
        raise ValueError(
            f"kernels={name!r} is a bank of images; for kernel_size of {rank} axes there are "
            + ", ".join(map(repr, names))
        )
    if conv not in BANK_FORMS:
        raise ValueError(f"kernels={name!r}, a bank, goes with conv in {list(BANK_FORMS)} only; "
                         f"got {conv!r}")
    if groups > 1:
        raise ValueError(f"groups must be 1 with kernels={name!r}, a bank that each channel is "
                         f"convolved with; got {groups}")
    return banks.named_bank(name, rank, dtype="float64")


def _checked_dilations(parameters, rank):
    """Return the dilation of each layer, one int per axis."""
    dilation = check.axis_ints("dilation", parameters["dilation"], rank, 1)
    if parameters["dilations"] is None:
        return (dilation,)
    entries = check.as_entries(parameters["dilations"])
    if not entries:
        raise ValueError(
            "dilations must be a sequence of at least one dilation, or None; got "
            f"{parameters['dilations']!r}"
        )
    if max(dilation) > 1:
        raise ValueError(f"dilation must be 1 where dilations are given; got {dilation}")
    checked = tuple(check.axis_ints(f"dilations[{i}]", entry, rank, 1)
                    for i, entry in enumerate(entries))
    if len(set(checked)) < len(checked):
        raise ValueError(f"dilations must differ; got {parameters['dilations']!r}")
    return checked


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


def finite_factor(name, value):
    """Return `value` as a finite float other than zero."""
    number = check.real_number(name, value, "a number or None")
    if not isfinite(number) or number == 0:
        raise ValueError(f"{name} must be finite and not zero; got {value!r}")
    return number


@contextmanager
def all_or_nothing(estimator):
    """Leave an estimator as it was where its fit is refused."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        kept = {name: vars(estimator)[name] for name in CALLBACK_STATE if name in vars(estimator)}
        vars(estimator).clear()
        vars(estimator).update(before | kept)
        raise


def memory_bytes(working_memory, default):
    """Return `working_memory`, MiB or None for `default`, in bytes."""
    value = default if working_memory is None else working_memory
    number = check.real_number("working_memory", value, "a number of MiB or None")
    if not number > 0:
        raise ValueError(f"working_memory must be positive; got {value!r}")
    return number * 2**20
