import numpy as np

def conv(
    images: np.ndarray, panels: np.ndarray, out: np.ndarray, axes: np.ndarray,
    phases: np.ndarray, taps: np.ndarray, activation: int, streams: bool, in_place: bool,
    group_size: int, pitch: int, block: int, band_size: int, n_parts: int, scratch: np.ndarray,
) -> None: ...
def pack(
    kernel: np.ndarray, bias: np.ndarray, phases: np.ndarray, order: np.ndarray,
    panels: np.ndarray, n_threads: int,
) -> None: ...
def swap(
    kernel: np.ndarray, order: np.ndarray, swapped: np.ndarray, n_threads: int,
) -> None: ...
