import numpy as np

def table(values: np.ndarray) -> memoryview: ...
def pack(
    kernel: np.ndarray, bias: np.ndarray, group: int, n_channels: int, weights: np.ndarray
) -> None: ...
def conv(
    images: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    numbers: memoryview,
    padding_mode: int,
    activation: int,
    in_place: bool,
    streams: bool,
    scratch: np.ndarray,
) -> None: ...
