import numpy as np

def conv(
    images: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    plane_offsets: np.ndarray,
    column_offsets: np.ndarray,
    n_rows: int,
    row_step: int,
    phase: int,
    padding_mode: int,
    activation: int,
    stream: bool,
    n_values: int,
    line: int,
    scratch: np.ndarray,
) -> None: ...
def table(values: np.ndarray) -> object: ...
def row(values: np.ndarray) -> object: ...
