import numpy as np

def conv(
    images: np.ndarray,
    points: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    padding_mode: int,
    activation: int,
    group_size: int,
    pitch: int,
    block: int,
    n_parts: int,
    offsets: np.ndarray,
    scratch: np.ndarray,
    addresses: np.ndarray,
) -> None: ...
def transform_kernel(
    kernel: np.ndarray, lines: np.ndarray, points: np.ndarray, n_points: int, n_threads: int
) -> None: ...
