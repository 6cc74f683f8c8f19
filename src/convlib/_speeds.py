"""The static cost model: seconds per unit of work of each algorithm, and the prediction.

The amounts of work are what the `work` of a file in `_conv` returns. The numbers are data, fitted
on measurements of one thread; only their ratios matter for the choice.
"""

# Units: calls; products of whole vectors, in vectors; what is copied, moved or packed, in bytes;
# what is put in another order, in values.
SECONDS = {
    "pointwise": {"call": 5e-6, "product": 2e-10, "pack": 2.5e-10},
    "depthwise": {"call": 5e-6, "product": 2.8e-10, "move": 1e-11, "copy": 1e-10},
    "grouped": {"call": 5e-6, "product": 2.8e-10, "move": 6e-12, "copy": 1e-10},
    "planes": {"call": 5e-6, "product": 2.6e-10, "copy": 5e-11, "interleave": 1.4e-10},
    "lowrank": {"call": 5e-6, "column": 3e-10, "row": 5e-10, "copy": 8e-11, "interleave": 1.4e-10},
    "winograd": {"call": 1e-5, "product": 3e-10, "samples": 1e-9, "outputs": 1e-9,
                 "weights": 2e-11, "pack": 4e-10},
    "winograd2": {"call": 1e-5, "product": 3e-10, "samples": 1e-9, "outputs": 1e-9,
                  "weights": 2e-11, "pack": 4e-10},
    "fft": {"call": 1e-5, "transform": 1.1e-9, "product": 3e-10, "spectra": 1e-11,
            "transform of pixels": 1.9e-9, "product of pixels": 2.9e-10, "row": 1.5e-8,
            "spill": 1e-10, "pack": 2e-11},
    "igemm": {"call": 5e-6, "product": 2e-10, "copy": 1.9e-10, "pack": 2.5e-10},
    "direct": {"call": 5e-5, "product": 3.3e-9},
}


def predict(name, work):
    """Return the seconds that the algorithm called `name` takes for some amounts of work."""
    seconds = SECONDS[name]
    return sum(seconds[unit] * amount for unit, amount in work.items())
