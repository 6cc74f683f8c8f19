import numpy as np

def room(height: int, length: int, lanes: int) -> int: ...
def spectra_values(
    height: int, length: int, groups: int, group_size: int, group_out: int, n_tiles: int, lanes: int
) -> tuple[int, int]: ...
def n_tiles(out: np.ndarray, tiling: np.ndarray) -> int: ...
def prepare(
    kernel: np.ndarray,
    spectra: np.ndarray,
    height: int,
    length: int,
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
    padding_mode: int,
    activation: int,
    down: np.ndarray,
    across: np.ndarray,
    n_block: int,
    chunk: int,
    spectra_in: np.ndarray,
    spectra_out: np.ndarray,
    rooms: np.ndarray,
) -> None: ...
