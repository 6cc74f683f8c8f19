"""The gradient through the activations of `conv`."""

import numpy as np

from convlib import _validation as check
from convlib._native import activation_grad
from convlib._terms import ACTIVATION_CODES, CALL_SECONDS, by_dtype
from convlib._threads import thread_count

__all__ = ["activation_inputs"]

GRADIENTS = by_dtype(activation_grad.gradients)

BLOCK = 8192                   # values of a task
VALUE_SECONDS = 0.3e-9         # of one thread; more for the functions of exp
SIGNLESS = ("abs", "square")   # outputs do not tell the sign of the inputs


def activation_inputs(
    grad_output, activation, *, outputs=None, inputs=None, n_threads=None, out=None
):
    """Compute the gradient through an activation of `conv`.

    Most activations tell their slope by their outputs, so that what came before the activation
    need not be kept: ``conv(..., activation="relu")`` is all that backpropagation stores.

    Parameters
    ----------
    grad_output : array-like
        Gradient of a loss by the outputs of the activation; converted to the dtype of
        `outputs` or `inputs`.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}
        As in `conv`.
    outputs : array-like of the shape of grad_output, default=None
        What the activation returned. float32 and float64 are kept; float16, bool and integers
        up to 16 bits become float32, wider integers float64.
    inputs : array-like of the shape of grad_output, default=None
        What the activation was given, instead of `outputs`; 'abs' and 'square' need it.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of the shape of grad_output, default=None
        Where to write: C-contiguous, of the result's dtype; it may be one of the other arrays.

    Returns
    -------
    out : ndarray of the shape of grad_output
        The gradient by the inputs of the activation. Where a slope jumps it is that of the
        smaller side: zero at 0 of 'relu' and at 6 of 'relu6'; that of 'abs' at 0 is zero.

    Raises
    ------
    ValueError
        If not exactly one of `outputs` and `inputs` is given, the activation needs `inputs`, or
        shapes do not agree.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    conv_kernel : The next step back.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.activation_inputs(np.ones(4), "relu6", inputs=[-1.0, 2.0, 5.0, 7.0])
    array([0., 1., 1., 0.])
    """
    activation = check.choice("activation", activation, (None, *check.ACTIVATIONS))
    if (outputs is None) == (inputs is None):
        raise ValueError("exactly one of outputs and inputs must be given")
    if inputs is None and activation in SIGNLESS:
        raise ValueError(
            f"inputs must be given for activation={activation!r}: outputs do not tell their sign")
    from_inputs = outputs is None
    name = "inputs" if from_inputs else "outputs"
    values = check.numeric_array(name, inputs if from_inputs else outputs)
    values = values.astype(check.result_dtype(values.dtype), copy=False)
    grads = check.gradient_array("grad_output", grad_output, values.shape, values.dtype)
    n_threads = check.threads(n_threads)
    out = check.output_array(out, values.shape, values.dtype)
    flat = [_flat(array, out) for array in (grads, values)]
    if out.size:
        n_threads = thread_count(n_threads, CALL_SECONDS + VALUE_SECONDS * out.size)
        GRADIENTS[values.dtype](
            *flat, out.reshape(-1), ACTIVATION_CODES[activation], from_inputs, BLOCK, n_threads)
    return out


def _flat(array, out):
    """Return the values in C order; copied where `out` would overwrite those yet to be read."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if np.may_share_memory(flat, out) and flat.ctypes.data != out.ctypes.data:
        flat = flat.copy()
    return flat
