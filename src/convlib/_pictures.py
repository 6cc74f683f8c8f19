"""Pictures in files: read through imageio (Pillow) and tifffile, which come with the extra `io`."""

import warnings
from math import prod
from pathlib import Path

import numpy as np

from convlib import _validation as check

TIFF = (".tif", ".tiff")
# What pictures in a folder are called; others are read where they are named.
SUFFIXES = (*TIFF, ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
            ".webp")
CHANNELS = (None, "grey", "rgb")
LUMA = np.array([0.299, 0.587, 0.114])    # of red, green and blue: ITU-R BT.601
AS_RGB = ("CMYK", "HSV", "LAB", "YCbCr")  # Pillow's modes whose channels are no light


def read_image(path, *, channels=None):
    """Read a picture.

    TIFF files are read by tifffile, all others by imageio with Pillow, both of the extra `io`. Of
    an animation it is the first frame. Pillow's limit against decompression bombs holds, for TIFF
    files too: what has more pixels than twice ``PIL.Image.MAX_IMAGE_PIXELS`` is refused before
    memory is taken.

    Parameters
    ----------
    path : str or path-like
        Of the file.
    channels : {None, 'grey', 'rgb'}, default=None
        None keeps the channels of the file, 'grey' mixes colours as ITU-R BT.601 does, 'rgb'
        repeats grey. Both drop the opacity, and keep the dtype.

    Returns
    -------
    image : ndarray of shape (height, width) or (height, width, channels)
        In the dtype of the file, such as uint8 or uint16.

    Raises
    ------
    ValueError
        If the file is broken, no picture, or too large; the message names it.
    OSError
        If there is no such file, or it may not be read.
    ImportError
        If imageio or tifffile is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> import imageio.v3, numpy as np
    >>> from convlib.io import read_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "picture.png")
    ...     imageio.v3.imwrite(path, np.zeros((48, 64, 3), np.uint8))
    ...     read_image(path).shape, read_image(path, channels="grey").shape
    ((48, 64, 3), (48, 64))
    """
    check.choice("channels", channels, CHANNELS)
    path = Path(path)
    with path.open("rb"):
        pass    # a file that is not there is no broken one
    read = _read_tiff if path.suffix.lower() in TIFF else _read_other
    packages()
    try:
        image = read(path)
    except MemoryError:
        raise
    except Exception as error:    # of any kind: decoders meet anything in a broken file
        reason = error
        while reason.__cause__ is not None:    # imageio wraps what Pillow says
            reason = reason.__cause__
        raise ValueError(f"{path} cannot be read as a picture: {reason}") from error
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"{path} must be one picture, of 2 axes or 3 with channels; it has shape "
                         f"{image.shape}")
    return with_channels(image, channels)


def write_image(path, image):
    """Write a picture, in the format of the name's ending.

    Broken off half-way, nothing is left under that name.
    """
    imageio, tifffile = packages()
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if path.suffix.lower() in TIFF:
            is_colour = image.ndim == 3 and image.shape[2] in (3, 4)
            tifffile.imwrite(part, image, photometric="rgb" if is_colour else "minisblack")
        else:
            imageio.imwrite(part, image, plugin="pillow")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def with_channels(image, channels):
    """Return an image as it is, in grey or in three colours; the dtype stays."""
    if channels is None:
        return image
    n = image.shape[2] if image.ndim == 3 else 1
    if n not in (1, 2, 3, 4):
        raise ValueError(f"channels={channels!r} is for pictures of 1 to 4 channels; this one has "
                         f"{n}")
    colours = image.reshape(*image.shape[:2], n)[..., :1 if n < 3 else 3]    # without opacity
    if channels == "rgb":
        return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
    if n < 3:
        return np.ascontiguousarray(colours[..., 0])
    grey = colours @ LUMA
    return np.rint(grey).astype(image.dtype) if image.dtype.kind in "iu" else \
        grey.astype(image.dtype)


def packages():
    """Return imageio's interface and tifffile."""
    try:
        import imageio.v3
        import tifffile
    except ImportError as error:
        raise ImportError(
            f"reading and writing pictures needs {error.name}: pip install 'convlib[io]'"
        ) from error
    return imageio.v3, tifffile


def _read_other(path):
    """Return what Pillow makes of a file."""
    from PIL import Image

    with warnings.catch_warnings():
        # Up to its limit Pillow warns: that is for programs that cannot refuse.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with packages()[0].imopen(path, "r", plugin="pillow") as file:
            mode = file.metadata(index=0)["mode"]
            return np.asarray(file.read(index=0, mode="RGB" if mode in AS_RGB else None))


def _read_tiff(path):
    """Return the one image of a TIFF file."""
    from PIL import Image

    with packages()[1].TiffFile(path) as file:
        series = file.series[0]
        limit = Image.MAX_IMAGE_PIXELS
        colours = [n for name, n in zip(series.axes, series.shape) if name in "SC"]
        n_pixels = prod(series.shape) // (colours[0] if colours else 1)
        if limit is not None and n_pixels > 2 * limit:
            raise ValueError(f"it has {n_pixels:,} pixels, more than Pillow's limit of "
                             f"{2 * limit:,} against decompression bombs")
        axes, image = series.axes, series.asarray()
    if axes in ("SYX", "CYX"):
        return np.ascontiguousarray(np.moveaxis(image, 0, -1))
    if axes not in ("YX", "YXS", "YXC"):
        raise ValueError(f"it has axes {axes} of shape {image.shape}; those of one picture are "
                         "YX, with channels S or C")
    return image
