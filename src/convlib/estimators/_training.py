"""Learning by gradient descent: losses, optimisers, the loop. It knows neither graphs nor images.

A model is any object with

- `parameters`, a list of arrays, which an optimiser changes in place;
- `loss_and_gradients(batch, rng)`, which returns the loss of a batch and its gradients by each of
  the parameters; `rng` is a numpy.random.Generator for dropout and its like;
- optionally `buffers`, a list of arrays that the model itself changes as it learns (running means),
  restored together with the parameters.

Sums run over arrays in an order fixed by their shapes, and no product of matrices is taken here, so
that learning has the same bits for one seed on any number of threads.
"""

from dataclasses import dataclass, field

import numpy as np

SCHEDULES = ("constant", "invscaling", "adaptive")
LEAST_RATE = 1e-6      # where an adaptive learning rate gives up
CUT = 5                # by which it falls


def generator(random_state):
    """Return a fast generator of random numbers, seeded by a numpy.random.RandomState."""
    return np.random.Generator(np.random.SFC64(random_state.randint(2**31, size=4).tolist()))


# Losses: functions of outputs and targets that return a number, and its gradient by the outputs.


def softmax(scores):
    """Return probabilities that are exponentials of scores, row by row."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def softmax_cross_entropy(scores, codes, weights=None):
    """Return the weighted mean of -log of the probability of the right class, and its gradient.

    `scores` are an array (n_samples, n_classes), `codes` the numbers of the right classes.
    """
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)
    own = shifted[rows, codes]
    np.exp(shifted, out=shifted)
    sums = shifted.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) - own
    shifted /= sums
    shifted[rows, codes] -= 1
    shares = _shares(weights, len(scores), scores.dtype)
    shifted *= shares if shares.ndim == 0 else shares[:, np.newaxis]
    return float((losses * shares).sum(dtype=np.float64)), shifted


def squared_error(outputs, targets, weights=None):
    """Return half the weighted mean of squared differences, and its gradient.

    Both arrays are (n_samples, ...); the mean is over samples and whatever else they have.
    """
    differences = outputs - targets
    shares = _shares(weights, len(outputs), outputs.dtype)
    if shares.ndim:
        shares = shares.reshape(-1, *[1] * (outputs.ndim - 1))
    shares = shares / max(1, outputs[:1].size)
    grads = differences * shares.astype(outputs.dtype)
    return 0.5 * float((grads * differences).sum(dtype=np.float64)), grads


def _shares(weights, n_samples, dtype):
    """Return what each sample counts in a mean; one number if they count the same."""
    if weights is None:
        return np.asarray(1 / max(1, n_samples), dtype)
    total = np.sum(weights, dtype=np.float64)
    return (np.asarray(weights, np.float64) / (total if total else 1)).astype(dtype)


# Optimisers


class Optimizer:
    """What all optimisers share: parameters that change in place, and their decay.

    Parameters
    ----------
    parameters : list of ndarray
        Changed by `step`.
    learning_rate : float
        May be set anew between steps.
    l2 : float or sequence of float
        Factor of the penalty ``l2 / 2 * sum of squares``, for all or for each of the parameters.
    decoupled : bool
        Whether parameters shrink by ``learning_rate * l2`` of themselves instead, whatever the
        gradients are (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019).
    """

    def __init__(self, parameters, learning_rate, l2=0.0, decoupled=False):
        self.parameters = list(parameters)
        self.learning_rate = self.first_rate = learning_rate
        self.l2 = [l2] * len(self.parameters) if np.isscalar(l2) else list(l2)
        if len(self.l2) != len(self.parameters):
            raise ValueError(f"l2 must be one number or {len(self.parameters)}; got {len(self.l2)}")
        self.decoupled = decoupled
        self.n_steps = self.n_epochs = 0
        most = max((parameter.size for parameter in self.parameters), default=0)
        self._room = np.empty((2, most * 8), np.uint8)

    def step(self, gradients):
        """Change the parameters by one step; `gradients` are used up."""
        self.n_steps += 1
        for number, (parameter, gradient) in enumerate(
                zip(self.parameters, gradients, strict=True)):
            decay = self.l2[number]
            room = [row[:parameter.nbytes].view(parameter.dtype).reshape(parameter.shape)
                    for row in self._room]
            if decay and self.decoupled:
                parameter *= 1 - self.learning_rate * decay
            elif decay:
                gradient += np.multiply(parameter, decay, out=room[0])
            self.change(number, parameter, gradient, room)

    def change(self, number, parameter, gradient, room):
        """Change one parameter; `room` are two arrays of its shape."""
        raise NotImplementedError

    def penalty(self):
        """Return what the decay adds to the loss."""
        if self.decoupled:
            return 0.0
        return 0.5 * sum(
            decay * float(np.square(parameter).sum(dtype=np.float64))
            for decay, parameter in zip(self.l2, self.parameters, strict=True) if decay)


class Adam(Optimizer):
    """Steps by running means of gradients, divided by the roots of those of their squares.

    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    def __init__(self, parameters, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8, *,
                 l2=0.0, decoupled=False):
        super().__init__(parameters, learning_rate, l2, decoupled)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.means = [np.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [np.zeros_like(parameter) for parameter in self.parameters]

    def change(self, number, parameter, gradient, room):
        """Change one parameter."""
        mean, square = self.means[number], self.squares[number]
        first, second = room
        mean *= self.beta_1
        mean += np.multiply(gradient, 1 - self.beta_1, out=first)
        square *= self.beta_2
        np.multiply(gradient, gradient, out=first)
        first *= 1 - self.beta_2
        square += first
        # Means that began with zero are too small at first.
        np.sqrt(square, out=first)
        first *= (1 - self.beta_2**self.n_steps) ** -0.5
        first += self.epsilon
        np.divide(mean, first, out=second)
        second *= self.learning_rate / (1 - self.beta_1**self.n_steps)
        parameter -= second


class SGD(Optimizer):
    """Steps down the gradient, with momentum: a running sum of gradients.

    With `nesterov` the gradient counts as if the momentum had been followed already.
    """

    def __init__(self, parameters, learning_rate=1e-2, momentum=0.0, nesterov=False, *, l2=0.0,
                 decoupled=False):
        super().__init__(parameters, learning_rate, l2, decoupled)
        self.momentum, self.nesterov = momentum, nesterov
        self.velocities = [np.zeros_like(parameter) for parameter in self.parameters]

    def change(self, number, parameter, gradient, room):
        """Change one parameter."""
        if self.momentum:
            velocity = self.velocities[number]
            velocity *= self.momentum
            velocity += gradient
            if self.nesterov:
                gradient += np.multiply(velocity, self.momentum, out=room[0])
            else:
                gradient = velocity
        parameter -= np.multiply(gradient, self.learning_rate, out=room[0])


# The loop


def whole(batch):
    """Return batches of an epoch that sees everything at once."""
    def batches(rng):
        yield batch, 1
    return batches


def minibatches(n_samples, batch_size, shuffle=True):
    """Return batches of an epoch as index arrays, in a new order each time."""
    def batches(rng):
        order = rng.permutation(n_samples) if shuffle else np.arange(n_samples)
        for first in range(0, n_samples, batch_size):
            batch = order[first:first + batch_size]
            yield batch, len(batch)
    return batches


@dataclass
class History:
    """What happened in training."""

    losses: list = field(default_factory=list)    # mean of each epoch, with the penalty
    scores: list = field(default_factory=list)    # of the validation, if there was one
    best_epoch: int | None = None                 # whose parameters were kept
    stopped: bool = False                         # before the last epoch

    @property
    def n_epochs(self):
        """How many epochs were run."""
        return len(self.losses)


def train(model, optimizer, batches, *, max_epochs, rng, validate=None, patience=None, tol=0.0,
          schedule="constant", power=0.5, progress=None, verbose=0):
    """Train a model, in place.

    Parameters
    ----------
    model : object
        See the head of this file.
    optimizer : Optimizer
        Of the model's parameters. It may have made steps before.
    batches : callable
        Given `rng`, yields batches and how many samples they are, for one epoch.
    max_epochs : int
        How often to go over the data.
    rng : numpy.random.Generator
        For the order of batches and for the model.
    validate : callable, default=None
        Returns a score and a loss after each epoch: more of the first is better, and of the same,
        less of the second. The parameters of the best epoch are restored in the end.
    patience : int, default=None
        After how many epochs without anything better to stop; None: never. Without `validate` the
        loss itself is what should get better.
    tol : float, default=0.0
        By how much a score, or a loss, must be better to count.
    schedule : {'constant', 'invscaling', 'adaptive'}, default='constant'
        Of the learning rate: divided by ``epoch ** power``; or divided by 5 where training would
        have stopped, as long as it is above 1e-6.
    power : float, default=0.5
        See there.
    progress : callable, default=None
        Called with the `History` after each epoch; training stops where it returns True.
    verbose : int, default=0
        Print a line every so many epochs.

    Returns
    -------
    history : History
        Losses and scores.
    """
    history, best, waited, kept = History(), None, 0, None
    for epoch in range(max_epochs):
        if schedule == "invscaling":
            optimizer.learning_rate = optimizer.first_rate / (optimizer.n_epochs + 1) ** power
        optimizer.n_epochs += 1
        history.losses.append(_epoch(model, optimizer, batches, rng))
        score = (-history.losses[-1], 0.0) if validate is None else validate()
        if validate is not None:
            history.scores.append(score[0])
        waited += 1
        if best is None or score[0] > best[0] + tol or (
                score[0] == best[0] and score[1] < best[1]):
            best, waited, history.best_epoch = score, 0, epoch
            if validate is not None:
                kept = _copied(_state(model), kept)
        if verbose and (epoch + 1) % verbose == 0:
            _tell(epoch, history)
        if progress is not None and progress(history):
            history.stopped = True
        elif patience is not None and waited >= patience:
            if schedule == "adaptive" and optimizer.learning_rate > LEAST_RATE:
                optimizer.learning_rate /= CUT
                waited = 0
            else:
                history.stopped = True
        if history.stopped:
            break
    if kept is not None:
        _copied(kept, _state(model))
    return history


def _epoch(model, optimizer, batches, rng):
    """Go over all batches once and return the mean loss."""
    total, n_samples = 0.0, 0
    for batch, size in batches(rng):
        loss, gradients = model.loss_and_gradients(batch, rng)
        loss += optimizer.penalty()
        if not np.isfinite(loss):
            raise ValueError(
                f"the loss became {loss}: the learning rate {optimizer.learning_rate} is too "
                "large for these data, or they are not scaled")
        optimizer.step(gradients)
        total += loss * size
        n_samples += size
    return total / max(1, n_samples)


def _state(model):
    return [*model.parameters, *getattr(model, "buffers", ())]


def _copied(arrays, to):
    """Copy arrays to others, or to new ones, and return these."""
    if to is None:
        return [array.copy() for array in arrays]
    for target, array in zip(to, arrays, strict=True):
        target[...] = array
    return to


def _tell(epoch, history):
    line = f"epoch {epoch + 1}: loss {history.losses[-1]:.5g}"
    print(line + (f", validation {history.scores[-1]:.4g}" if history.scores else ""))
