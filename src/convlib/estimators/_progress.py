"""scikit-learn's callbacks where it has them (1.9), and nothing where it has not."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    class CallbackSupportMixin:
        """An estimator without callbacks."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method

__all__ = ["CallbackSupportMixin", "Epochs", "with_callbacks"]


class Epochs:
    """The epochs of one `fit`, as callbacks of an estimator see them.

    A call tells that another one is over, and returns whether a callback asks to stop.
    """

    def __init__(self, estimator, n_epochs, X, y):
        begin = getattr(estimator, "_init_callback_context", None)
        self.context = begin(max_subtasks=n_epochs) if begin else None
        self.seen = {"estimator": estimator, "X": X, "y": y}
        if self.context is not None:
            self.context.call_on_fit_task_begin(**self.seen)

    def __call__(self, history):
        if self.context is None:
            return False
        epoch = self.context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self.seen)
        return bool(epoch.call_on_fit_task_end(**self.seen))

    def end(self):
        """Tell that there is no other."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.seen)
