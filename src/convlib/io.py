"""Networks from files and to files, and pictures from files.

ONNX needs the package onnx, which comes with the extra `onnx` and is loaded when a file is read or
written. A file is data: nothing in it is run, what it declares is checked before memory is taken,
and data beside a model must lie in its folder. Pictures need imageio and tifffile, of the extra
`io`.
"""

from pathlib import Path

from convlib import _validation as check
from convlib._layers.insight import settled
from convlib._onnx.package import onnx
from convlib._onnx.reading import Reader
from convlib._onnx.tensors import Tensors
from convlib._onnx.writing import model_of
from convlib._pictures import read_image

__all__ = ["load_onnx", "read_image", "save_onnx"]

MOST_BYTES = 2**31


def load_onnx(path, *, input_shape=None, dtype="float32", max_bytes=MOST_BYTES):
    """Return the layers and weights of an ONNX model.

    Models of these operators are read: Conv, ConvTranspose, DeformConv whose offsets a convolution
    of the same images gives, BatchNormalization (folded into the layer before it where that has no
    activation), Relu, Clip from 0 to 6, LeakyRelu with a slope of 0.01, Sigmoid, Tanh, Abs,
    Softmax over channels, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, Add of a
    residual, Concat of branches, Flatten or Reshape to rows, Gemm, MatMul, Gather that shuffles
    channels, Dropout, Identity. All others are refused, and named.

    Parameters
    ----------
    path : str or path-like
        Of the model. Weights in other files must lie in its folder.
    input_shape : tuple of int, default=None
        Shape of one sample, spatial axes and channels. None is what the model says.
    dtype : {'float32', 'float64'}, default='float32'
        Of the network.
    max_bytes : int, default=2147483648
        That the file, and all weights together, may have.

    Returns
    -------
    network : Network
        Takes and returns images with channels last. Maps that are flattened at the very end are in
        row-major order with channels last.

    Raises
    ------
    ValueError
        If the model has something that is not supported, or is damaged; the message says what.
    ImportError
        If onnx is not installed.

    See Also
    --------
    save_onnx : The way back.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from convlib.io import load_onnx, save_onnx
    >>> from convlib.layers import Conv, Network
    >>> network = Network([Conv(4, bias=False)], (8, 8, 1), {"0.kernel": np.ones((3, 3, 1, 4))})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_onnx(network, os.path.join(folder, "model.onnx"))
    ...     load_onnx(os.path.join(folder, "model.onnx")).shapes
    [(8, 8, 1), (8, 8, 4)]
    """
    package, path = onnx(), Path(path)
    max_bytes = check.integer("max_bytes", max_bytes, 1)
    if path.stat().st_size > max_bytes:
        raise ValueError(f"path must be a file of at most max_bytes={max_bytes:,}; it has "
                         f"{path.stat().st_size:,}")
    try:
        model = package.load_model_from_string(path.read_bytes())
    except Exception as error:    # protobuf's DecodeError, which is public under no stable name
        raise ValueError(f"path must be an ONNX model; {path.name} is none: {error}") from error
    if model.functions:
        raise ValueError("the model must not have functions of its own")
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(opsets) != 1:
        raise ValueError(f"the model must name one version of ONNX's operators; got {opsets}")
    reader = Reader(model.graph, Tensors(path.parent, max_bytes), opsets[0])
    shape = reader.input_shape(input_shape)
    return reader.network(check.image_shape("input_shape", shape, len(shape) - 1)
                          if len(shape) > 1 else shape, dtype)


def save_onnx(network, path):
    """Write a network as an ONNX model, for any program that runs them.

    Parameters
    ----------
    network : Network, ConvNetClassifier or ConvNetRegressor
        Fitted. The model computes what the layers do: scores of classes before the softmax. A
        `scale` of the estimator is not part of it.
    path : str or path-like
        Where the model is written. Its input is (n, channels, *size), its output likewise; both
        are in the dtype of the network.

    Raises
    ------
    ValueError
        If a layer has no counterpart in ONNX: borders other than 'constant', global pooling other
        than mean and max.
    ImportError
        If onnx is not installed.

    See Also
    --------
    load_onnx : The way back.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from convlib.io import save_onnx
    >>> from convlib.layers import Dense, Network
    >>> network = Network([Dense(2, bias=False)], (3,), {"0.weight": np.ones((3, 2))})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_onnx(network, os.path.join(folder, "model.onnx"))
    ...     os.listdir(folder)
    ['model.onnx']
    """
    Path(path).write_bytes(model_of(settled(network)).SerializeToString())
