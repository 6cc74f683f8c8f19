import numpy as np

def conv(
    images: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    padding_mode: int,
    groups: int,
    activation: int,
    n_threads: int,
) -> None: ...
