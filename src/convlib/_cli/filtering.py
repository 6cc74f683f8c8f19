"""A filter of one picture, or of all pictures of a folder."""

import inspect
from functools import partial
from pathlib import Path

import numpy as np

from convlib import filters
from convlib._cli.sources import Picture, find_pictures, read_ahead
from convlib._pictures import TIFF, packages, write_image
from convlib._progress import Progress

OWN = ("channel_axis", "out", "return_direction")    # that the command sets, or cannot take
EXACT = (*TIFF, ".npy")    # formats that hold any number


def filter_one(source, target, function, channels, channel_axis):
    """Filter a picture or an array, and write it; return a remark, or ''."""
    if source.suffix == ".npy":
        image = np.load(source, mmap_mode="r")
    else:
        image = Picture(str(source), None, "").read(channels)
        channel_axis = -1 if image.ndim == 3 else None
    return _write(target, partial(function, channel_axis=channel_axis)(image))


def filter_folder(source, target, function, channels, shows):
    """Filter all pictures of a folder into another; return how many, and what was bad."""
    packages()
    pictures = [p for p in find_pictures([str(source)]) if p.index is None]
    if not pictures:
        raise FileNotFoundError(f"there are no pictures in {source}")
    bad = []
    with Progress("filter", len(pictures), "pictures", shows) as progress:
        for picture, image in progress.over(read_ahead(pictures, channels)):
            try:
                if isinstance(image, Exception):
                    raise image
                place = target / Path(picture.path).relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                _write(place, function(image, channel_axis=-1 if image.ndim == 3 else None))
            except (OSError, ValueError) as error:
                bad.append((picture.name, str(error)))
    return len(pictures) - len(bad), bad


def named_filter(name, settings):
    """Return a filter with those of its settings that are not None."""
    function = getattr(filters, name)
    known = inspect.signature(function).parameters
    given = {key: value for key, value in settings.items() if value is not None}
    allowed = [key for key in known if key not in ("image", *OWN)]
    for key in given:
        if key not in allowed:
            raise ValueError(f"{name} has no setting {key!r}; it has {', '.join(allowed)}")
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in ("image", *given):
            raise ValueError(f"{name} needs a setting {key!r}: --set {key}=...")
    return partial(function, **given)


def _write(target, image):
    """Write an image; return what had to be done to it, or ''."""
    if target.suffix == ".npy":
        np.save(target, image)
        return ""
    remark = ""
    if target.suffix.lower() not in EXACT and image.dtype.kind == "f":
        low, high = float(image.min()), float(image.max())
        scale = 255 / (high - low) if high > low else 0.0
        image = np.rint((image - low) * scale).astype(np.uint8)
        remark = (f"values from {low:.6g} to {high:.6g} became 0 to 255; .tif and .npy keep them")
    try:
        write_image(target, image)
    except (OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{target} cannot be written: an image of shape {image.shape} and dtype "
                         f"{image.dtype} is not for {target.suffix or 'no format'}: "
                         f"{error}") from error
    return remark
