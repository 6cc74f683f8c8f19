"""The banks that estimators know by name."""

from convlib import _validation as check
from convlib._banks import classic, steering, texture, waves
from convlib._banks._arrays import axes

__all__ = ["bank_names", "named_bank"]

# Banks of any rank take `ndim`, ...
OF_ANY_RANK = {
    "mean": classic.mean_kernel,
    "gaussian": classic.gaussian_kernel,
    "sharpen": classic.sharpen_kernel,
    "unsharp_mask": classic.unsharp_mask_kernel,
    "prewitt": classic.prewitt_kernels,
    "sobel": classic.sobel_kernels,
    "scharr": classic.scharr_kernels,
    "farid": classic.farid_kernels,
    "laplace": classic.laplace_kernel,
    "laplace_of_gaussian": classic.laplace_of_gaussian_kernel,
    "difference_of_gaussians": classic.difference_of_gaussians_kernel,
    "dct": waves.dct,
    "laws": texture.laws,
}
# ... the others are for images.
OF_IMAGES = {
    "roberts": classic.roberts_kernels,
    "kirsch": classic.kirsch_kernels,
    "robinson": classic.robinson_kernels,
    "gabor": waves.gabor_bank,
    "leung_malik": texture.leung_malik,
    "schmid": texture.schmid,
    "maximum_response": texture.maximum_response,
    "steerable": steering.steerable,
}
RANKS = {1: "signals", 2: "images", 3: "volumes"}


def bank_names(ndim=2):
    """Return the names of the banks for signals, images or volumes.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.

    Returns
    -------
    names : tuple of str
        What `named_bank` and `convlib.ConvFeatures` know.

    Raises
    ------
    ValueError
        If `ndim` is not 1, 2 or 3.
    TypeError
        If `ndim` is no int.

    See Also
    --------
    named_bank : The kernels.

    Examples
    --------
    >>> from convlib import banks
    >>> "sobel" in banks.bank_names(3), "gabor" in banks.bank_names(3)
    (True, False)
    """
    names = OF_ANY_RANK if axes(ndim) != 2 else OF_ANY_RANK | OF_IMAGES
    return tuple(sorted(names))


def named_bank(name, ndim=2, *, dtype="float32"):
    """Return the kernels of a bank by its name, made with its defaults.

    Parameters
    ----------
    name : str
        One of `bank_names`, such as 'sobel'.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (*size, 1, n_kernels)
        As `convlib.conv` takes them, for one channel.

    Raises
    ------
    ValueError
        If there is no such bank, or none of `ndim` axes.
    TypeError
        If `ndim` is no int.

    See Also
    --------
    bank_names : The names.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.named_bank("sobel", 3).shape
    (3, 3, 3, 1, 3)
    """
    ndim = axes(ndim)
    if ndim != 2 and isinstance(name, str) and name in OF_IMAGES:
        raise ValueError(f"{name!r} is a bank of images; for {RANKS[ndim]} there are "
                         + ", ".join(map(repr, bank_names(ndim))))
    name = check.choice("name", name, bank_names(ndim))
    if name in OF_IMAGES:
        return OF_IMAGES[name](dtype=dtype)
    return OF_ANY_RANK[name](ndim=ndim, dtype=dtype)
