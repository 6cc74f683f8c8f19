"""direct: the definition, summed in double precision. Slow, and accepts everything."""

from convlib._native import conv_direct
from convlib._terms import ACTIVATION_CODES, MODE_CODES
from convlib._threads import thread_count

MACS_PER_SECOND = 0.3e9
CALL_SECONDS = 50e-6    # more than packing a tiny kernel: batches of tiny images are slow here


def refuse(problem):
    """Accept everything."""
    return ""


def cost(problem, packed):
    """Return the predicted seconds for one image."""
    return CALL_SECONDS + problem.n_macs / MACS_PER_SECOND


def grid(problem):
    """Every output is computed alone."""
    return (1,) * problem.rank


def prepare(problem, kernel, bias, n_threads):
    """Keep the kernel as it is."""
    return kernel.reshape(*problem.kernel_size, problem.group_size, problem.out_channels), bias


def layout(problem):
    """Nothing is to be laid out."""


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    kernel, bias = prepared
    n_threads = thread_count(n_threads, len(images) * cost(problem, True))
    conv_direct.conv(
        images, kernel, bias, out, problem.geometry(first), MODE_CODES[problem.padding_mode],
        problem.groups, ACTIVATION_CODES[problem.activation], n_threads,
    )
