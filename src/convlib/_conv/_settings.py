"""What the compiled kernels call the settings, and the numbers the cost models share."""

import numpy as np

from convlib._native import cpu
from convlib._validation import ACTIVATIONS, PADDING_MODES

# As in _native/border.pxd and _native/c/microkernels.h.
MODE_CODES = {mode: code for code, mode in enumerate(PADDING_MODES)}
ACTIVATION_CODES = {None: 0} | {name: code for code, name in enumerate(ACTIVATIONS, 1)}

# Predicted speeds of one thread. Only their ratios matter, and only between algorithms.
FLOAT32_MACS = 80e9      # products, multiply-adds a second
COPIED_BYTES = 8e9       # bands and panels, bytes a second
CALL_SECONDS = 5e-6      # of any call


def macs_per_second(problem):
    """Return the predicted speed of the product of one thread."""
    return FLOAT32_MACS if problem.dtype == "float32" else FLOAT32_MACS / 2


def lanes(dtype):
    """Return the values of a vector in the tier in use."""
    return cpu.lanes(dtype == "float64")


def padded_macs(problem):
    """Return the multiply-adds of an image where each group fills whole vectors."""
    width = lanes(problem.dtype)
    padded = -(-problem.group_out // width) * width * problem.groups
    return problem.n_macs // problem.out_channels * padded


def spare_tiles(n_threads, dtype):
    """Return room for one product tile per thread."""
    return np.empty((n_threads, cpu.max_rows() * 2 * lanes(dtype)), dtype)
