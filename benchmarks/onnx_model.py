"""The smallest ONNX model: one convolution with constant weights, written without any library.

ONNX files are protocol buffers: a message is a run of fields, each a key (number and kind) and a
value; kind 0 is an integer in groups of seven bits, kind 2 is a length and that many bytes. The
numbers are those of onnx.proto.
"""

FLOAT, INT, INTS = 1, 2, 7          # of tensors, and of attributes
IR_VERSION, OPSET_VERSION = 8, 17


def convolution(images_shape, weights, operator="Conv", *, group, **settings):
    """Return the bytes of a model from 'images' to 'out'; settings are lists of integers."""
    attributes = [message((1, "group"), (3, group), (20, INT))]
    for name, values in settings.items():
        attributes.append(message((1, name), *((8, value) for value in values), (20, INTS)))
    node = message((1, "images"), (1, "weights"), (2, "out"), (4, operator),
                   *((5, attribute) for attribute in attributes))
    tensor = message(*((1, length) for length in weights.shape), (2, FLOAT), (8, "weights"),
                     (9, weights.tobytes()))
    graph = message((1, node), (2, "convolution"), (5, tensor),
                    (11, array_type("images", images_shape)),
                    (12, array_type("out", (None,) * len(images_shape))))
    opset = message((1, ""), (2, OPSET_VERSION))
    return message((1, IR_VERSION), (7, graph), (8, opset))


def array_type(name, shape):
    """Return the description of a float32 array; None is an unknown length."""
    lengths = (message() if length is None else message((1, length)) for length in shape)
    shape = message(*((1, length) for length in lengths))
    return message((1, name), (2, message((1, message((1, FLOAT), (2, shape))))))


def message(*fields):
    """Return the bytes of (number, value) fields: integers, strings and bytes."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [varint(8 * number), varint(value)]
        else:
            value = value.encode() if isinstance(value, str) else value
            parts += [varint(8 * number + 2), varint(len(value)), value]
    return b"".join(parts)


def varint(value):
    """Return a natural number, seven bits a byte, the lowest first."""
    groups = []
    while value >= 128:
        groups.append(value % 128 + 128)
        value //= 128
    return bytes([*groups, value])
