import numpy as np

def apply(
    images: np.ndarray,
    out: np.ndarray,
    columns: np.ndarray,
    along: np.ndarray,
    channels: int,
    above: int,
    left: int,
    is_mean: bool,
    half: int,
    multiplier: int,
    shift: int,
    padding_mode: int,
    constant: int,
    rows: int,
    strip: int,
    step: int,
    sizes: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
