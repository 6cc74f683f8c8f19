"""The steps of `fit`: scikit-learn's callbacks see them where it has callbacks (1.9).

In `transform` and `predict` there are none; `Progress` shows a line there, if `verbose`.
"""

from functools import wraps

from convlib._progress import Progress

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    class CallbackSupportMixin:
        """An estimator without callbacks."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method

__all__ = [
    "CALLBACK_STATE", "CallbackSupportMixin", "FitSteps", "in_one_step", "shown", "with_callbacks",
]

# What `with_callbacks` needs when fit is over, also where it failed: else no bar would ever end.
CALLBACK_STATE = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class FitSteps:
    """The steps of one `fit`, in a `with` statement.

    A call tells that another one is over, and returns whether a callback asks to stop. If there is
    a `unit`, a verbose estimator shows a line.
    """

    def __init__(self, estimator, n_steps=0, X=None, y=None, *, name="step", unit=None):
        begin = getattr(estimator, "_init_callback_context", None)
        self._context = begin(max_subtasks=n_steps) if begin else None
        self._seen = {"estimator": estimator, "X": X, "y": y}
        self._name = name
        self._line = shown(estimator, n_steps, unit, unit is not None and n_steps > 0)

    def __enter__(self):
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._seen)
        self._line.__enter__()
        return self

    def __call__(self, history=None):
        self._line.advance()
        if self._context is None:
            return False
        step = self._context.subcontext(task_name=self._name)
        step.call_on_fit_task_begin(**self._seen)
        return bool(step.call_on_fit_task_end(**self._seen))

    def __exit__(self, kind, error, traceback):
        self._line.__exit__(kind, error, traceback)
        if self._context is not None and kind is None:
            self._context.call_on_fit_task_end(**self._seen)


def in_one_step(fit):
    """Return a method `fit` that is over in no time, as one step for callbacks."""
    @with_callbacks
    @wraps(fit)
    def told(self, X, y=None, **metadata):
        with FitSteps(self, X=X, y=y):
            return fit(self, X, y, **metadata)
    return told


def shown(estimator, total, unit, shows=True):
    """Return the line of an estimator, which shows if the estimator is verbose."""
    return Progress(type(estimator).__name__, total, unit, shows and estimator.verbose)
