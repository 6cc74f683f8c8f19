import numpy as np

def depthwise_pointwise(
    images: np.ndarray,
    weights: np.ndarray,
    panels: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    geometry: np.ndarray,
    numbers: memoryview,
    padding_mode: int,
    between: int,
    activation: int,
    in_place: bool,
    streams: bool,
    channels: int,
    pitch: int,
    n_parts: int,
    scratch: np.ndarray,
) -> None: ...
def passes(
    images: np.ndarray,
    weights: tuple[np.ndarray, ...],
    maps: tuple[np.ndarray, ...],
    out: np.ndarray,
    geometry: np.ndarray,
    numbers: np.ndarray,
    in_place: np.ndarray,
    padding_mode: int,
    activation: int,
    axis: int,
    slab: int,
    scratch: np.ndarray,
) -> None: ...
