"""The package onnx, which comes with an extra."""


def onnx():
    """Return the package, or tell where it comes from."""
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("convlib.io needs onnx: pip install 'convlib[onnx]'") from error
    return onnx
