import numpy as np

def gather(
    grads: np.ndarray,
    out: np.ndarray,
    z_starts: np.ndarray,
    z_seen: np.ndarray,
    z_weights: np.ndarray,
    y_starts: np.ndarray,
    y_seen: np.ndarray,
    y_weights: np.ndarray,
    x_starts: np.ndarray,
    x_seen: np.ndarray,
    x_weights: np.ndarray,
    numbers: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
