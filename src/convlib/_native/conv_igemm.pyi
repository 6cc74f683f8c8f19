import numpy as np

def table(values: np.ndarray) -> memoryview: ...

def conv(
    images: np.ndarray,
    panels: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    padding_mode: int,
    activation: int,
    streams: bool,
    group_size: int,
    pitch: int,
    block: int,
    band_size: int,
    n_parts: int,
    scratch: np.ndarray,
) -> None: ...
