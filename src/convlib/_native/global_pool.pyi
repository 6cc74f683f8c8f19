import numpy as np

def add(
    images: np.ndarray,
    state: np.ndarray,
    statistic: int,
    phases: int,
    segment_rows: int,
    seen: int,
    is_dense: bool,
    n_parts: int,
    gathered: np.ndarray,
    saved: np.ndarray,
) -> None: ...

def finish(
    state: np.ndarray,
    statistic: int,
    phases: int,
    segment_rows: int,
    seen: int,
    out: np.ndarray,
    n_threads: int,
) -> None: ...
