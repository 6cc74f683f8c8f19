"""direct: the definition, summed in double precision. Slow, and accepts everything."""

from math import prod

from convlib._native import conv_direct
from convlib._speeds import predict
from convlib._terms import ACTIVATION_CODES, MODE_CODES
from convlib._threads import thread_count


def refuse(problem):
    """Accept everything."""
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return {"call": 1, "product": problem.n_macs}


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
    seconds = len(images) * predict("direct", work(problem, True))
    n_threads = thread_count(n_threads, seconds, prod(out.shape[:3]))
    conv_direct.conv(
        images, kernel, bias, out, problem.geometry(first), MODE_CODES[problem.padding_mode],
        problem.groups, ACTIVATION_CODES[problem.activation], n_threads,
    )
