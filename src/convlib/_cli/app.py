"""The commands, their options and messages."""

import ast
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

import convlib
from convlib import banks, filters, show_config
from convlib._algorithms import NAMES
from convlib._cli import filtering, plan
from convlib._cli.features import Task
from convlib._cli.sources import find_pictures
from convlib._cli.tables import needed
from convlib._validation import ACTIVATIONS, PADDING_MODES

KERNELS = ("random", "kmeans", "pca", *banks.bank_names())
FILTERS = tuple(name for name in filters.__all__ if name not in ("convolve", "correlate"))
FOR_DEVELOPERS = ("test", "docs", "bench", "lint")    # extras that `info` does not show

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]})


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
):
    """Convolution on the CPU: features of pictures, filters, and what they cost."""
    if version:
        print(f"convlib {convlib.__version__}")
        raise typer.Exit


def sizes(text):
    """Return the ints of '7x7x64'."""
    try:
        values = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        values = ()
    if not values or min(values) < 1:
        raise typer.BadParameter(f"{text!r} is no size such as 7 or 7x7x64")
    return values


def int_or_sizes(text):
    """Return the int of '2', the ints of '2x1'."""
    values = sizes(text)
    return values[0] if len(values) == 1 else values


def global_or_sizes(text):
    """Return 'global' or the ints of a window."""
    return text if text == "global" else int_or_sizes(text)


def padding_of(text):
    """Return 'same', 'valid', or the pixels of '3' or '3x0'."""
    if text in ("same", "valid"):
        return text
    try:
        values = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        values = (-1,)
    if min(values) < 0:
        raise typer.BadParameter(f"{text!r} is not 'same', 'valid' or a number of pixels")
    return values[0] if len(values) == 1 else values


def dilations_of(text):
    """Return the ints of '1,2,4'."""
    return tuple(int_or_sizes(part) for part in text.split(","))


def kernels_of(text):
    """Return the name of kernels, or those of a .npy file."""
    if text.endswith(".npy"):
        try:
            return np.load(text)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(str(error)) from error
    if text not in KERNELS:
        raise typer.BadParameter(
            f"{text!r} is neither a .npy file nor one of {', '.join(KERNELS)}")
    return text


