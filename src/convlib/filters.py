"""Classic filters on one image of any rank: borders as in `numpy.pad`, dtypes that stay.

All take `axes` and `channel_axis` for stacks and channels, `padding_mode` for the border,
`dtype` and `out` for the result, and `n_threads`.
"""

from convlib._filters.linear import convolve, correlate
from convlib._filters.rank import maximum, median, minimum, percentile
from convlib._filters.smoothing import gaussian, mean

__all__ = [
    "convolve", "correlate", "gaussian", "maximum", "mean", "median", "minimum", "percentile",
]
