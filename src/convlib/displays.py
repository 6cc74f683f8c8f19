"""Pictures of what is given or fitted, in the manner of scikit-learn's displays.

They need matplotlib, which comes with the extra `plot` and is loaded when something is drawn.
"""

from convlib._displays.curves import LossCurveDisplay
from convlib._displays.fields import ReceptiveFieldDisplay
from convlib._displays.kernels import KernelDisplay
from convlib._displays.maps import DeconvDisplay, FeatureMapDisplay

__all__ = [
    "DeconvDisplay",
    "FeatureMapDisplay",
    "KernelDisplay",
    "LossCurveDisplay",
    "ReceptiveFieldDisplay",
]
