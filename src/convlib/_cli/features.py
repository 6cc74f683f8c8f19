"""Features of pictures, some at a time, in a table."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convlib import __version__
from convlib._cli.journal import Journal
from convlib._cli.sources import read_ahead
from convlib._cli.tables import needed, write_table
from convlib._progress import Progress
from convlib._validation import result_dtype

MOST_BYTES = 2**26      # of pictures of a block, and of rows of the table at a time
MOST_PICTURES = 256     # of a block: what a kill can lose
LEARNT_FROM = 256       # pictures, drawn from all of them


@dataclass
class Outcome:
    """What became of the pictures."""

    n_rows: int = 0
    n_columns: int = 0
    n_before: int = 0     # rows that were computed by an earlier run
    bad: list = None      # of (name, reason)


@dataclass(frozen=True)
class Task:
    """Pictures, what is made of them, and where that goes."""

    pictures: list
    transformer: object
    out: Path
    channels: str | None = None
    has_labels: bool = False
    strict: bool = False
    shows: bool = True

    @property
    def folder(self):
        """Where rows are until the table is written."""
        return self.out.with_name(self.out.name + ".partial")

    def run(self):
        """Compute what is not there yet, write the table, and return the `Outcome`."""
        needed(self.out)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        bad = self._fit()
        names = self.transformer.get_feature_names_out()
        outcome = Outcome(n_columns=len(names), bad=bad)
        with Journal(self.folder, self._settings(), len(names), self._dtype) as journal:
            known_bad = {name for name, _ in bad}
            todo = [p for p in self.pictures if not journal.has(p) and p.name not in known_bad]
            outcome.n_before = len(self.pictures) - len(todo) - len(bad)
            with Progress("features", len(self.pictures), "pictures", self.shows,
                          len(self.pictures) - len(todo)) as progress:
                for some in self._blocks(todo, bad, progress):
                    self._add(some, journal, bad)
                    progress.advance(len(some))
            done = [picture for picture in self.pictures if journal.has(picture)]
            outcome.n_rows = len(done)
            if done and not (self.strict and bad):
                write_table(self.out, names, journal.chunks(done, MOST_BYTES), len(done),
                            self.has_labels)
        if done and not (self.strict and bad):
            journal.remove()
        return outcome

    def _fit(self):
        """Fit the transformer; return the pictures that are bad among those that were read."""
        kernels, bad, images = self.transformer.kernels, [], []
        pictures, most = self.pictures, 1
        if isinstance(kernels, str) and kernels in ("kmeans", "pca"):
            pictures, most = self.pictures[:], LEARNT_FROM
            random.Random(self.transformer.random_state).shuffle(pictures)
        n_bytes = 0
        for picture, image in read_ahead(pictures, self.channels):
            if isinstance(image, Exception):
                bad.append((picture.name, str(image)))
                continue
            images.append(image)
            n_bytes += image.size * 4
            if len(images) == most or n_bytes >= MOST_BYTES:
                break
        if images:
            self.transformer.fit(images)
        else:
            raise ValueError(f"none of the {len(self.pictures)} pictures can be read; the first: "
                             f"{bad[0][1]}")
        return bad

    @property
    def _dtype(self):
        return self.transformer.kernels_.dtype

    def _settings(self):
        """Return what tells rows of this task from those of others."""
        parameters = {name: repr(value) for name, value in self.transformer.get_params().items()
                      if name not in ("n_threads", "verbose", "working_memory", "kernels")}
        learnt = hashlib.sha256()
        for array in (self.transformer.kernels_, self.transformer.bias_):
            learnt.update(np.ascontiguousarray(array))
        return {"convlib": __version__, "channels": self.channels,
                "shape": list(self.transformer.input_shape_), "dtype": self._dtype.name,
                "kernels": learnt.hexdigest(), **parameters}

    def _blocks(self, pictures, bad, progress):
        """Yield lists of (picture, image) that are computed together."""
        block, n_bytes = [], 0
        for picture, image in read_ahead(pictures, self.channels):
            reason = str(image) if isinstance(image, Exception) else self._misfit(image)
            if reason:
                bad.append((picture.name, reason))
                progress.advance()
                continue
            if result_dtype(image.dtype) != self._dtype:
                image = image.astype(self._dtype)
            block.append((picture, image))
            n_bytes += image.size * self._dtype.itemsize
            if len(block) == MOST_PICTURES or n_bytes >= MOST_BYTES:
                yield block
                block, n_bytes = [], 0
        if block:
            yield block

    def _misfit(self, image):
        """Return why an image does not go with the first one, '' if it does."""
        *size, channels = self.transformer.input_shape_
        own = image.shape[2] if image.ndim == 3 else 1
        if own != channels:
            return (f"channels: {own}, of the first picture {channels}; --channels grey or rgb "
                    "makes them alike")
        if self.transformer.pool_size != "global" and image.shape[:2] != tuple(size):
            return (f"it has {image.shape[0]} x {image.shape[1]} pixels, the first picture "
                    f"{size[0]} x {size[1]}; --pool-size global takes any size")
        return ""

    def _add(self, block, journal, bad):
        """Compute a block; picture by picture where one of them cannot be computed."""
        pictures, images = zip(*block)
        try:
            rows = self.transformer.transform(list(images))
        except ValueError as error:
            if len(block) == 1:
                bad.append((pictures[0].name, str(error)))
            else:
                for one in block:
                    self._add([one], journal, bad)
        else:
            journal.add(pictures, rows)
