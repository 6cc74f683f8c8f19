import numpy as np

def pool(
    images: np.ndarray,
    out: np.ndarray,
    axes: np.ndarray,
    kind: int,
    exponent: float,
    across: int,
    fold_rows: bool,
    in_place: bool,
    counts_z: np.ndarray,
    counts_y: np.ndarray,
    counts_x: np.ndarray,
    ends_x: np.ndarray,
    neutral: np.ndarray,
    addresses: np.ndarray,
    lines: np.ndarray,
    bands: np.ndarray,
) -> None: ...
