"""The outputs of a layer of a fitted network, as a step of a Pipeline."""

from math import prod

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in

from convlib._lazy import takes_dask
from convlib._terms import numbered
from convlib.estimators._transformer import place_names


class NetFeatures(TransformerMixin, BaseEstimator):
    """Features of images from a layer of a fitted network, which is not trained any more.

    Parameters
    ----------
    network : ConvNetClassifier or ConvNetRegressor
        Fitted.
    layer : int
        Number of the layer.
    """

    def __init__(self, network, layer):
        self.network = network
        self.layer = layer

    def fit(self, X, y=None):
        """Return the transformer as it is."""
        return self

    @takes_dask("samples")
    def transform(self, X):
        """Return an array of shape (n_images, n_features)."""
        outputs = self.network._outputs(X, self.layer + 1)
        return outputs.reshape(len(outputs), -1)

    def get_feature_names_out(self, input_features=None):
        """Return names such as 'layer3_k07_r1c2'."""
        _check_feature_names_in(self.network, input_features, generate_names=False)
        *size, channels = self.network._network.shapes[self.layer + 1]
        places = place_names(tuple(size)) if prod(size) > 1 else [""]
        return np.array([f"layer{self.layer}_{kernel}{place}"
                         for place in places for kernel in numbered("k", channels)], dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_clone__(self):
        return self
