import numpy as np

def extreme_places(
    starts: np.ndarray,
    columns: np.ndarray,
    loops: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray,
    reduction: int,
    runs: np.ndarray,
    room: np.ndarray,
) -> None: ...
def collect_extremes(
    starts: np.ndarray,
    columns: np.ndarray,
    loops: np.ndarray,
    places: np.ndarray,
    grads: np.ndarray,
    out: np.ndarray,
    runs: np.ndarray,
    n_threads: int,
) -> None: ...
def attend_slopes(
    starts: np.ndarray,
    columns: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    slope: float,
    has_loops: bool,
    rows: np.ndarray,
    largest: np.ndarray,
    inverses: np.ndarray,
    shares: np.ndarray,
    out: np.ndarray,
    runs: np.ndarray,
    room: np.ndarray,
) -> None: ...
def attend_back(
    starts: np.ndarray,
    columns: np.ndarray,
    sources: np.ndarray,
    targets: np.ndarray,
    largest: np.ndarray,
    inverses: np.ndarray,
    dots: np.ndarray,
    shares: np.ndarray,
    slope: float,
    has_loops: bool,
    grads: np.ndarray,
    out: np.ndarray,
    sloped: np.ndarray,
    runs: np.ndarray,
    room: np.ndarray,
) -> None: ...
