"""Weights read from a file that is not trusted.

What a tensor declares is compared with what is there before any memory is taken for it; data beside
the model must lie within the model's folder.
"""

from math import prod
from pathlib import Path

import numpy as np

from convlib._onnx.package import onnx

# Numbers of onnx.TensorProto.DataType, what they are in NumPy, and the field of values that are not
# packed as bytes.
TYPES = {1: ("<f4", "float_data"), 11: ("<f8", "double_data"), 10: ("<f2", None),
         7: ("<i8", "int64_data"), 6: ("<i4", "int32_data")}
EXTERNAL = 1


class Tensors:
    """Arrays of a model by name, made when they are asked for.

    `most` is how many bytes all of them may have together.
    """

    def __init__(self, folder, most):
        self.folder, self.left = Path(folder).resolve(), most
        self.by_name = {}

    def add(self, name, tensor):
        """Keep a tensor; nothing is read yet."""
        if name in self.by_name:
            raise ValueError(f"the model has two tensors with the name {name!r}")
        self.by_name[name] = tensor

    def __contains__(self, name):
        return name in self.by_name

    def array(self, name):
        """Return the array of a tensor."""
        tensor = self.by_name[name]
        if tensor.data_type not in TYPES:
            found = onnx().TensorProto.DataType.Name(tensor.data_type)
            raise ValueError(f"tensor {name!r} must be of float, double, float16, int32 or int64; "
                             f"got {found}")
        dtype, field = TYPES[tensor.data_type]
        dtype, shape = np.dtype(dtype), tuple(tensor.dims)
        if any(size < 0 for size in shape):
            raise ValueError(f"tensor {name!r} must have no negative size; got {shape}")
        n_bytes = self.refuse_larger(f"tensor {name!r}", shape, dtype.itemsize)
        self.left -= n_bytes
        if tensor.data_location == EXTERNAL:
            values = np.frombuffer(self._beside(name, tensor, n_bytes), dtype)
        elif tensor.HasField("raw_data"):
            _agree(name, shape, n_bytes, len(tensor.raw_data))
            values = np.frombuffer(tensor.raw_data, dtype)
        else:
            found = getattr(tensor, field) if field else ()
            _agree(name, shape, n_bytes, len(found) * dtype.itemsize)
            values = np.array(found, dtype)
        return values.reshape(shape).astype(dtype.newbyteorder("="))

    def refuse_larger(self, what, shape, itemsize):
        """Return how many bytes something of that shape has, if they may be taken."""
        n_bytes = prod(shape) * itemsize
        if n_bytes > self.left:
            raise ValueError(f"{what} of shape {shape} would take {n_bytes:,} bytes, more than the "
                             f"{self.left:,} that max_bytes leaves")
        return n_bytes

    def _beside(self, name, tensor, n_bytes):
        """Return the bytes of a tensor in a file of its own."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = (self.folder / location).resolve()    # follows links
        if not location or not path.is_relative_to(self.folder) or not path.is_file():
            raise ValueError(f"data of tensor {name!r} must be a file within the model's folder; "
                             f"got {location!r}")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", n_bytes))
        except ValueError:
            offset = -1
        if offset < 0 or length != n_bytes or offset + length > path.stat().st_size:
            raise ValueError(f"data of tensor {name!r} must be {n_bytes:,} bytes within "
                             f"{location!r}; got {entries}")
        with path.open("rb") as file:
            file.seek(offset)
            found = file.read(length)
        _agree(name, tuple(tensor.dims), n_bytes, len(found))
        return found


def _agree(name, shape, n_bytes, found):
    if n_bytes != found:
        raise ValueError(f"tensor {name!r} declares shape {shape}, {n_bytes:,} bytes; there are "
                         f"{found:,}")
