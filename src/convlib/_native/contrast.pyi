import numpy as np

def normalize(
    maps: np.ndarray,
    sums: np.ndarray,
    count: float,
    epsilon: float,
    bias: np.ndarray,
    activation: int,
    n_threads: int,
) -> None: ...
