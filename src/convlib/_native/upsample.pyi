import numpy as np

def enlarge(
    images: np.ndarray,
    out: np.ndarray,
    numbers: np.ndarray,
    streams: bool,
    scratch: np.ndarray,
) -> None: ...
