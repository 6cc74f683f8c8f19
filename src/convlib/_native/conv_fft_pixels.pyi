import numpy as np

def room(height: int, length: int, group_size: int, group_out: int, lanes: int) -> int: ...
def prepare(
    kernel: np.ndarray,
    spectra: np.ndarray,
    height: int,
    length: int,
    is_line: bool,
    down: np.ndarray,
    across: np.ndarray,
    rooms: np.ndarray,
) -> None: ...
def conv(
    images: np.ndarray,
    spectra: np.ndarray,
    group_size: int,
    bias: np.ndarray,
    out: np.ndarray,
    tiling: np.ndarray,
    height: int,
    length: int,
    is_line: bool,
    padding_mode: int,
    activation: int,
    down: np.ndarray,
    across: np.ndarray,
    rooms: np.ndarray,
) -> None: ...
