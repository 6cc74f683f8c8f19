import numpy as np

def add(
    images: np.ndarray,
    state: np.ndarray,
    statistic: int,
    phases: int,
    seen: int,
    is_dense: bool,
    n_parts: int,
    gathered: np.ndarray,
    saved: np.ndarray,
) -> None: ...
