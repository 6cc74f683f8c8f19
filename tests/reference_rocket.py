"""ROCKET and its kin as plain loops in float64. Slow, obvious, and sharing no code with convlib.

A series is an array (length, channels). Kernels are arrays (taps, channels).
"""

from itertools import combinations

import numpy as np


def lengthened(series, length):
    """Append zeros to a series that is shorter than `length`."""
    missing = max(0, length - len(series))
    return np.concatenate([series, np.zeros((missing, series.shape[1]))])


def normalized(series):
    """Return each channel with mean 0 and standard deviation 1, or zero where it is constant."""
    out = np.zeros(series.shape)
    for c in range(series.shape[1]):
        if np.ptp(series[:, c]) > 0:
            out[:, c] = (series[:, c] - series[:, c].mean()) / series[:, c].std()
    return out


def convolution(series, kernel, dilation, padding):
    """Return the inner products of a kernel with all windows of a series, and those of sizes.

    The sizes are the absolute values of series and kernel: rounding is a small share of them.
    """
    zeros = np.zeros((padding, series.shape[1]))
    padded = np.concatenate([zeros, series, zeros])
    n = len(padded) - (len(kernel) - 1) * dilation
    values, sizes = np.zeros(n), np.zeros(n)
    for tap, weights in enumerate(kernel):
        window = padded[tap * dilation:tap * dilation + n]
        values += window @ weights
        sizes += np.abs(window) @ np.abs(weights)
    return values, sizes


def ternary_kernels():
    """Return the 84 kernels of nine taps, three of which are 2 and the others -1."""
    kernels = []
    for places in combinations(range(9), 3):
        kernel = -np.ones(9)
        kernel[list(places)] = 2
        kernels.append(kernel)
    return kernels


def positive_statistics(values, threshold):
    """Return share, mean, mean index and longest stretch of the values above a threshold."""
    places = [i for i, value in enumerate(values) if value > threshold]
    longest = run = 0
    for value in values:
        run = run + 1 if value > threshold else 0
        longest = max(longest, run)
    if not places:
        return 0.0, 0.0, -1.0, 0.0
    above = [values[i] - threshold for i in places]
    return len(places) / len(values), np.mean(above), np.mean(places), float(longest)


def contest(maps):
    """Return what each row gains where it is the largest, and how often it is the least."""
    gains, counts = np.zeros(len(maps)), np.zeros(len(maps))
    for column in maps.T:
        gains[column.argmax()] += column.max()
        counts[column.argmin()] += 1
    return gains, counts
