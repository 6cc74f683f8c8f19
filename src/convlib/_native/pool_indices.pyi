import numpy as np

def max_pool(
    images: np.ndarray,
    out: np.ndarray,
    indices: np.ndarray,
    axes: np.ndarray,
    by_windows: bool,
    in_place: bool,
    columns: np.ndarray,
    lines: np.ndarray,
    addresses: np.ndarray,
    places: np.ndarray,
) -> None: ...
def max_unpool(
    pooled: np.ndarray, indices: np.ndarray, out: np.ndarray, n_parts: int, n_threads: int
) -> None: ...
