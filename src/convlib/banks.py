"""Classic filters and filter banks as kernel arrays (*size, 1, n_kernels), for one channel.

`convlib.conv` takes them for images of one channel, `convlib.ConvFeatures` for any number:
by name or as arrays.
"""

from convlib._banks.classic import (
    difference_of_gaussians_kernel,
    farid_kernels,
    gaussian_kernel,
    kirsch_kernels,
    laplace_kernel,
    laplace_of_gaussian_kernel,
    mean_kernel,
    prewitt_kernels,
    roberts_kernels,
    robinson_kernels,
    scharr_kernels,
    sharpen_kernel,
    sobel_kernels,
    unsharp_mask_kernel,
)
from convlib._banks.steering import steerable, steering_weights
from convlib._banks.table import bank_names, named_bank
from convlib._banks.texture import (
    laws,
    leung_malik,
    maximum_response,
    mr8_responses,
    schmid,
)
from convlib._banks.waves import dct, gabor_bank, gabor_kernels

__all__ = [
    "bank_names",
    "dct",
    "difference_of_gaussians_kernel",
    "farid_kernels",
    "gabor_bank",
    "gabor_kernels",
    "gaussian_kernel",
    "kirsch_kernels",
    "laplace_kernel",
    "laplace_of_gaussian_kernel",
    "laws",
    "leung_malik",
    "maximum_response",
    "mean_kernel",
    "mr8_responses",
    "named_bank",
    "prewitt_kernels",
    "roberts_kernels",
    "robinson_kernels",
    "scharr_kernels",
    "schmid",
    "sharpen_kernel",
    "sobel_kernels",
    "steerable",
    "steering_weights",
    "unsharp_mask_kernel",
]
