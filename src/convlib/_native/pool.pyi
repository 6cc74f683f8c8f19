import numpy as np

def table(values: np.ndarray) -> memoryview: ...

def pool(
    images: np.ndarray,
    out: np.ndarray,
    axes: np.ndarray,
    kind: int,
    exponent: float,
    across: int,
    row_fold: np.ndarray,
    column_fold: np.ndarray,
    in_place: bool,
    n_rows: int,
    n_taps: int,
    line: int,
    band: int,
    scratch: np.ndarray,
) -> None: ...
