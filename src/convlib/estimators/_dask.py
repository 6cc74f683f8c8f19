"""Estimators on dask arrays: what `takes_dask` marks of their methods comes here."""

from copy import copy
from functools import partial

import dask.array as da
import numpy as np
from sklearn import get_config
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._dask import (
    by_parts,
    by_samples,
    cut_axes,
    inner_part,
    refuse_unknown,
    whole_images,
)


def samples(method, estimator, X, **kwargs):
    """Return what a method makes of samples that do not know of each other."""
    _checked(method, estimator, X)
    if X.ndim > 2:
        whole_images("X", X)
    zeros = np.zeros((1, *X.shape[1:]), X.dtype)
    return _rows(method, estimator, kwargs, X, getattr(estimator, method.__name__)(zeros, **kwargs))


def nodes(method, estimator, X, **kwargs):
    """Return what a method makes of nodes of a graph, of signals, or of rows with neighbours.

    The features of all nodes of a graph are one piece.
    """
    graph = kwargs.get("adjacency") if estimator.graph is None else estimator.graph
    if isinstance(graph, str) or X.ndim == 3:
        return samples(method, estimator, X, **kwargs)
    _checked(method, estimator, X)
    is_numbers = X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "iu"
    if not is_numbers:
        X = X.rechunk({0: -1})
    dtype = graph.features.dtype if is_numbers else check.result_dtype(X.dtype)
    return _rows(method, estimator, kwargs, X, _row_of_node(method, estimator, dtype))


def pixels(method, estimator, X):
    """Return what a method makes of each pixel of an image, cut into parts that see its halo."""
    _checked(method, estimator, X)
    refuse_unknown("X", X)
    features = getattr(estimator, "features_", estimator)
    axis = features.channel_axis
    X = X[..., np.newaxis] if axis is None else da.moveaxis(X, axis, -1)
    if method.__name__ == "transform":    # rows in the order of pixels: whole lines
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    windows = estimator._tiled_call().windows()
    cuts, _ = cut_axes({k: (window, own, sum(own), window.halo, 1)
                        for k, (window, own) in enumerate(zip(windows, X.chunks))})
    run = partial(_of_pixels, copy(estimator), method.__name__, axis)
    one = run(np.zeros((1,) * (X.ndim - 1) + X.shape[-1:], X.dtype))
    chunks = [*(cuts[k].outputs if k in cuts else (size,) for k, size in enumerate(X.shape[:-1])),
              one.shape[-1:]]
    maps = by_parts(partial(inner_part, run), [X], cuts, [], chunks, one,
                    features.padding_mode == "wrap", type(estimator).__name__)
    if method.__name__ == "transform":
        return maps.reshape(-1, maps.shape[-1])
    return maps[..., 0] if method.__name__ == "predict" else maps


def _checked(method, estimator, X):
    """Refuse estimators that are not fitted, or put features into data frames, and odd arrays."""
    check_is_fitted(estimator)
    refuse_unknown("X", X, first=1)
    wanted = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    wanted = get_config()["transform_output"] if wanted is None else wanted
    if method.__name__ == "transform" and wanted != "default":
        raise ValueError(f"set_output must be 'default' where X is a dask array; got {wanted!r}")


def _row_of_node(method, estimator, dtype):
    """Return a result for no nodes."""
    name = method.__name__
    if name == "transform":
        return np.empty((0, estimator._n_outputs), dtype)
    classes = estimator.classes_
    if name == "predict":
        return classes[:0]
    is_flat = name == "decision_function" and len(classes) == 2
    return np.empty((0,) if is_flat else (0, len(classes)), dtype)


def _rows(method, estimator, kwargs, X, row):
    """Return what a method makes of each chunk of samples; `row` is a result for some."""
    # A copy: what is fitted later is none of this work.
    call = partial(_of_samples, copy(estimator), method.__name__, kwargs, row[:0])
    return by_samples(call, (X,), row, type(estimator).__name__)


def _of_samples(estimator, name, kwargs, nothing, X):
    """Run a method on a chunk, which may be left without samples."""
    return getattr(estimator, name)(X, **kwargs) if len(X) else nothing


def _of_pixels(estimator, name, channel_axis, image):
    """Run a method on an image, channels last; return its results, pixel by pixel."""
    image = image[..., 0] if channel_axis is None else np.moveaxis(image, -1, channel_axis)
    result = getattr(estimator, name)(image)
    size = np.delete(image.shape, [] if channel_axis is None else channel_axis)
    return result.reshape(*size, -1)
