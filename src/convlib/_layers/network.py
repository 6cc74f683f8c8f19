"""A chain of layers with its arrays, settled: what is loaded, saved and looked into."""

from math import prod

import numpy as np

from convlib import _validation as check
from convlib._layers import chain, table
from convlib._layers.layer import Call, checked_shape

BLOCK_BYTES = 32 * 2**20    # of the largest arrays of a block of images


class Network:
    """Layers with their weights, which change no more.

    What `convlib.io.load_onnx` returns, and the way to run kernels that were learnt elsewhere.
    Networks that learn are `convlib.ConvNetClassifier` and `convlib.ConvNetRegressor`.

    Parameters
    ----------
    layers : list of layers
        Of `convlib.layers`.
    input_shape : tuple of int
        Shape of one sample: spatial axes and channels, or one axis of values.
    arrays : dict of str to array-like
        Weights by name: the number of the layer in the list, a dot, and the name within the layer
        as in `Layer.array_shapes`, such as '0.kernel'. They are copied.
    dtype : {'float32', 'float64'}, default='float32'
        Of the arrays and of all that is computed.

    Attributes
    ----------
    layers : tuple of layers
        As given.
    input_shape : tuple of int
        As given.
    arrays : dict of str to ndarray
        The weights; they cannot be written to.
    shapes : list of tuple of int
        Shape of one sample before each layer, and after the last one.
    dtype : dtype
        As given.

    See Also
    --------
    convlib.io.load_onnx : From a file.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Conv, GlobalPool, Network
    >>> network = Network([Conv(4, bias=False), GlobalPool()], (8, 8, 1),
    ...                   {"0.kernel": np.ones((3, 3, 1, 4))})
    >>> network.outputs(np.ones((2, 8, 8, 1))).shape
    (2, 4)
    """

    def __init__(self, layers, input_shape, arrays, dtype="float32"):
        self.layers = chain.check_layers("layers", layers)
        self.input_shape = checked_shape(input_shape)
        self.shapes = chain.shapes_through(self.layers, self.input_shape)
        self.dtype = check.float_dtype(dtype)
        self.arrays = self._checked(arrays)
        self._pack()

    def __repr__(self):
        return f"Network({list(self.layers)!r}, {self.input_shape})"

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_packed"}

    def __setstate__(self, state):
        vars(self).update(state)
        self._pack()

    def outputs(self, images, *, n_layers=None, n_threads=None):
        """Return the outputs of the last layer, or of one before it.

        Parameters
        ----------
        images : array-like of shape (n_samples, *input_shape)
            Converted to the dtype of the network.
        n_layers : int, default=None
            How many layers the images go through; None: all.
        n_threads : int, default=None
            OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

        Returns
        -------
        outputs : ndarray of shape (n_samples, *shapes[n_layers])
            The same bits for any number of threads and samples.
        """
        images = check.numeric_array("images", images)
        if images.shape[1:] != self.input_shape:
            raise ValueError(f"images must have shape (n_samples, {str(self.input_shape)[1:]}; "
                             f"got {images.shape}")
        if n_layers is None:
            n_layers = len(self.layers)
        elif check.integer("n_layers", n_layers, 0) > len(self.layers):
            raise ValueError(f"n_layers must be at most {len(self.layers)}; got {n_layers}")
        n_threads = check.threads(n_threads)
        out = np.empty((len(images), *self.shapes[n_layers]), self.dtype)
        step = self.block_images(BLOCK_BYTES)
        for first in range(0, len(images), step):
            block = np.asarray(images[first:first + step], self.dtype)
            out[first:first + step] = self.block_outputs(block, n_threads, n_layers)
        return out

    def summary(self):
        """Return a table of the network, as `convlib.layers.summary` does.

        Returns
        -------
        table : str
            A line for each layer.
        """
        return table.as_text(self.layers, self.input_shape)

    def block_outputs(self, images, n_threads=None, n_layers=None):
        """Return the outputs for images that are checked, all at once.

        Parameters
        ----------
        images : ndarray of shape (n_samples, *input_shape)
            In the dtype of the network.
        n_threads : int, default=None
            As in `outputs`.
        n_layers : int, default=None
            As in `outputs`.

        Returns
        -------
        outputs : ndarray of shape (n_samples, *shapes[n_layers])
            The same as from `outputs`.
        """
        return chain.forward(
            self.layers[:n_layers], self._packed, images, Call(n_threads=n_threads))[0]

    def block_images(self, n_bytes):
        """Return how many images may go through the layers at a time.

        Parameters
        ----------
        n_bytes : int
            That what goes into a layer and what comes out may have.

        Returns
        -------
        n_images : int
            At least 1.
        """
        most = max(map(prod, self.shapes))
        return max(1, int(n_bytes // (2 * most * self.dtype.itemsize)))

    def _pack(self):
        self._packed = chain.packed(self.layers, self.arrays, self.input_shape)

    def _checked(self, arrays):
        """Return copies of the arrays, or refuse what the layers do not have."""
        shapes = chain.array_shapes(self.layers, self.input_shape)
        if not isinstance(arrays, dict) or set(arrays) != set(shapes):
            found = sorted(arrays) if isinstance(arrays, dict) else type(arrays).__name__
            raise ValueError(f"arrays must be a dict with the names {sorted(shapes)}; got {found}")
        copies = {}
        for name, shape in shapes.items():
            array = check.numeric_array(f"arrays[{name!r}]", arrays[name])
            if array.shape != shape:
                raise ValueError(f"arrays[{name!r}] must have shape {shape}; got {array.shape}")
            copies[name] = np.array(array, self.dtype, order="C")
            copies[name].flags.writeable = False
        return copies
