"""Classic filters on one image of any rank: borders as in `numpy.pad`, dtypes that stay.

All take `axes` and `channel_axis` for stacks and channels, `padding_mode` for the border,
`dtype` and `out` for the result, and `n_threads`.
"""

from convlib._filters.first_order import (
    farid,
    gradient_direction,
    gradient_magnitude,
    kirsch,
    prewitt,
    roberts,
    robinson,
    scharr,
    sobel,
)
from convlib._filters.gabor import gabor
from convlib._filters.linear import convolve, correlate
from convlib._filters.rank import maximum, median, minimum, percentile
from convlib._filters.second_order import (
    difference_of_gaussians,
    hessian,
    hessian_eigenvalues,
    laplace,
    laplace_of_gaussian,
    structure_tensor,
)
from convlib._filters.sharpening import sharpen, unsharp_mask
from convlib._filters.smoothing import gaussian, mean

__all__ = [
    "convolve",
    "correlate",
    "difference_of_gaussians",
    "farid",
    "gabor",
    "gaussian",
    "gradient_direction",
    "gradient_magnitude",
    "hessian",
    "hessian_eigenvalues",
    "kirsch",
    "laplace",
    "laplace_of_gaussian",
    "maximum",
    "mean",
    "median",
    "minimum",
    "percentile",
    "prewitt",
    "roberts",
    "robinson",
    "scharr",
    "sharpen",
    "sobel",
    "structure_tensor",
    "unsharp_mask",
]
