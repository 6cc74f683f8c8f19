"""What of a job is done, in a file that a kill leaves in order.

The first line tells which job it is; each further line is the number of a tile that was written,
and a checksum of what then stood in the sink. A tile has its line only when it is in the sink as a
whole, so what was half written is computed again.
"""

import json
import os
from pathlib import Path
from zlib import crc32

import numpy as np


class Journal:
    """The journal of one job. The tile in the file is the one that the job goes on with."""

    def __init__(self, path, job, tile):
        self.path = Path(path)
        self.job, self.tile = job, tuple(tile)
        self.checksums = {}
        if self.path.exists() and b"\n" in self.path.read_bytes():
            self._open()
        else:
            self.path.write_text(json.dumps(job | {"tile": self.tile}) + "\n")
        self._file = self.path.open("a")

    def _open(self):
        """Read what was done; refuse a journal of another job."""
        text = self.path.read_bytes()
        whole = text[:text.rindex(b"\n") + 1]    # a kill may have cut off the last line
        if len(whole) < len(text):
            os.truncate(self.path, len(whole))
        first, *lines = whole.decode(errors="replace").splitlines()
        try:
            found = json.loads(first)
            self.tile = tuple(found.pop("tile"))
        except (ValueError, AttributeError, KeyError, TypeError):
            raise ValueError(f"resume must be a journal of map_tiles, or a path where there is no "
                             f"file; got {str(self.path)!r}") from None
        if found != self.job:
            names = [name for name in self.job if found.get(name) != self.job[name]]
            differences = "; ".join(f"{name} {found.get(name)} there, {self.job[name]} here"
                                    for name in names)
            raise ValueError(f"resume must be the journal of this job; {str(self.path)!r} is that "
                             f"of another one: {differences}")
        for line in lines:
            number, checksum = line.split()
            self.checksums[int(number)] = int(checksum, 16)

    def check(self, sink, place_of):
        """Refuse a sink that does not hold the tiles that were finished."""
        for number in {*list(self.checksums)[:1], *list(self.checksums)[-1:]}:
            if checksum_of(sink, place_of(number)) != self.checksums[number]:
                raise ValueError(
                    f"sink must hold the tiles that {str(self.path)!r} says are finished; it does "
                    f"not hold tile {number}. Open it so that it keeps what is there, or delete "
                    f"the journal to begin anew")

    def add(self, number, sink, place):
        """Note that a tile stands in the sink."""
        if hasattr(sink, "flush"):
            sink.flush()
        self.checksums[number] = checksum_of(sink, place)
        self._file.write(f"{number} {self.checksums[number]:08x}\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self):
        """Close the file."""
        self._file.close()


def checksum_of(sink, place):
    """Return a checksum of what stands at a place of a sink."""
    return crc32(np.ascontiguousarray(sink[place]))
