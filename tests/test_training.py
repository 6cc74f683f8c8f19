"""The training loop: losses by finite differences, optimisers by formula and by torch, stopping."""

import numpy as np
import pytest

from convlib.estimators import _training as training


def numeric(function, array, step=1e-6):
    result = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        value = array[place]
        array[place] = value + step
        upper = function(array)
        array[place] = value - step
        result[place] = (upper - function(array)) / (2 * step)
        array[place] = value
    return result


@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.0, 2.5, 3.0])])
def test_losses(weights):
    rng = np.random.default_rng(0)
    scores, codes = rng.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    loss, grads = training.softmax_cross_entropy(scores, codes, weights)
    shares = np.ones(4) if weights is None else weights
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(
        loss, -(shares * np.log(probabilities[range(4), codes])).sum() / shares.sum())
    np.testing.assert_allclose(grads, numeric(lambda array: training.softmax_cross_entropy(
        array, codes, weights)[0], scores), atol=1e-8)
    np.testing.assert_allclose(training.softmax(scores), probabilities)

    targets = rng.standard_normal((4, 3))
    loss, grads = training.squared_error(scores, targets, weights)
    np.testing.assert_allclose(
        loss, 0.5 * (shares[:, None] * (scores - targets) ** 2).sum() / shares.sum() / 3)
    np.testing.assert_allclose(grads, numeric(lambda array: training.squared_error(
        array, targets, weights)[0], scores), atol=1e-8)


def test_losses_of_large_scores_and_of_one_axis():
    scores = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], np.float32)
    loss, grads = training.softmax_cross_entropy(scores, np.array([0, 0]))
    assert loss == 1000
    assert grads.dtype == np.float32
    np.testing.assert_array_equal(grads, [[0, 0], [-0.5, 0.5]])
    loss, grads = training.squared_error(np.array([1.0, 3.0]), np.zeros(2))
    assert loss == 2.5
    np.testing.assert_array_equal(grads, [0.5, 1.5])


class Quadratic:
    """Half the squared distance from targets; batches are rows."""

    def __init__(self, targets):
        self.targets = np.array(targets, np.float64)
        self.parameters = [np.zeros(self.targets.shape[1:])]
        self.seen = []

    def loss_and_gradients(self, batch, rng):
        self.seen.append(batch)
        loss, grads = training.squared_error(
            np.broadcast_to(self.parameters[0], self.targets[batch].shape), self.targets[batch])
        return loss, [grads.sum(axis=0)]


GRADIENTS = [np.random.default_rng(seed).standard_normal((2, 3)) for seed in range(6)]
OPTIMIZERS = [
    ("Adam", {}, {}),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3},
     {"betas": (0.8, 0.99), "eps": 1e-3}),
    ("Adam", {"l2": 0.3}, {"weight_decay": 0.3}),
    ("Adam", {"l2": 0.3, "decoupled": True}, {"weight_decay": 0.3}),
    ("SGD", {}, {}),
    ("SGD", {"momentum": 0.9, "l2": 0.1}, {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterov": True}),
]


def steps(name, options, dtype=np.float64):
    parameter = np.arange(6.0).reshape(2, 3).astype(dtype)
    optimizer = getattr(training, name)([parameter], 0.1, **options)
    for gradient in GRADIENTS:
        optimizer.step([gradient.astype(dtype)])
    assert parameter.dtype == dtype
    return parameter


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options", "theirs"), OPTIMIZERS)
def test_optimizers_against_torch(name, options, theirs, dtype):
    torch = pytest.importorskip("torch")
    kind = "AdamW" if options.get("decoupled") else name
    expected = torch.arange(6.0).reshape(2, 3).to(torch.float64).requires_grad_()
    optimizer = getattr(torch.optim, kind)([expected], lr=0.1, **theirs)
    for gradient in GRADIENTS:
        expected.grad = torch.tensor(gradient)
        optimizer.step()
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        steps(name, options, dtype), expected.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_adam_by_hand():
    parameter, mean, square = np.arange(6.0).reshape(2, 3), 0, 0
    for step, gradient in enumerate(GRADIENTS, 1):
        gradient = gradient + 0.2 * parameter
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        parameter = parameter - 0.1 * (mean / (1 - 0.9**step)) / (
            np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(steps("Adam", {"l2": 0.2}), parameter, rtol=1e-12)


def test_momentum_by_hand():
    parameter, velocity = np.arange(6.0).reshape(2, 3), 0
    for gradient in GRADIENTS:
        velocity = 0.5 * velocity + gradient
        parameter = parameter - 0.1 * velocity
    np.testing.assert_allclose(steps("SGD", {"momentum": 0.5}), parameter, rtol=1e-12)
    shrunk = steps("SGD", {"l2": 0.5, "decoupled": True})
    parameter = np.arange(6.0).reshape(2, 3)
    for gradient in GRADIENTS:
        parameter = parameter * 0.95 - 0.1 * gradient
    np.testing.assert_allclose(shrunk, parameter, rtol=1e-12)


def test_penalty_for_each_parameter():
    arrays = [np.full(3, 2.0), np.full(2, 5.0)]
    assert training.SGD(arrays, l2=[0.5, 0]).penalty() == 3
    assert training.Adam(arrays, l2=0.1).penalty() == pytest.approx(0.05 * (12 + 50))
    assert training.Adam(arrays, l2=0.1, decoupled=True).penalty() == 0
    with pytest.raises(ValueError, match="l2 must be one number or 2; got 1"):
        training.Adam(arrays, l2=[0.5])


def run(model, optimizer=None, batches=None, seed=0, **options):
    optimizer = optimizer or training.SGD(model.parameters, 0.5)
    options = {"max_epochs": 50, **options}
    return training.train(
        model, optimizer, batches or training.minibatches(len(model.targets), 4),
        rng=training.generator(np.random.RandomState(seed)), **options)


def test_finds_the_mean():
    targets = np.random.default_rng(0).standard_normal((10, 3))
    model = Quadratic(targets)
    history = run(model, training.SGD(model.parameters, 1.0),
                  batches=training.whole(np.arange(10)), max_epochs=100)
    np.testing.assert_allclose(model.parameters[0], targets.mean(axis=0), atol=1e-6)
    assert history.n_epochs == 100
    assert not history.stopped
    assert history.losses[0] > history.losses[-1]
    assert history.scores == []


def test_order_of_batches_follows_the_seed():
    orders = []
    for seed in (0, 0, 1):
        model = Quadratic(np.arange(30.0).reshape(10, 3))
        run(model, seed=seed, max_epochs=2)
        assert [len(batch) for batch in model.seen] == [4, 4, 2] * 2
        epochs = np.concatenate(model.seen).reshape(2, 10)
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(10), (2, 1)))
        assert (epochs[0] != epochs[1]).any()
        orders.append((epochs, model.parameters[0]))
    np.testing.assert_array_equal(orders[0][0], orders[1][0])
    np.testing.assert_array_equal(orders[0][1], orders[1][1])
    assert (orders[0][0] != orders[2][0]).any()
    plain = [batch.tolist() for batch, _ in training.minibatches(5, 2, shuffle=False)(None)]
    assert plain == [[0, 1], [2, 3], [4]]