def table_of(text):
    """Return the path of a table that can be written."""
    try:
        needed(Path(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return Path(text)


def setting(text):
    """Return the name and the value of 'name=value'."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise typer.BadParameter(f"{text!r} is not of the form name=value")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


Channels = Annotated[Literal["grey", "rgb"] | None, typer.Option(
    help="Make all pictures grey, or red, green and blue.", show_default="as they are")]
Threads = Annotated[int | None, typer.Option(
    "--threads", "-j", min=1, help="OpenMP threads.", show_default="all cores")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no summary.")]
Stride = Annotated[str, typer.Option(
    parser=int_or_sizes, metavar="N|NxN", help="Pixels between windows.")]


@app.command()
def features(
    images: Annotated[list[str], typer.Argument(
        metavar="IMAGES", show_default=False,
        help="Folders, with all folders in them; pictures; patterns such as 'scans/*.png'; .npy "
        "arrays (n, height, width) or (n, height, width, channels).")],
    out: Annotated[Path, typer.Option(
        "--out", "-o", parser=table_of, metavar="TABLE", show_default=False,
        help="Table to write: .parquet, .csv or .npz.")],
    kernels: Annotated[str, typer.Option(
        "--kernels", "-k", parser=kernels_of, metavar="NAME|FILE.npy",
        help=f"{', '.join(KERNELS[:3])}, a bank, or an array. Banks: {', '.join(KERNELS[3:])}.",
    )] = "random",
    n_kernels: Annotated[int, typer.Option(
        min=1, help="How many kernels are drawn or learnt.")] = 32,
    kernel_size: Annotated[str, typer.Option(
        parser=int_or_sizes, metavar="N|NxN", help="Taps of kernels that are drawn or learnt.",
    )] = "3",
    stride: Stride = "1",
    padding: Annotated[str, typer.Option(
        parser=padding_of, metavar="same|valid|N", help="Pixels around the pictures.")] = "same",
    padding_mode: Annotated[Literal[PADDING_MODES], typer.Option(
        help="What those pixels hold.")] = "constant",
    dilations: Annotated[str, typer.Option(
        parser=dilations_of, metavar="N,N,...", help="Dilations, side by side.")] = "1",
    activation: Annotated[Literal["none", *ACTIVATIONS], typer.Option(
        help="Function of the maps.")] = "relu",
    pool: Annotated[Literal["max", "mean", "lp", "min", "std", "ppv"], typer.Option(
        help="Statistic of the maps; ppv is the share of positive values.")] = "max",
    pool_size: Annotated[str, typer.Option(
        parser=global_or_sizes, metavar="global|N|NxN",
        help="Window of the statistic: with global, pictures may have any sizes.")] = "global",
    scale: Annotated[float | None, typer.Option(
        help="Factor for the pictures, such as 0.00392 for bytes.", show_default="none")] = None,
    channels: Channels = None,
    label: Annotated[bool, typer.Option(
        "--label", help="Add a column label: the name of the folder a picture is in.")] = False,
    seed: Annotated[int, typer.Option(help="Of kernels that are drawn or learnt.")] = 0,
    strict: Annotated[bool, typer.Option(
        "--strict", help="Fail, and write no table, where a picture is bad.")] = False,
    threads: Threads = None,
    quiet: Quiet = False,
):
    """Compute features of pictures and write them into a table.

    Interrupted or killed, the same command goes on where it was. Bad pictures are left out, and
    listed at the end. Options are those of convlib.ConvFeatures.

    Examples:

    - `convlib features photos --kernels gabor --pool mean --out features.parquet`

    - `convlib features 'scans/*/*.png' --channels grey --label --out features.csv`

    - `convlib features digits.npy --kernels kmeans --n-kernels 64 --pool-size 4 --out digits.npz`
    """
    transformer = convlib.ConvFeatures(
        n_kernels, kernel_size, kernels=kernels, stride=stride, padding=padding,
        padding_mode=padding_mode, dilation=dilations[0] if len(dilations) == 1 else 1,
        dilations=dilations if len(dilations) > 1 else None,
        activation=None if activation == "none" else activation, pool=pool, pool_size=pool_size,
        scale=scale, random_state=seed, n_threads=threads)
    pictures = _found(images)
    task = Task(pictures, transformer, out, channels, label, strict, not quiet)
    try:
        outcome = task.run()
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        raise
    _list_bad(outcome.bad, len(pictures))
    if outcome.bad and (strict or outcome.n_rows == 0):
        print(f"Error: {out} is not written", file=sys.stderr)
        raise typer.Exit(1)
    if not quiet:
        before = f", {outcome.n_before:,} of them by an earlier run" if outcome.n_before else ""
        print(f"{out}: {outcome.n_rows:,} pictures{before}, {outcome.n_columns:,} features",
              file=sys.stderr)


@app.command("filter")
def filter_command(
    source: Annotated[Path, typer.Argument(
        metavar="IN", exists=True, show_default=False,
        help="A picture, a .npy array, or a folder of pictures.")],
    target: Annotated[Path, typer.Argument(
        metavar="OUT", show_default=False,
        help="Where the result goes: a file in the format of its ending, or a folder.")],
    name: Annotated[Literal[FILTERS], typer.Option(
        "--filter", "-f", show_default=False, metavar="NAME",
        help=f"One of {', '.join(FILTERS)}.")],
    size: Annotated[str | None, typer.Option(
        parser=int_or_sizes, metavar="N|NxN", help="Window, of filters that have one.",
        show_default="the filter's")] = None,
    sigma: Annotated[float | None, typer.Option(
        min=0, help="Deviation in pixels, of filters that have one.",
        show_default="the filter's")] = None,
    axis: Annotated[int | None, typer.Option(
        help="Axis of a derivative: 0 along columns, 1 along rows.", show_default="magnitude",
    )] = None,
    further: Annotated[list[str] | None, typer.Option(
        "--set", parser=setting, metavar="NAME=VALUE", show_default=False,
        help="A further setting of the filter; may be given several times.")] = None,
    padding_mode: Annotated[Literal[PADDING_MODES], typer.Option(
        help="What pixels outside the picture hold.")] = "symmetric",
    channels: Channels = None,
    channel_axis: Annotated[int | None, typer.Option(
        help="Axis of channels, of a .npy array.", show_default="none")] = None,
    threads: Threads = None,
    quiet: Quiet = False,
):
    """Filter a picture, an array, or all pictures of a folder.

    Formats of bytes, such as .png and .jpg, get results in floating point stretched from 0 to
    255; .tif and .npy hold them as they are.

    Examples:

    - `convlib filter photo.jpg edges.png --filter sobel --channels grey`

    - `convlib filter scans smooth --filter median --size 5`

    - `convlib filter volume.npy waves.npy --filter percentile --set q=90 --size 3`
    """
    settings = {"size": size, "sigma": sigma, "axis": axis, "padding_mode": padding_mode,
                "n_threads": threads, **dict(further or ())}
    try:
        function = filtering.named_filter(name, settings)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--filter'") from error
    if source.is_dir():
        n_done, bad = filtering.filter_folder(source, target, function, channels, not quiet)
        _list_bad(bad, n_done + len(bad))
        if n_done == 0:
            raise typer.Exit(1)
    else:
        remark = filtering.filter_one(source, target, function, channels, channel_axis)
        if remark and not quiet:
            print(remark, file=sys.stderr)


@app.command()
def explain(
    image: Annotated[str, typer.Option(
        parser=sizes, metavar="HxWxC", show_default=False,
        help="Size of one image, its channels last; LxC of a signal, DxHxWxC of a volume.")],
    kernel: Annotated[str, typer.Option(
        parser=sizes, metavar="HxWxN", show_default=False,
        help="Size of the kernels, and how many there are.")],
    stride: Stride = "1",
    padding: Annotated[str, typer.Option(
        parser=padding_of, metavar="same|valid|N", help="Pixels around the image.")] = "valid",
    dilation: Annotated[str, typer.Option(
        parser=int_or_sizes, metavar="N|NxN", help="Pixels between taps.")] = "1",
    groups: Annotated[int, typer.Option(
        min=1, help="Groups of channels that do not see each other.")] = 1,
    algorithm: Annotated[Literal["auto", *NAMES], typer.Option(
        help="The one to run.")] = "auto",
    dtype: Annotated[Literal["float32", "float64"], typer.Option(help="Of image and kernels.",
    )] = "float32",
    measures: Annotated[bool, typer.Option(
        "--measure/--no-measure", help="Run it for half a second, too.")] = True,
):
    """Tell how a convolution of one image is computed, and what it costs.

    Predicted times are for one image, with the preparation of the kernels, in one thread.

    Examples:

    - `convlib explain --image 224x224x3 --kernel 7x7x64 --stride 2`

    - `convlib explain --image 56x56x64 --kernel 3x3x64 --padding same --no-measure`
    """
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
                "algorithm": algorithm}
    lines, ways = plan.explanation(image, kernel, settings, dtype, measures)
    for title, text in lines:
        print(f"{title:<16} {text}")
    print("\nalgorithms, predicted")
    for title, text in ways:
        print(f"{title:<16} {text}")


@app.command()
def info():
    """Show version, instruction sets, threads, and which extras are installed.

    Example:

    - `convlib info`
    """
    show_config()
    for extra, packages in _extras().items():
        missing = [package for package in packages if not _is_installed(package)]
        state = f"needs {', '.join(missing)}" if missing else "installed"
        print(f"extra {extra}: {state}")


def _extras():
    """Return the packages of each extra for users, as the installed convlib names them."""
    extras = {}
    try:
        lines = requires("convlib") or ()
    except PackageNotFoundError:    # it runs from its sources
        return extras
    for line in lines:
        package, _, condition = line.partition("; extra == ")
        extra = condition.strip("\"'")
        if extra and extra not in FOR_DEVELOPERS:
            extras.setdefault(extra, []).append(re.match(r"[\w.-]+", package).group())
    return extras


def _is_installed(package):
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _found(images):
    """Return the pictures that are named on the command line."""
    try:
        pictures = find_pictures(images)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="'IMAGES'") from error
    if not pictures:
        raise typer.BadParameter(f"there are no pictures in {', '.join(images)}",
                                 param_hint="'IMAGES'")
    return pictures


def _list_bad(bad, n_pictures):
    """Print which pictures could not be used, and why."""
    if bad:
        print(f"{len(bad):,} of {n_pictures:,} pictures are left out:", file=sys.stderr)
    for name, reason in bad:
        print(f"  {name}: {reason.removeprefix(name).lstrip()}", file=sys.stderr)
