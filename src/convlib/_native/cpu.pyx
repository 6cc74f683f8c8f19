"""The instruction set in use and the number of OpenMP threads."""
from .omp cimport OPENMP_DATE, omp_max_threads


cdef extern from "microkernels.h":
    const microkernels* active_microkernels() noexcept nogil
    const char** built_tiers() noexcept nogil
    int select_tier(const char* name) noexcept nogil


cdef extern from *:
    const char* CONVLIB_COMPILER
    const char* CONVLIB_VERSION


cdef const microkernels* kernels() noexcept nogil:
    return active_microkernels()


def set_tier(name):
    """Run the kernels of the tier `name`, or of the best one when it is None."""
    cdef bytes encoded
    if name is None:
        select_tier(NULL)
        return
    encoded = name.encode()
    if select_tier(encoded) != 0:
        raise ValueError(
            f"CONVLIB_TIER must be one of {tiers()} that this machine can run, got {name!r}"
        )


def tier():
    """Return the name of the tier in use."""
    return active_microkernels().tier.decode()


def tiers():
    """Return the names of the tiers that were built, lowest first."""
    cdef const char** names = <const char**> built_tiers()
    cdef Py_ssize_t i = 0
    result = []
    while names[i] != NULL:
        result.append(names[i].decode())
        i += 1
    return result


def max_rows():
    """Return the most rows of a product tile."""
    return active_microkernels().max_rows


def planes_out():
    """Return the most output channels that planes are summed for together."""
    return active_microkernels().planes_out


def lanes(bint double):
    """Return the number of values in one vector."""
    return active_microkernels().lanes_f64 if double else active_microkernels().lanes_f32


def max_threads():
    """Return what OpenMP would use for the next parallel region of this thread."""
    return omp_max_threads()


def openmp():
    """Return the date of the OpenMP specification that was built in, 0 without OpenMP."""
    return OPENMP_DATE


def compiler():
    """Return name and version of the C compiler."""
    return CONVLIB_COMPILER.decode()


def version():
    """Return the version of convlib."""
    return CONVLIB_VERSION.decode()
