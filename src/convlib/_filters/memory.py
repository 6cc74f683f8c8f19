"""How much memory filters take on the way to their results."""

import numpy as np

# Values for each value of an image that a call may need beside its result; of most filters 4.
WORK = {"structure_tensor": 8, "hessian_eigenvalues": 14}
WIDE_VOLUMES = 56    # of the eigenvalues of volumes in float64


def work_values(name, n_parts, rank, dtype):
    """Return the values for each value of an image, where so many results are made of it."""
    if name == "hessian_eigenvalues" and rank == 3 and dtype == np.float64:
        return WIDE_VOLUMES
    return WORK.get(name, 4) + 3 * (n_parts - 1)
