import numpy as np

def transform(
    values: np.ndarray,
    starts: np.ndarray,
    form: np.ndarray,
    dilations: np.ndarray,
    channels: np.ndarray,
    channel_starts: np.ndarray,
    thresholds: np.ndarray,
    ones: np.ndarray,
    out: np.ndarray,
    scratch: np.ndarray,
) -> None: ...
