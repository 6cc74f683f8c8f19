import numpy as np

def enlarge(
    images: np.ndarray,
    out: np.ndarray,
    numbers: np.ndarray,
    streams: bool,
    scratch: np.ndarray,
) -> None: ...
def resample(
    images: np.ndarray,
    out: np.ndarray,
    z_starts: np.ndarray,
    z_indices: np.ndarray,
    z_weights: np.ndarray,
    y_starts: np.ndarray,
    y_indices: np.ndarray,
    y_weights: np.ndarray,
    x_starts: np.ndarray,
    x_indices: np.ndarray,
    x_weights: np.ndarray,
    channels: int,
    n_rows: int,
    lines: np.ndarray,
) -> None: ...
