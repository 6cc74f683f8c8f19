import numpy as np

def im2col(
    images: np.ndarray,
    columns: np.ndarray,
    geometry: np.ndarray,
    padding_mode: int,
    block: int,
    n_threads: int,
) -> None: ...
def col2im(
    columns: np.ndarray,
    images: np.ndarray,
    geometry: np.ndarray,
    padding_mode: int,
    block: int,
    n_threads: int,
) -> None: ...
