import numpy as np

def conv(
    images: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    last: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    plane_offsets: np.ndarray,
    column_offsets: np.ndarray,
    term_offsets: np.ndarray,
    n_rows: int,
    row_step: int,
    phase: int,
    padding_mode: int,
    activation: int,
    stream: bool,
    sizes: np.ndarray,
    line: int,
    scratch: np.ndarray,
) -> None: ...
