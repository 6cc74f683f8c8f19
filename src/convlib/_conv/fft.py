"""fft: tiles of the image go through Fourier transforms, and convolutions become products.

There are two kinds of tiles. For groups of many channels a vector holds one pixel of its channels
(`conv_fft`); for few channels, neighbouring values of a row (`conv_fft_pixels`). The planes of a
volume are images, where the kernel is flat.
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._native import conv_fft, conv_fft_pixels, cpu
from convlib._problem import WHOLE
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    MODE_CODES,
    MOST_DILATION,
    PREPARED_BYTES,
    aligned,
    by_dtype,
    even,
    lanes,
)
from convlib._threads import thread_count

CONV_CHANNELS, CONV_PIXELS = by_dtype(conv_fft.conv), by_dtype(conv_fft_pixels.conv)

LENGTHS = {"channels": (12, 16, 20, 24, 32, 40, 48, 64, 80),
           "pixels": (16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024)}
LINES = tuple(2**n for n in range(4, 17))    # of tiles that are one pixel high
ROOM_BYTES = 64 * 2**20    # scratch of a thread
BLOCK_BYTES = 8 * 2**20    # spectra of a block of tiles, and of their outputs
CACHE_BYTES = 2**20        # more of scratch takes longer
TASK_PRODUCTS = 1e5        # of vectors, about 20 us


class Tile(NamedTuple):
    """What is transformed at once."""

    lanes: str     # "channels" or "pixels"
    height: int    # pixels; 1 if the kernel is as high
    length: int

    def periods(self, problem):
        """Return the outputs between neighbouring tiles down and across."""
        _, down, across = problem.kernel_size
        halves = 2 if self.lanes == "pixels" else 1
        return ((self.height - down + 1) * problem.dilation[1],
                (self.length - across + 1) * problem.dilation[2] * halves)

    @property
    def levels(self):
        """Butterflies that a value goes through, and one."""
        return (self.height * self.length).bit_length()

    @property
    def n_frequencies(self):
        """Complex values of the spectrum of a channel."""
        return self.height * (self.length // 2 + 1 if self.lanes == "channels" else self.length)


class Prepared(NamedTuple):
    """A kernel as `run` takes it. The tile stays what it was when the kernel was prepared."""

    tile: Tile
    down: np.ndarray       # twiddles of a column
    across: np.ndarray     # twiddles of a row
    spectra: np.ndarray
    bias: np.ndarray


class Layout(NamedTuple):
    """What is the same in all calls with images of one size."""

    tile: Tile
    form: tuple            # of the tile, groups and channels
    tiling: np.ndarray     # (2, 7), see `_native/tile.pxd`; for whole images
    most_tiles: int        # of a block
    room: int              # values of scratch for one thread
    seconds: float         # for one image


def refuse(problem):
    """Accept signals and images without stride, and flat kernels, if there is a tile for them."""
    if problem.kernel_size[0] > 1 or any(problem.padding[0]):
        return "volumes have no tiles, but for kernels that see one plane, and none outside"
    if max(problem.dilation) > MOST_DILATION:
        return f"the dilation is above {MOST_DILATION}"
    if prod(problem.kernel_size) == 1:
        return "the kernel has one tap"
    if max(problem.stride[1:]) > 1:
        return "the stride is larger than one"
    if choose_tile(problem) is None:
        return "the kernel or its spectra are too large"
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return whole_work(problem, choose_tile(problem), packed)


def whole_work(problem, tile, packed):
    """Return the amounts of work with some tile."""
    return tile_work(problem, tile, count_tiles(problem, tile, problem.output_size), packed)


def choose_tile(problem):
    """Return the `Tile` that is predicted to be the fastest, None if none is possible."""
    return fastest_tile(problem, cpu.tier())


@lru_cache(maxsize=1024)
def fastest_tile(problem, tier):
    """Return the choice on an instruction set, the one in use."""
    tiles = [tile for tile in possible_tiles(problem) if is_small(problem, tile)]
    if not tiles:
        return None
    return min(tiles, key=lambda tile: tile_score(problem, tile))


def tile_score(problem, tile):
    """Return the predicted seconds with a tile, and more if it leaves few tasks for threads.

    The size of the image counts here, so that parts of an image, which are padded otherwise, go
    by the tiles of the whole.
    """
    n_tasks = count_tiles(problem, tile, problem.image_size)
    amounts = tile_work(problem, tile, n_tasks, True)
    if tile.lanes == "pixels":
        return predict("fft", amounts) * (1 + 1 / n_tasks)
    n_tasks *= -(-min(problem.group_size, problem.group_out) // (2 * lanes(problem.dtype)))
    return predict("fft", amounts | {"transform": amounts["transform"] * (1 + 1 / n_tasks)})


def possible_tiles(problem):
    """Yield the tiles that the kernel fits into."""
    _, down, across = problem.kernel_size
    for kind, lengths in LENGTHS.items():
        if kind == "channels" and min(problem.group_size, problem.group_out) < lanes(problem.dtype):
            continue
        for length in LINES if down == 1 else lengths:
            if length >= max(down, across):
                yield Tile(kind, 1 if down == 1 else length, length)


def is_small(problem, tile):
    """Tell whether kernel and scratch have their place."""
    room = room_values(problem, tile) * problem.itemsize
    return spectra_values(problem, tile) * problem.itemsize <= PREPARED_BYTES and room <= ROOM_BYTES


def tile_work(problem, tile, n_tiles, packed):
    """Return the amounts of work for a number of tiles."""
    of = channel_work if tile.lanes == "channels" else pixel_work
    n_bytes = spectra_values(problem, tile) * problem.itemsize
    amounts = {"call": 1, "spectra": n_bytes} | of(problem, tile, n_tiles, packed)
    return amounts if packed else amounts | {"pack": n_bytes}


def count_tiles(problem, tile, size):
    """Return the tiles of `size` outputs, in all planes and groups."""
    return size[0] * problem.groups * prod(
        -(-n // period) * dilation
        for n, period, dilation in zip(size[1:], tile.periods(problem), problem.dilation[1:]))


def channel_work(problem, tile, n_tiles, packed):
    """Return the amounts of work with tiles whose lanes are channels."""
    width = lanes(problem.dtype)
    pairs_in, pairs_out = (-(-n // (2 * width)) for n in (problem.group_size, problem.group_out))
    n_transforms = n_tiles * (pairs_in + pairs_out)
    if not packed:
        n_transforms += problem.groups * problem.group_size * pairs_out
    products = 4 * problem.group_size * -(-problem.group_out // width)
    return {"transform": n_transforms * tile.height * tile.length * tile.levels,
            "product": n_tiles * products * tile.n_frequencies,
            "spill": n_transforms * spilled_bytes(problem, tile)}


def pixel_work(problem, tile, n_tiles, packed):
    """Return the amounts of work with tiles whose lanes are pixels."""
    width = lanes(problem.dtype)
    n_vectors = tile.length * tile.height / width
    n_rows = 2 * n_tiles * tile.height
    if tile.height == 1:
        n_tiles, n_vectors = -(-n_tiles // width), tile.length
    n_transforms = n_tiles * (problem.group_size + problem.group_out)
    if not packed:
        n_transforms += problem.groups * problem.group_size * problem.group_out
    products = 4 * problem.group_size * problem.group_out
    return {"transform of pixels": n_transforms * n_vectors * tile.levels,
            "product of pixels": n_tiles * products * n_vectors,
            "row": n_rows, "spill": n_tiles * spilled_bytes(problem, tile)}


def spilled_bytes(problem, tile):
    """Return the scratch that has no place in the cache."""
    return max(0, room_values(problem, tile) * problem.itemsize - CACHE_BYTES)


def spectra_values(problem, tile):
    """Return the values of the spectra of the kernel."""
    width = lanes(problem.dtype)
    if tile.lanes == "channels":
        # Frequencies a power of two apart would all fall into the same few cache lines.
        values = (-(-problem.group_out // width) * problem.group_size + 1) * 2 * width
        return problem.groups * tile.n_frequencies * values
    n_values = tile.length * (width if tile.height == 1 else tile.height)
    return problem.groups * problem.group_size * problem.group_out * 2 * n_values


def room_values(problem, tile):
    """Return the values of scratch of one thread."""
    width = lanes(problem.dtype)
    if tile.lanes == "channels":
        return conv_fft.room(tile.height, tile.length, width)
    return conv_fft_pixels.room(width if tile.height == 1 else tile.height, tile.length,
                                problem.group_size, problem.group_out, width)


def grid(problem):
    """Return the outputs of a tile: within it, values are rounded together."""
    periods = (1, *choose_tile(problem).periods(problem))
    return periods[3 - problem.rank:]


def twiddles(n, dtype):
    """Return exp(-2 pi i j / n) for j below n, cosine and sine in turn."""
    turns = np.exp(-2j * np.pi * np.arange(n) / n)
    return turns.view(float).astype(dtype)


def prepare(problem, kernel, bias, n_threads):
    """Return the spectra of `kernel`, and what belongs to them."""
    tile, dtype, width = choose_tile(problem), problem.dtype, lanes(problem.dtype)
    seconds = predict("fft", whole_work(problem, tile, False))
    n_threads = thread_count(n_threads, seconds, preparing_tasks(problem, tile))
    rooms = aligned((n_threads, room_values(problem, tile)), dtype)
    down, across = twiddles(tile.height, dtype), twiddles(tile.length, dtype)
    weights = kernel.reshape(*problem.kernel_size[1:], problem.group_size, problem.out_channels)
    bias = bias.reshape(problem.groups, problem.group_out)
    shape = (problem.groups, spectra_values(problem, tile) // problem.groups)
    spectra = aligned(shape, dtype)
    if tile.lanes == "channels":
        spectra = spectra.reshape(problem.groups, tile.n_frequencies, -1)
        conv_fft.prepare(weights, spectra, tile.height, tile.length, down, across, rooms)
        bias = np.pad(bias, ((0, 0), (0, -problem.group_out % (2 * width))))
    else:
        conv_fft_pixels.prepare(weights, spectra, *lines(tile, dtype), down, across, rooms)
        bias = np.tile(bias, tile.length)
    return Prepared(tile, down, across, spectra, bias)


def preparing_tasks(problem, tile):
    """Return the tasks in which a kernel is prepared: channels, times outputs or pairs of them."""
    if tile.lanes == "pixels":
        return problem.group_size * problem.out_channels
    pairs_out = -(-problem.group_out // (2 * lanes(problem.dtype)))
    return problem.groups * problem.group_size * pairs_out


def lines(tile, dtype):
    """Return height, length and whether the rows are lines of their own, of a tile of pixels."""
    is_line = tile.height == 1
    return lanes(dtype) if is_line else tile.height, tile.length, is_line


def layout(problem):
    """Return the `Layout` for the tile that `prepare` chooses."""
    return lay_out(problem, choose_tile(problem))


def lay_out(problem, tile):
    """Return the `Layout` for some tile."""
    channels_in, channels_out = problem.group_size, problem.group_out
    form = tile.height, tile.length, problem.groups, channels_in, channels_out
    limit = 1
    if tile.lanes == "channels":
        values = sum(conv_fft.spectra_values(*form, 1, lanes(problem.dtype)))
        limit = max(1, BLOCK_BYTES // (values * problem.itemsize))
    tiling = [
        (problem.output_size[axis], period // problem.dilation[axis], problem.kernel_size[axis],
         problem.dilation[axis], problem.padding[axis][0], 0, problem.output_size[axis])
        for axis, period in zip((1, 2), tile.periods(problem))]
    return Layout(
        tile=tile, form=form, tiling=np.array(tiling, np.intp), most_tiles=limit,
        room=room_values(problem, tile), seconds=predict("fft", whole_work(problem, tile, True)))


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    tile, dtype = prepared.tile, problem.dtype
    if layout.tile != tile:    # the kernel was prepared for images of another size
        layout = lay_out(problem, tile)
    tiling = layout.tiling
    if first != WHOLE or out.shape[1:4] != problem.output_size:
        tiling = tiling.copy()
        tiling[:, 5:] = tuple(zip(first, out.shape[1:4]))[1:]
    stride = problem.stride[0]
    images = images[:, stride * first[0]::stride]    # the planes under those of `out`
    n_tiles = conv_fft.n_tiles(out, tiling)
    seconds = len(images) * layout.seconds
    operands = images, prepared.spectra, problem.group_size, prepared.bias, out, tiling
    codes = MODE_CODES[problem.padding_mode], ACTIVATION_CODES[problem.activation]
    turns = prepared.down, prepared.across
    if tile.lanes == "pixels":
        n_threads = thread_count(n_threads, seconds, pixel_tasks(problem, tile, n_tiles))
        rooms = aligned((n_threads, layout.room), dtype)
        CONV_PIXELS[dtype](*operands, *lines(tile, dtype), *codes, *turns, rooms)
        return
    n_tiles = even(n_tiles, layout.most_tiles)
    products = 4 * n_tiles * problem.group_size * problem.group_out // lanes(dtype)
    chunk = max(1, int(TASK_PRODUCTS // products))
    n_threads = thread_count(n_threads, seconds, channel_tasks(problem, tile, n_tiles, chunk))
    n_in, n_out = conv_fft.spectra_values(*layout.form, n_tiles, lanes(dtype))
    CONV_CHANNELS[dtype](
        *operands, tile.height, tile.length, *codes, *turns, n_tiles, chunk,
        aligned((n_in,), dtype), aligned((n_out,), dtype), aligned((n_threads, layout.room), dtype))


def pixel_tasks(problem, tile, n_tiles):
    """Return the tasks of `n_tiles` tiles; a vector of lines is one."""
    return problem.groups * -(-n_tiles // (lanes(problem.dtype) if tile.height == 1 else 1))


def channel_tasks(problem, tile, n_tiles, chunk):
    """Return the most tasks that stand side by side for a block of tiles."""
    most = max(problem.group_size, problem.group_out)
    pairs = n_tiles * -(-most // (2 * lanes(problem.dtype)))
    return problem.groups * max(pairs, -(-tile.n_frequencies // chunk))
