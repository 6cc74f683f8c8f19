"""Pictures in the manner of scikit-learn's displays. Public as `convlib.displays`.

kernels    KernelDisplay
maps       FeatureMapDisplay, DeconvDisplay: what an image becomes, and what of it comes back
fields     ReceptiveFieldDisplay
curves     LossCurveDisplay
panels     Axes for several pictures, and images in them
"""
