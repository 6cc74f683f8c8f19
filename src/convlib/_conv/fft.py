"""fft: tiles of the image go through Fourier transforms, and convolutions become products."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._native import conv_fft
from convlib._speeds import predict
from convlib._terms import ACTIVATION_CODES, MODE_CODES, even, lanes
from convlib._threads import thread_count

LENGTHS = (16, 32, 64)
PREPARED_BYTES = 64 * 2**20
BLOCK_BYTES = 8 * 2**20    # spectra of a block of tiles, and of their outputs
TASK_PRODUCTS = 1e5        # of vectors, about 20 us


class Prepared(NamedTuple):
    """A kernel as `run` takes it. The tile stays what it was when the kernel was prepared."""

    height: int
    length: int
    down: np.ndarray       # twiddles of a column
    across: np.ndarray     # twiddles of a row
    spectra: np.ndarray    # (groups, frequencies, values): vectors of outputs by channels
    bias: np.ndarray       # (groups, whole pairs of vectors)


def refuse(problem):
    """Accept convolutions of images without stride, if they have channels for vectors."""
    if problem.image_size[0] > 1 or problem.kernel_size[0] > 1:
        return "volumes have no tiles"
    if max(problem.stride) > 1:
        return "the stride is larger than one"
    if min(problem.group_size, problem.group_out) < lanes(problem.dtype):
        return "a group has fewer channels than a vector"
    if tile(problem) is None:
        return "the kernel is larger than the tiles, or its spectra are larger than 64 MB"
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return tile_work(problem, *tile(problem), packed)


def tile_work(problem, height, length, packed):
    """Return the amounts of work with tiles of `height` rows and `length` columns."""
    width = 2 * lanes(problem.dtype)
    n_tiles = 1
    for axis, size in ((1, height), (2, length)):
        period = (size - problem.kernel_size[axis] + 1) * problem.dilation[axis]
        n_tiles *= -(-problem.output_size[axis] // period) * problem.dilation[axis]
    pairs_in, pairs_out = -(-problem.group_size // width), -(-problem.group_out // width)
    line = height * length * (height * length).bit_length()
    frequencies = height * (length // 2 + 1)
    spectra = spectra_bytes(problem, height, length)
    amounts = {
        "call": 1,
        "transform": n_tiles * problem.groups * (pairs_in + pairs_out) * line,
        "product": 4 * n_tiles * frequencies * problem.groups * problem.group_size
        * -(-problem.group_out // lanes(problem.dtype)),
        "spectra": spectra,
    }
    if packed:
        return amounts
    prepared = problem.groups * pairs_out * problem.group_size * line
    return amounts | {"transform": amounts["transform"] + prepared, "pack": spectra}


@lru_cache(maxsize=256)
def tile(problem):
    """Return height and length of the tiles of a problem, None if there are none."""
    lengths = [length for length in LENGTHS if length >= max(problem.kernel_size)]
    sizes = [(1 if problem.kernel_size[1] == 1 else length, length) for length in lengths]
    sizes = [size for size in sizes if spectra_bytes(problem, *size) <= PREPARED_BYTES]
    if not sizes:
        return None
    return min(sizes, key=lambda size: predict("fft", tile_work(problem, *size, True)))


def spectra_bytes(problem, height, length):
    """Return the size of the spectra of the kernel."""
    channels = -(-problem.group_out // lanes(problem.dtype)) * lanes(problem.dtype)
    values = 2 * problem.groups * problem.group_size * channels
    return height * (length // 2 + 1) * values * problem.itemsize


def grid(problem):
    """Return the outputs of a tile: within it, values are rounded together."""
    size = (1, *tile(problem))
    periods = [(n - k + 1) * d for n, k, d in zip(size, problem.kernel_size, problem.dilation)]
    return tuple(periods[3 - problem.rank:])


def twiddles(n, dtype):
    """Return exp(-2 pi i j / n) for j below n, cosine and sine in turn."""
    turns = np.exp(-2j * np.pi * np.arange(n) / n)
    return turns.view(float).astype(dtype)


def aligned(shape, dtype):
    """Return an array that begins with a line of the cache."""
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first:first + n_bytes].view(dtype).reshape(shape)


def rooms(height, length, n_threads, dtype):
    """Return scratch for each thread."""
    return aligned((n_threads, conv_fft.room(height, length, lanes(dtype))), dtype)


def prepare(problem, kernel, bias, n_threads):
    """Return the spectra of `kernel`, and what belongs to them."""
    (height, length), dtype, width = tile(problem), problem.dtype, lanes(problem.dtype)
    n_vectors = -(-problem.group_out // width)
    # Frequencies a power of two apart would all fall into the same few cache lines.
    values = (n_vectors * problem.group_size + 1) * 2 * width
    spectra = aligned((problem.groups, height * (length // 2 + 1), values), dtype)
    down, across = twiddles(height, dtype), twiddles(length, dtype)
    seconds = predict("fft", tile_work(problem, height, length, False))
    n_threads = thread_count(n_threads, seconds)
    weights = kernel.reshape(*problem.kernel_size[1:], problem.group_size, problem.out_channels)
    conv_fft.prepare(weights, spectra, height, length, down, across,
                     rooms(height, length, n_threads, dtype))
    padded = np.zeros((problem.groups, -(-n_vectors // 2) * 2 * width), dtype)
    padded[:, :problem.group_out] = bias.reshape(problem.groups, -1)
    return Prepared(height, length, down, across, spectra, padded)


def layout(problem):
    """Nothing is laid out before the kernel is prepared: tiles come with it."""


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    height, length = prepared.height, prepared.length
    seconds = len(images) * predict("fft", tile_work(problem, height, length, True))
    n_threads = thread_count(n_threads, seconds)
    tiling = np.array([axis_tiling(problem, axis, size, first[axis], out.shape[1 + axis])
                       for axis, size in ((1, height), (2, length))], np.intp)
    n_tiles = len(images) * prod(-(-(row[5] % row[1] + row[6]) // (row[1] * row[3])) * row[3]
                                 for row in tiling.tolist())
    shape = (height, length, problem.groups, problem.group_size, problem.group_out)
    width = lanes(problem.dtype)
    bytes_each = sum(conv_fft.spectra_values(*shape, 1, width)) * problem.itemsize
    n_block = even(n_tiles, max(1, BLOCK_BYTES // bytes_each))
    products = n_block * problem.group_size * problem.group_out // width * 4
    values_in, values_out = conv_fft.spectra_values(*shape, n_block, width)
    conv_fft.conv(
        images, prepared.spectra, problem.group_size, prepared.bias, out, tiling, height, length,
        MODE_CODES[problem.padding_mode], ACTIVATION_CODES[problem.activation], prepared.down,
        prepared.across, n_block, max(1, int(TASK_PRODUCTS // products)),
        aligned((values_in,), problem.dtype), aligned((values_out,), problem.dtype),
        rooms(height, length, n_threads, problem.dtype),
    )


def axis_tiling(problem, axis, size, first, n):
    """Return what C is told of an axis with tiles of `size` pixels, see `_native/tile.pxd`."""
    taps, spacing = problem.kernel_size[axis], problem.dilation[axis]
    return (problem.output_size[axis], size - taps + 1, taps, spacing, problem.padding[axis][0],
            first, n)
