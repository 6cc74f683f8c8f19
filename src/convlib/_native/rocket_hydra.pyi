import numpy as np

def transform(
    values: np.ndarray,
    starts: np.ndarray,
    form: np.ndarray,
    dilations: np.ndarray,
    channels: np.ndarray,
    panels: np.ndarray,
    ones: np.ndarray,
    n_kernels: int,
    n_plain: int,
    out: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
