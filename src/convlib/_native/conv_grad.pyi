import numpy as np

def kernel(
    images: np.ndarray,
    grads: np.ndarray,
    sums: np.ndarray,
    geometry: np.ndarray,
    axes: np.ndarray,
    padding_mode: int,
    groups: int,
    n_images: int,
    in_block: int,
    out_block: int,
    panel: int,
    pitch: int,
    band_size: int,
    plain: int,
    pixels: int,
    lanewise: bool,
    packs: bool,
    scratch: np.ndarray,
) -> None: ...
def add_parts(sums: np.ndarray, out: np.ndarray, groups: int, n_threads: int) -> None: ...
