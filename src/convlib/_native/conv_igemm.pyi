import numpy as np

def conv(
    images: np.ndarray,
    panels: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    taps: np.ndarray,
    padding_mode: int,
    activation: int,
    group_size: int,
    pitch: int,
    n_parts: int,
    offsets: np.ndarray,
    bands: np.ndarray,
    addresses: np.ndarray,
    spare: np.ndarray,
) -> None: ...
