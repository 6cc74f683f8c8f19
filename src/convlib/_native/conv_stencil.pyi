import numpy as np

def pack(
    kernel: np.ndarray, bias: np.ndarray, group: int, weights: np.ndarray, n_channels: int
) -> None: ...
def conv(
    images: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    taps: np.ndarray,
    across: np.ndarray,
    begins: np.ndarray,
    list_step: int,
    padding_mode: int,
    activation: int,
    group: int,
    repeats: int,
    width: int,
    part: int,
    in_place: bool,
    zero: np.ndarray,
    addresses: np.ndarray,
    rows: np.ndarray,
    bands: np.ndarray,
    lines: np.ndarray,
    spare: np.ndarray,
) -> None: ...
