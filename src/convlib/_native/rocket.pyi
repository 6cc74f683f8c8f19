import numpy as np

def transform(
    values: np.ndarray,
    starts: np.ndarray,
    form: np.ndarray,
    groups: np.ndarray,
    taps: np.ndarray,
    numbers: np.ndarray,
    panels: np.ndarray,
    out: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
