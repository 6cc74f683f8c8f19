"""What in an image a value of a network comes from: the way back, and what hiding pixels does."""

from itertools import product

import numpy as np

from convlib import _validation as check
from convlib._layers import chain
from convlib._layers.layer import Call
from convlib._layers.network import BLOCK_BYTES, Network


def settled(network):
    """Return the `Network` of a fitted estimator, or what is one."""
    found = getattr(network, "_network", network)
    if not isinstance(found, Network):
        raise TypeError(check.refusal(
            "network", "a Network or a fitted ConvNetClassifier or ConvNetRegressor", network))
    return found


def layer_number(layer, n_layers):
    """Return which of the layers it is, from zero."""
    number = check.as_int(layer)
    if number is None or not -n_layers <= number < n_layers:
        raise ValueError(
            f"layer must be an integer from {-n_layers} to {n_layers - 1}; got {layer!r}")
    return number % n_layers


def one_image(network, image):
    """Return an image as a batch in the dtype of the network."""
    image = check.numeric_array("image", image)
    if image.shape != network.input_shape:
        raise ValueError(f"image must have shape {network.input_shape}; got {image.shape}")
    return np.array(image[np.newaxis], network.dtype)


def unit_place(unit, values):
    """Return where a unit is among the values (1, *size, channels) of a layer."""
    shape = values.shape[1:]
    channel = check.as_int(unit)
    if channel is not None:
        if not 0 <= channel < shape[-1]:
            raise ValueError(f"unit must be a channel from 0 to {shape[-1] - 1}; got {unit!r}")
        place = np.unravel_index(values[0, ..., channel].argmax(), shape[:-1])
        return (*map(int, place), channel)
    place = check.axis_ints("unit", unit, len(shape), 0)
    if any(index >= size for index, size in zip(place, shape)):
        raise ValueError(f"unit must be a place within {shape}; got {unit!r}")
    return place


def deconvnet(network, image, layer=-1, unit=0, *, n_threads=None):
    """Return what in an image made a unit of a network respond.

    The response is sent back to the pixels alone [1]_: maxima go back to where they were found,
    what is negative is set to zero where an activation was, and convolutions are transposed.

    Parameters
    ----------
    network : Network, ConvNetClassifier or ConvNetRegressor
        Fitted. Images are taken as its layers get them: a `scale` of the estimator is the caller's.
    image : array-like of shape (*size, channels)
        One image.
    layer : int, default=-1
        Number of the layer whose outputs the unit belongs to; -1 is the last one.
    unit : int or tuple of int, default=0
        A channel, where its response is largest, or a place: spatial axes and channel.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

    Returns
    -------
    pattern : ndarray of shape (*size, channels)
        In the place of the pixels; zero where the unit does not see, or saw nothing.

    See Also
    --------
    occlusion_map : What the unit loses where pixels are hidden.
    convlib.displays.DeconvDisplay : Draws it.

    References
    ----------
    .. [1] M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks",
       ECCV 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Conv, MaxPool, Network, deconvnet
    >>> network = Network([Conv(1, activation="relu"), MaxPool()], (8, 8, 1),
    ...                   {"0.kernel": np.ones((3, 3, 1, 1)), "0.bias": np.zeros(1)})
    >>> image = np.zeros((8, 8, 1))
    >>> image[2, 3] = 1
    >>> int(np.count_nonzero(deconvnet(network, image)))
    9
    """
    network = settled(network)
    number = layer_number(layer, len(network.layers))
    layers = network.layers[:number + 1]
    call = Call(n_threads=check.threads(n_threads), keeps=True, rectifies=True)
    outputs, caches = chain.forward(layers, network.arrays, one_image(network, image), call)
    place = (0, *unit_place(unit, outputs))
    alone = np.zeros_like(outputs)
    alone[place] = outputs[place]
    return chain.backward(layers, network.arrays, caches, alone, call)[0][0]


def occlusion_map(network, image, layer=-1, unit=0, *, size=3, stride=1, fill=0.0, n_threads=None):
    """Return how much of its response a unit of a network loses where pixels are hidden.

    Parameters
    ----------
    network : Network, ConvNetClassifier or ConvNetRegressor
        Fitted. Images are taken as its layers get them: a `scale` of the estimator is the caller's.
    image : array-like of shape (*size, channels)
        One image.
    layer : int, default=-1
        As in `deconvnet`.
    unit : int or tuple of int, default=0
        As in `deconvnet`; the place of a channel's largest response is found in the whole image,
        and stays.
    size : int or tuple of int, default=3
        Pixels that are hidden at a time, along each axis.
    stride : int or tuple of int, default=1
        Pixels from one window to the next.
    fill : float, default=0.0
        What hidden pixels are set to.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

    Returns
    -------
    losses : ndarray of shape size
        For each pixel the mean loss over all windows that hide it; NaN where none does.

    See Also
    --------
    deconvnet : Sends the response back, which is one run instead of many.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import GlobalPool, Network, occlusion_map
    >>> network = Network([GlobalPool("max")], (4, 4, 1), {})
    >>> image = np.zeros((4, 4, 1))
    >>> image[1, 2] = 1
    >>> occlusion_map(network, image, size=1)
    array([[0., 0., 0., 0.],
           [0., 0., 1., 0.],
           [0., 0., 0., 0.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    network = settled(network)
    image = one_image(network, image)
    spatial = image.shape[1:-1]
    if not spatial:
        raise ValueError("network must take images; got one that takes flat values")
    n_layers = layer_number(layer, len(network.layers)) + 1
    size = check.axis_ints("size", size, len(spatial), 1)
    stride = check.axis_ints("stride", stride, len(spatial), 1)
    if any(hidden > whole for hidden, whole in zip(size, spatial)):
        raise ValueError(f"size must be at most that of the image, {spatial}; got {size}")
    fill = check.finite_number("fill", fill)
    windows = [
        tuple(slice(first, first + hidden) for first, hidden in zip(firsts, size))
        for firsts in product(*(range(0, whole - hidden + 1, step)
                                for whole, hidden, step in zip(spatial, size, stride)))]
    whole = network.outputs(image, n_layers=n_layers, n_threads=n_threads)
    place = unit_place(unit, whole)
    losses, counts = np.zeros(spatial), np.zeros(spatial)
    step = network.block_images(BLOCK_BYTES)
    for first in range(0, len(windows), step):
        block = windows[first:first + step]
        hidden = np.repeat(image, len(block), axis=0)
        for number, window in enumerate(block):
            hidden[(number, *window)] = fill
        outputs = network.outputs(hidden, n_layers=n_layers, n_threads=n_threads)
        for window, output in zip(block, outputs):
            losses[window] += float(whole[0][place]) - float(output[place])
            counts[window] += 1
    with np.errstate(invalid="ignore"):
        return (losses / counts).astype(network.dtype)
