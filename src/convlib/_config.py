"""What runs here: `show_config`."""

from convlib._native import cpu
from convlib._threads import thread_count

__all__ = ["show_config"]


def show_config():
    """Print version, compiler, instruction sets, OpenMP and threads.

    Returns
    -------
    None
        The text goes to the standard output.

    See Also
    --------
    explain_conv : Which algorithm a convolution runs.

    Examples
    --------
    >>> import convlib as cl
    >>> cl.show_config()  # doctest: +ELLIPSIS
    convlib ...
    """
    openmp = cpu.openmp()
    print(f"convlib {cpu.version()}")
    print(f"compiler: {cpu.compiler()}")
    print(f"tier: {cpu.tier()} (built: {', '.join(cpu.tiers())}; CONVLIB_TIER lowers it)")
    print(f"OpenMP: {openmp if openmp else 'not built in'}")
    print(f"threads: {thread_count(None, float('inf'))}")
