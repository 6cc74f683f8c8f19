import numpy as np

def conv(
    images: np.ndarray,
    panels: np.ndarray,
    bias: np.ndarray,
    offsets: np.ndarray,
    mask: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    taps: np.ndarray,
    activation: int,
    streams: bool,
    block: int,
    run: int,
    step: int,
    pitch: int,
    scratch: np.ndarray,
) -> None: ...
