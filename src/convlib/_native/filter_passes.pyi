import numpy as np

def apply(
    images: np.ndarray,
    images_u8: np.ndarray,
    columns: np.ndarray,
    along: np.ndarray,
    out: np.ndarray,
    channels: int,
    n_terms: int,
    n_rows: int,
    above: int,
    left: int,
    term_offsets: np.ndarray,
    tap_offsets: np.ndarray,
    padding_mode: int,
    constant: float,
    rows: int,
    strip: int,
    line: int,
    stream: bool,
    sizes: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
