"""Layers one after the other: what a network is, and what blocks are made of.

Arrays of the layer number i have its number and a dot before their names.
"""

from convlib._layers.layer import Layer


def check_layers(name, layers):
    """Return layers as a tuple, or refuse what is none."""
    if isinstance(layers, Layer) or not isinstance(layers, (list, tuple)):
        raise TypeError(f"{name} must be a list of layers of convlib.layers; got "
                        f"{type(layers).__name__}")
    for number, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}[{number}] must be a layer of convlib.layers; got {layer!r}")
    return tuple(layers)


def shapes_through(layers, input_shape):
    """Return the shape before each layer, and the last one."""
    shapes = [tuple(input_shape)]
    for number, layer in enumerate(layers):
        try:
            shapes.append(tuple(layer._output_shape(shapes[-1])))
        except (TypeError, ValueError) as error:
            raise type(error)(f"layers[{number}], {type(layer).__name__}, of inputs of shape "
                              f"{shapes[-1]}: {error}") from error
    return shapes


def steps(layers, input_shape):
    """Return number, layer and the shape before it."""
    return zip(range(len(layers)), layers, shapes_through(layers, input_shape))


def array_shapes(layers, input_shape):
    """Return the shapes of all arrays."""
    return {f"{number}.{name}": array for number, layer, shape in steps(layers, input_shape)
            for name, array in layer._array_shapes(shape).items()}


def initial_arrays(layers, input_shape, rng, dtype):
    """Return new arrays of all layers."""
    return {f"{number}.{name}": array for number, layer, shape in steps(layers, input_shape)
            for name, array in layer._initial_arrays(shape, rng, dtype).items()}


def packed(layers, arrays, input_shape):
    """Return the arrays of all layers with kernels packed, for outputs outside of training."""
    return {f"{number}.{name}": array for number, layer, shape in steps(layers, input_shape)
            for name, array in layer._packed(arrays_of(number, arrays), shape).items()}


def n_macs(layers, input_shape):
    """Return the products of all layers."""
    return sum(layer._n_macs(shape) for _, layer, shape in steps(layers, input_shape))


def field(layers, before, input_shape):
    """Return what a value of the last layer sees."""
    for _, layer, shape in steps(layers, input_shape):
        before = layer._field(before, shape)
    return before


def arrays_of(number, arrays):
    """Return the arrays of one layer by their own names."""
    start = f"{number}."
    return {name[len(start):]: array for name, array in arrays.items() if name.startswith(start)}


def forward(layers, arrays, images, call):
    """Return the outputs of the last layer, and what all have kept."""
    caches = []
    for number, layer in enumerate(layers):
        images, cache = layer._forward(arrays_of(number, arrays), images, call)
        caches.append(cache if call.keeps else None)
    return images, caches


def backward(layers, arrays, caches, grads, call):
    """Return the gradient by the inputs of the first layer, and those of all arrays."""
    by_arrays = {}
    for number in range(len(layers) - 1, -1, -1):
        wants = call.wants_images or number > 0
        grads, own = layers[number]._backward(
            arrays_of(number, arrays), caches[number], grads, call._replace(wants_images=wants))
        by_arrays.update({f"{number}.{name}": array for name, array in own.items()})
    return grads, by_arrays
