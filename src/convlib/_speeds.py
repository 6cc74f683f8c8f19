"""The static cost model: seconds per unit of work of each algorithm, and the prediction.

The amounts of work are what the `work` of a file in `_conv` returns. The numbers are data, fitted
on measurements of one thread; only their ratios matter for the choice. They are told apart by
instruction set, since wider vectors make products cheaper beside copies; so the choice may depend
on it, as the bits of a result do anyway.
"""

from convlib._native import cpu

# Units: calls; products of whole vectors, in vectors; what is copied, moved or packed, in bytes;
# what is put in another order, in values.
SECONDS = {
    "x86_v3": {
        "pointwise": {"call": 1.8e-5, "product": 4.5e-10, "pack": 9.3e-11, "weights": 9.5e-10,
                      "far weights": 0.0},
        "depthwise": {"call": 1.7e-5, "product": 8.6e-10, "move": 3.8e-11, "copy": 2.5e-10},
        "grouped": {"call": 1.2e-5, "product": 6.4e-10, "move": 3.7e-11, "copy": 8.7e-10},
        "planes": {"call": 2e-5, "product": 5e-10, "copy": 1.9e-10, "interleave": 9.7e-10},
        "lowrank": {"call": 0.0, "column": 0.0, "row": 1.5e-9, "copy": 3.3e-10,
                    "interleave": 1.4e-10},
        "winograd": {"call": 7e-5, "product": 4.1e-10, "samples": 9.1e-9, "outputs": 7.3e-9,
                     "weights": 1.2e-10, "far weights": 0.0, "pack": 7.7e-11, "far pack": 1.9e-10},
        "winograd2": {"call": 7e-5, "product": 3.4e-10, "samples": 9.6e-9, "outputs": 6.7e-9,
                      "weights": 8.3e-11, "far weights": 1.5e-10, "pack": 1.2e-10,
                      "far pack": 3.1e-10},
        "fft": {"call": 4.1e-5, "transform": 2.4e-9, "product": 5.1e-10, "spectra": 5.9e-11,
                "transform of pixels": 4.1e-9, "product of pixels": 1.2e-9, "row": 1.1e-7,
                "spill": 0.0, "pack": 0.0},
        "igemm": {"call": 2e-5, "product": 4e-10, "copy": 7.5e-10, "pack": 9.5e-11,
                  "weights": 6.7e-10, "far weights": 1.5e-9},
        "direct": {"call": 9.1e-5, "product": 3.2e-9},
    },
    "x86_v4": {
        "pointwise": {"call": 5.9e-6, "product": 3.1e-10, "pack": 4.1e-11, "weights": 0.0,
                      "far weights": 0.0},
        "depthwise": {"call": 4.9e-6, "product": 5.8e-10, "move": 1.1e-11, "copy": 8.7e-11},
        "grouped": {"call": 6.2e-7, "product": 4.1e-10, "move": 1e-11, "copy": 3.6e-10},
        "planes": {"call": 5.5e-6, "product": 3.3e-10, "copy": 7.9e-11, "interleave": 4.8e-10},
        "lowrank": {"call": 0.0, "column": 0.0, "row": 1.1e-9, "copy": 7.3e-11,
                    "interleave": 1.4e-10},
        "winograd": {"call": 1.9e-5, "product": 3.1e-10, "samples": 6.9e-9, "outputs": 1.8e-9,
                     "weights": 0.0, "far weights": 5.7e-11, "pack": 3.6e-11, "far pack": 0.0},
        "winograd2": {"call": 1.8e-5, "product": 2.7e-10, "samples": 6e-9, "outputs": 2.4e-9,
                      "weights": 0.0, "far weights": 1.4e-10, "pack": 5.3e-11, "far pack": 0.0},
        "fft": {"call": 9.7e-6, "transform": 1.1e-9, "product": 4e-10, "spectra": 1.2e-11,
                "transform of pixels": 2e-9, "product of pixels": 7.1e-10, "row": 4.9e-8,
                "spill": 1.6e-10, "pack": 2.5e-11},
        "igemm": {"call": 6.2e-6, "product": 2.9e-10, "copy": 2.4e-10, "pack": 4.3e-11,
                  "weights": 0.0, "far weights": 0.0},
        "direct": {"call": 4.2e-5, "product": 1.6e-9},
    },
}

STAND_IN = "x86_v3"    # whose prices those without any of their own take


def predict(name, work):
    """Return the seconds that the algorithm called `name` takes for some amounts of work."""
    seconds = prices(cpu.tier())[name]
    return sum(seconds[unit] * amount for unit, amount in work.items())


def prices(tier):
    """Return the prices of each algorithm on an instruction set."""
    return SECONDS.get(tier, SECONDS[STAND_IN])
