import numpy as np

def max_pool(
    grads: np.ndarray, indices: np.ndarray, out: np.ndarray, n_parts: int, n_threads: int
) -> None: ...
def unpool(
    grads: np.ndarray,
    indices: np.ndarray,
    out: np.ndarray,
    width: int,
    taken: np.ndarray,
) -> None: ...
def windows(
    grads: np.ndarray,
    out: np.ndarray,
    axes: np.ndarray,
    divides: bool,
    lines: np.ndarray,
) -> None: ...
def norm_slopes(grads: np.ndarray, norms: np.ndarray, p: float, n_threads: int) -> None: ...
def norm_values(images: np.ndarray, out: np.ndarray, p: float, n_threads: int) -> None: ...
def centered(
    images: np.ndarray,
    centers: np.ndarray,
    slopes: np.ndarray,
    out: np.ndarray,
    n_threads: int,
) -> None: ...
