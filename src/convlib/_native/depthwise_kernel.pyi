import numpy as np

def kernel_gradient(
    images: np.ndarray,
    grads: np.ndarray,
    geometry: np.ndarray,
    taps: np.ndarray,
    padding_mode: int,
    sums: np.ndarray,
    n_threads: int,
) -> None: ...
