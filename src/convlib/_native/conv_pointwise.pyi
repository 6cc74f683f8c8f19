import numpy as np

def conv(
    images: np.ndarray,
    panels: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    activation: int,
    block: int,
    n_parts: int,
    offsets: np.ndarray,
    addresses: np.ndarray,
    spare: np.ndarray,
) -> None: ...