def test_early_stopping_restores_the_best():
    model = Quadratic(np.ones((4, 2)))
    model.buffers = [np.zeros(1)]
    scores = iter([1, 3, 2, 3, 3, 0, 0, 9])
    losses = iter([5, 5, 5, 5, 4, 4, 4, 4])
    seen = []

    def validate():
        model.buffers[0] += 1
        seen.append(model.parameters[0].copy())
        return next(scores), next(losses)

    history = run(model, max_epochs=20, validate=validate, patience=2)
    # A tie is decided by the loss: the fifth epoch is the best, two more are waited for.
    assert history.scores == [1, 3, 2, 3, 3, 0, 0][:history.n_epochs]
    assert history.stopped
    # Epochs 3 and 4 are no better than epoch 2, so that it ends there.
    assert history.n_epochs == 4
    assert history.best_epoch == 1
    np.testing.assert_array_equal(model.parameters[0], seen[1])
    assert model.buffers[0] == 2


def test_ties_go_to_the_smaller_loss():
    model = Quadratic(np.ones((4, 2)))
    losses = iter([3.0, 2.0, 4.0, 1.0])
    history = run(model, max_epochs=4, validate=lambda: (0.5, next(losses)))
    assert history.best_epoch == 3
    assert not history.stopped


def test_patience_with_the_loss_itself():
    model = Quadratic(np.ones((4, 2)))
    history = run(model, training.SGD(model.parameters, 1.0), max_epochs=500, patience=3, tol=1e-4)
    assert history.stopped
    assert history.n_epochs < 60
    assert history.losses[-1] < 1e-2


def test_schedules():
    rates = {}
    for schedule in training.SCHEDULES:
        model = Quadratic(np.ones((4, 2)))
        optimizer = training.SGD(model.parameters, 0.4)
        seen = rates[schedule] = []

        def follow(history, seen=seen, optimizer=optimizer):
            seen.append(optimizer.learning_rate)

        run(model, optimizer, max_epochs=300, schedule=schedule, patience=5, tol=10,
            progress=follow)
    assert set(rates["constant"]) == {0.4}
    np.testing.assert_allclose(rates["invscaling"], 0.4 / np.sqrt(1 + np.arange(6)))
    np.testing.assert_allclose(sorted(set(rates["adaptive"]))[::-1],
                               0.4 / 5.0 ** np.arange(10))


def test_epochs_go_on_where_the_optimizer_was():
    once, twice = Quadratic(np.ones((4, 2))), Quadratic(np.ones((4, 2)))
    run(once, training.SGD(once.parameters, 0.4), max_epochs=6, schedule="invscaling")
    optimizer = training.SGD(twice.parameters, 0.4)
    for _ in range(3):
        run(twice, optimizer, max_epochs=2, schedule="invscaling")
    np.testing.assert_array_equal(once.parameters[0], twice.parameters[0])


def test_progress_may_stop_and_verbose_tells(capsys):
    model = Quadratic(np.ones((4, 2)))
    history = run(model, progress=lambda history: history.n_epochs == 7, verbose=3,
                  validate=lambda: (0.25, 0.0))
    assert history.n_epochs == 7
    assert history.stopped
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 3", "epoch 6"]
    assert "validation 0.25" in lines[0]


def test_a_loss_that_explodes_is_told():
    model = Quadratic(np.full((4, 2), 1e3))
    with pytest.raises(ValueError, match="the learning rate 1e\\+200 is too large"), \
            np.errstate(all="ignore"):
        run(model, training.SGD(model.parameters, 1e200))
