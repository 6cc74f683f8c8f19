"""Rows of features that survive the end of the process, and whose they are."""

import json
import shutil

import numpy as np


class Journal:
    """A folder of two files: rows one after another, and a line that names each of them.

    A line is written when its row is; what a kill cut off half-way is forgotten.
    """

    def __init__(self, folder, settings, n_columns, dtype):
        self.folder, self._settings = folder, settings
        self._n_columns, self._dtype = n_columns, np.dtype(dtype)
        self._row_of = {}    # name: (stamp, row)
        self._n_rows = 0

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        names, rows = self.folder / "names.jsonl", self.folder / "rows"
        entries = self._entries(names, rows)
        if entries is None:
            rows.write_bytes(b"")
            names.write_text(json.dumps(self._settings) + "\n", encoding="utf-8")
        for row, (name, stamp) in enumerate(entries or ()):
            self._row_of[name] = stamp, row
        self._n_rows = len(entries or ())
        self._names, self._rows = names.open("a", encoding="utf-8"), rows.open("r+b")
        self._rows.truncate(self._n_rows * self._row_bytes)
        self._rows.seek(0, 2)
        return self

    def __exit__(self, *_):
        self._names.close()
        self._rows.close()

    @property
    def _row_bytes(self):
        return self._n_columns * self._dtype.itemsize

    def _entries(self, names, rows):
        """Return (name, stamp) of all whole rows, and cut the file after them; None: start anew."""
        if not (names.exists() and rows.exists()):
            return None
        whole, ends = [], []
        with names.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole.append(json.loads(line))
                ends.append(file.tell())
        if not whole or whole[0] != self._settings:
            return None
        n_rows = min(len(whole) - 1, rows.stat().st_size // self._row_bytes)
        with names.open("r+b") as file:
            file.truncate(ends[n_rows])
        return whole[1:1 + n_rows]

    def has(self, picture):
        """Return whether there is a row of a picture, as its file is now."""
        stamp, _ = self._row_of.get(picture.name, (None, None))
        return stamp == picture.stamp

    def add(self, pictures, rows):
        """Keep the rows of some pictures."""
        self._rows.write(np.ascontiguousarray(rows, self._dtype).data)
        self._rows.flush()
        for picture in pictures:
            self._row_of[picture.name] = picture.stamp, self._n_rows
            self._names.write(json.dumps([picture.name, picture.stamp]) + "\n")
            self._n_rows += 1
        self._names.flush()

    def chunks(self, pictures, n_bytes):
        """Yield some pictures and their rows at a time, in the order of the pictures."""
        step = max(1, n_bytes // self._row_bytes)
        rows = np.memmap(self.folder / "rows", self._dtype, "r",
                         shape=(self._n_rows, self._n_columns)) if self._n_rows else None
        for first in range(0, len(pictures), step):
            some = pictures[first:first + step]
            yield some, rows[[self._row_of[picture.name][1] for picture in some]]

    def remove(self):
        """Remove the folder: everything is in the table."""
        shutil.rmtree(self.folder)
