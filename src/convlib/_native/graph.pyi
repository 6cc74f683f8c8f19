import numpy as np

def gather(
    starts: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    scales: np.ndarray,
    loops: np.ndarray,
    factors: np.ndarray,
    rows: np.ndarray,
    added: np.ndarray,
    added_factor: float,
    out: np.ndarray,
    reduction: int,
    activation: int,
    runs: np.ndarray,
    ahead: int,
    streams: bool,
    n_threads: int,
) -> None: ...
def attend(
    starts: np.ndarray,
    columns: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    slope: float,
    has_loops: bool,
    rows: np.ndarray,
    out: np.ndarray,
    runs: np.ndarray,
    room: np.ndarray,
) -> None: ...
