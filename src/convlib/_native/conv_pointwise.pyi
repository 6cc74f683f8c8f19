import numpy as np

def conv(
    images: np.ndarray,
    panels: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    activation: int,
    streams: bool,
    group_size: int,
    block: int,
    n_parts: int,
    scratch: np.ndarray,
) -> None: ...
