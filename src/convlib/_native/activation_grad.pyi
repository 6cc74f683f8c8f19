import numpy as np

def gradients(
    grads: np.ndarray,
    values: np.ndarray,
    out: np.ndarray,
    activation: int,
    from_inputs: bool,
    block: int,
    n_threads: int,
) -> None: ...
