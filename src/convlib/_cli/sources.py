"""Pictures by the names of folders, files, patterns and arrays, read one after another."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convlib._pictures import SUFFIXES, read_image, with_channels
from convlib._threads import usable_cpus

MOST_READERS = 4    # threads that decode pictures while others are computed


class Picture(NamedTuple):
    """Where a picture is."""

    path: str
    index: int | None    # in an array of images
    stamp: str           # another one when the file has changed

    @property
    def name(self):
        """What the table calls it."""
        return self.path if self.index is None else f"{self.path}[{self.index}]"

    @property
    def label(self):
        """The name of the folder that it is in."""
        return Path(self.path).absolute().parent.name

    def read(self, channels):
        """Return the picture as an array."""
        if self.index is None:
            return read_image(self.path, channels=channels)
        return with_channels(np.array(array_of(self.path)[self.index]), channels)


def find_pictures(arguments):
    """Return the pictures that arguments of the command name, each once, in order."""
    pictures = {}
    for argument in arguments:
        for path in _files(argument):
            for picture in _pictures_in(path):
                pictures.setdefault(picture.name, picture)
    return list(pictures.values())


def _files(argument):
    """Return the files of one argument."""
    path = Path(argument)
    if path.is_dir():
        return sorted(
            os.path.join(folder, name) for folder, folders, names in os.walk(path)
            for name in names
            if not name.startswith(".") and name.lower().endswith((*SUFFIXES, ".npy")))
    if path.exists():
        return [argument]
    if has_magic(argument):
        found = [file for name in sorted(glob(argument, recursive=True)) for file in _files(name)]
        if found:
            return found
        raise FileNotFoundError(f"no file is called like {argument!r}")
    raise FileNotFoundError(f"there is no file or folder {argument!r}")


def _pictures_in(path):
    """Return the pictures of a file; an array that cannot be read is one bad picture."""
    status = os.stat(path)
    stamp = f"{status.st_size}-{status.st_mtime_ns}"
    if not path.endswith(".npy"):
        return [Picture(path, None, stamp)]
    try:
        return [Picture(path, index, stamp) for index in range(len(array_of(path)))]
    except ValueError:
        return [Picture(path, 0, stamp)]


@lru_cache(maxsize=8)
def array_of(path):
    """Return the images of a .npy file, which stay there until they are asked for."""
    images = np.load(path, mmap_mode="r")
    if images.ndim not in (3, 4):
        raise ValueError(f"{path} must hold images (n, height, width) or (n, height, width, "
                         f"channels); it has shape {images.shape}")
    return images


def read_ahead(pictures, channels):
    """Yield pairs of a picture and its array, or the exception where it cannot be read.

    Some threads read while others compute; few pictures are held at a time.
    """
    def read(picture):
        try:
            return picture, picture.read(channels)
        except (OSError, ValueError, MemoryError) as error:
            return picture, error

    n_readers = min(MOST_READERS, usable_cpus())
    pool, waiting = ThreadPoolExecutor(n_readers), deque()
    try:
        for picture in pictures:
            waiting.append(pool.submit(read, picture))
            if len(waiting) > n_readers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
