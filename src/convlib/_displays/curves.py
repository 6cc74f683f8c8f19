"""How a network learnt."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._displays.panels import one_axes

SIZE = 5.5, 3.4    # inches of a new figure


class LossCurveDisplay:
    """The loss of each epoch and, where images were set aside, their score.

    Make it with `from_estimator`.

    Parameters
    ----------
    losses : sequence of float
        Of each epoch.
    scores : sequence of float, default=None
        Of what was set aside, after each of the last epochs.
    best_epoch : int, default=None
        Whose weights were kept, from 1.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Where they are drawn.
    ax_ : matplotlib Axes
        With the losses.
    score_ax_ : matplotlib Axes or None
        With the scores, on the right.

    See Also
    --------
    convlib.ConvNetClassifier : It has `loss_curve_`.

    Examples
    --------
    >>> from convlib.displays import LossCurveDisplay
    >>> display = LossCurveDisplay([2.0, 1.0, 0.5], [0.3, 0.6, 0.5], best_epoch=2).plot()
    >>> display.ax_.get_ylabel(), display.score_ax_.get_ylabel()
    ('training loss', 'validation score')
    """

    def __init__(self, losses, scores=None, best_epoch=None):
        self.losses = losses
        self.scores = scores
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log_scale=True):
        """Draw how an estimator learnt.

        Parameters
        ----------
        estimator : ConvNetClassifier, ConvNetRegressor, GraphConvClassifier, or another \
with `loss_curve_`
            Fitted.
        ax : matplotlib Axes, default=None
            As in `plot`.
        log_scale : bool, default=True
            As in `plot`.

        Returns
        -------
        display : LossCurveDisplay
            With the figure.

        See Also
        --------
        plot : Draw again.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from convlib import ConvNetClassifier
        >>> from convlib.displays import LossCurveDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> network = ConvNetClassifier((4,), image_shape=(8, 8), scale=1 / 16, max_iter=3)
        >>> display = LossCurveDisplay.from_estimator(network.fit(X[:200], y[:200]))
        >>> len(display.losses)
        3
        """
        check_is_fitted(estimator)
        losses = getattr(estimator, "loss_curve_", None)
        if losses is None:
            raise TypeError(check.refusal("estimator", "one with loss_curve_", estimator))
        scores = getattr(estimator, "validation_scores_", None)
        best = getattr(estimator, "best_iter_", None) if scores is not None else None
        return cls(losses, scores, best).plot(ax, log_scale=log_scale)

    def plot(self, ax=None, *, log_scale=True):
        """Draw the curves, and set `figure_`, `ax_` and `score_ax_`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where it is drawn; None means a new figure.
        log_scale : bool, default=True
            Whether losses are drawn by their logarithms, where all are above zero.

        Returns
        -------
        display : LossCurveDisplay
            This one.

        See Also
        --------
        from_estimator : Make and draw at once.

        Examples
        --------
        >>> from convlib.displays import LossCurveDisplay
        >>> LossCurveDisplay([2.0, 1.0]).plot(log_scale=False).ax_.get_yscale()
        'linear'
        """
        losses = np.asarray(self.losses, np.float64)
        if losses.ndim != 1 or not len(losses):
            raise ValueError(f"losses must be a number for each epoch; got shape {losses.shape}")
        self.ax_ = one_axes(ax, SIZE)
        self.figure_, self.score_ax_ = self.ax_.figure, None
        epochs = np.arange(1, len(losses) + 1)
        marker = "." if len(losses) < 30 else ""
        lines = self.ax_.plot(epochs, losses, color="C0", marker=marker, label="training loss")
        self.ax_.set(xlabel="epoch", ylabel="training loss")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        if check.flag("log_scale", log_scale) and losses.min() > 0:
            self.ax_.set_yscale("log")
        if self.scores is not None:
            scores = np.asarray(self.scores, np.float64)
            self.score_ax_ = self.ax_.twinx()
            lines += self.score_ax_.plot(epochs[len(epochs) - len(scores):], scores, color="C1",
                                         marker=marker, label="validation score")
            self.score_ax_.set_ylabel("validation score")
        if self.best_epoch is not None:
            lines.append(self.ax_.axvline(
                self.best_epoch, color="0.5", linestyle=":", label="weights that were kept"))
        if len(lines) > 1:
            self.ax_.legend(
                handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines),
                frameon=False, fontsize="small")
        return self
