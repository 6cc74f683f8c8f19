import numpy as np

def apply(
    images: np.ndarray,
    images_u8: np.ndarray,
    bank: np.ndarray,
    out: np.ndarray,
    channels: int,
    n_kernels: int,
    n_rows: int,
    above: int,
    left: int,
    tap_offsets: np.ndarray,
    combination: int,
    factor: float,
    padding_mode: int,
    constant: float,
    rows: int,
    strip: int,
    line: int,
    stream: bool,
    sizes: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
