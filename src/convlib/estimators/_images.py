"""X as images: the shape rules of the estimators, in one place."""

from math import prod

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from convlib._validation import as_entries, axis_ints, result_dtype

AXES = ("length", "height, width", "depth, height, width")


class Images:
    """Checked images of one shape, converted to floating point batch by batch."""

    def __init__(self, X, shape):
        self._X = X
        self.shape = shape
        self.dtype = result_dtype(X.dtype)

    def __len__(self):
        return len(self._X)

    def batch(self, first, last, dtype=None):
        """Return images `first` to `last` as an array (n_images, *size, channels)."""
        batch = self._X[first:last]
        return batch.reshape(len(batch), *self.shape).astype(dtype or self.dtype, copy=False)

    def rows(self, numbers, dtype=None):
        """Return the images with those numbers as an array (n_images, *size, channels)."""
        batch = self._X[numbers]
        return batch.reshape(len(batch), *self.shape).astype(dtype or self.dtype, copy=False)


def is_ragged(X):
    """Return whether X is a list of images of different sizes."""
    if not isinstance(X, (list, tuple)) or not all(hasattr(image, "shape") for image in X):
        return False
    return len({tuple(image.shape) for image in X}) > 1


def refuse_masked(name, X):
    """Refuse masked arrays, whose mask would be lost."""
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask; got a masked array")


def refuse_dtype(name, X):
    """Refuse what is not real numbers, such as dates."""
    if X.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold bool, integers or real numbers; got {X.dtype}")


def as_images(estimator, X, rank, image_shape, reset):
    """Return X, flat or of any shape that `rank` allows, as `Images`."""
    refuse_masked("X", X)
    if len(getattr(X, "shape", ())) > 2 or (isinstance(X, (list, tuple)) and np.ndim(X) > 2):
        X = validate_data(estimator, X, dtype="numeric", allow_nd=True, ensure_2d=False,
                          reset=reset)
    else:
        X = validate_data(estimator, X, dtype="numeric", reset=reset)
    refuse_dtype("X", X)
    return Images(X, sample_shape(X.shape[1:], rank, image_shape))


def as_ragged_images(X, rank):
    """Return a list of `Images`, one for each image of the list X."""
    images = []
    for number, image in enumerate(X):
        refuse_masked(f"X[{number}]", image)
        array = check_array(image, dtype="numeric", allow_nd=True, ensure_2d=False,
                            ensure_min_samples=0, ensure_min_features=0, input_name=f"X[{number}]")
        refuse_dtype(f"X[{number}]", array)
        shape = sample_shape(array.shape, rank, None)
        images.append(Images(array[np.newaxis], shape))
    channels = {image.shape[-1] for image in images}
    if len(channels) > 1:
        raise ValueError(f"the images of X must have the same channels; got {sorted(channels)}")
    return images


def sample_shape(shape, rank, image_shape):
    """Return the shape (*size, channels) of samples that come in `shape`."""
    if 0 in shape:
        raise ValueError(f"X must not have an empty axis; its samples have shape {tuple(shape)}")
    expected = f"(n_images, {AXES[rank - 1]}) or (n_images, {AXES[rank - 1]}, channels)"
    if image_shape is not None:
        wanted = full_shape(image_shape, rank)
        fits = shape in (wanted, wanted[:-1]) if len(shape) > 1 else prod(shape) == prod(wanted)
        if not fits or (shape == wanted[:-1] and wanted[-1] != 1):
            raise ValueError(
                f"X must hold images of shape {wanted}, as image_shape says, or be flat with "
                f"{prod(wanted)} features; its samples have shape {shape}"
            )
        return wanted
    if len(shape) == rank:
        return (*shape, 1)
    if len(shape) == rank + 1:
        return tuple(shape)
    hint = ""
    if len(shape) == 1:
        hint = f"; for flat X say image_shape=({AXES[rank - 1]}) or ({AXES[rank - 1]}, channels)"
    raise ValueError(
        f"X must have shape {expected} for kernels of rank {rank}; its samples have shape "
        f"{tuple(shape)}{hint}"
    )


def full_shape(image_shape, rank):
    """Return `image_shape` with its channels; they are 1 where it has none."""
    entries = as_entries(image_shape)
    if entries is None:
        raise TypeError(
            f"image_shape must be a tuple ({AXES[rank - 1]}) or ({AXES[rank - 1]}, channels), or "
            f"None; got {image_shape!r}"
        )
    full = (*entries, 1) if len(entries) == rank else entries
    return axis_ints("image_shape", full, rank + 1, 1)
