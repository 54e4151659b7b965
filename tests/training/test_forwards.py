"""A weight step of several forward passes, on linear operations that numpy can train; and the epoch of a search."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.data import Images
from jaxnas.nets import Network
from jaxnas.search.base import Forwards, SearchAlgorithm, one
from jaxnas.training import Searching, build_bilevel_step, build_optimizer, build_search_epoch, new_state
from jaxnas.training.step import StepMetrics, build_update

CONFIG = OptimizerConfig(rate=0.3, final_rate=0.1, momentum=0.9, weight_decay=0.01, clip=0.5)
RNG = np.random.default_rng(3)
IMAGES, LABELS = RNG.normal(size=(6, 1, 1, 4)).astype(np.float32), np.array([0, 1, 2, 0, 1, 1], np.int32)
OPS = 4


def forward(params, images, choice, norm="batch", stats=None):
    """Logits [B, 3] of one edge: pixels @ weights[op]."""
    logits = images.reshape(-1, 4) @ params["weights"][choice[0]]
    return logits, {"mean": logits.mean(0)}


NETWORK = Network(
    init=lambda key: {"weights": jax.random.normal(key, (OPS, 4, 3))},
    forward=forward,
    watch=forward,  # unused: there are no cells to look into
    init_stats=lambda: {"mean": jnp.zeros(3)},
    live=lambda params, choice: {"weights": (jnp.arange(OPS) == choice[0])[:, None, None]},
    shared=lambda params, edge: {"weights": jnp.ones((1, 1, 1), bool)},
)


def start():
    params = NETWORK.init(jax.random.key(7))
    return new_state(jax.random.key(0), np.ones((1, OPS), bool), params, build_optimizer(CONFIG), 10)


update = jax.jit(build_update(NETWORK, CONFIG))


def forwards(ops: list[int], coefficients: list[float]) -> Forwards:
    return Forwards(jnp.array(ops, jnp.int32)[:, None], jnp.array(coefficients))


def by_hand(weights: np.ndarray, buffer: np.ndarray, step: int, ran: Forwards) -> tuple[np.ndarray, ...]:
    """Softmax regression on the weighted sum of losses: new weights and momenta, and the loss of each pass."""
    x, gradient, losses = IMAGES.reshape(6, 4).astype(np.float64), np.zeros_like(weights), []
    targets = np.broadcast_to(np.eye(3)[LABELS], (len(ran.coefficients), 6, 3)) if ran.targets is None else ran.targets
    ops = np.asarray(ran.choices)[:, 0]
    for op, coefficient, target in zip(ops, np.asarray(ran.coefficients), targets, strict=True):
        logits = x @ weights[op]
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        gradient[op] += coefficient * x.T @ (p - target) / 6
        losses.append(-(target * np.log(p)).sum(1).mean())
    gradient *= min(1, CONFIG.clip / np.linalg.norm(gradient))
    rate = 0.1 + 0.5 * 0.2 * (1 + np.cos(np.pi * step / 10))
    weights, buffer = weights.copy(), buffer.copy()
    for op in {int(c) for c, k in zip(ran.choices[:, 0], ran.coefficients, strict=True) if k != 0}:
        g = gradient[op] + CONFIG.weight_decay * weights[op]
        buffer[op] = CONFIG.momentum * buffer[op] + g
        weights[op] = weights[op] - rate * (g + CONFIG.momentum * buffer[op])
    return weights, buffer, np.array(losses)


def momentum(state) -> np.ndarray:
    return next(np.asarray(leaf) for leaf in jax.tree.leaves(state.opt) if leaf.shape == (OPS, 4, 3))


STEPS = {
    "sums": [([0, 1, 0], [0.5, 0.3, 0.2]), ([1, 2, 1], [0.2, 0.2, 0.6])],
    "leaves out": [([0, 1, 2], [0.5, 0.5, 0.0]), ([2, 0, 1], [0.4, 0.6, 0.0])],
}


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "targets"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_step_follows_the_weighted_sum_of_the_losses_of_what_ran(steps, soft: bool) -> None:
    state = start()
    weights, buffer = np.asarray(state.params["weights"], np.float64), np.zeros((OPS, 4, 3))
    for number, (ops, coefficients) in enumerate(steps):
        ran = forwards(ops, coefficients)
        if soft:
            targets = RNG.dirichlet(np.ones(3), size=(len(ops), 6))
            ran = ran._replace(targets=jnp.asarray(targets, jnp.float32))
        weights, buffer, losses = by_hand(weights, buffer, number, ran)
        state, metrics = update(state, IMAGES, LABELS, ran)
        np.testing.assert_allclose(state.params["weights"], weights, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(momentum(state), buffer, rtol=1e-5, atol=1e-6)
        runs = np.asarray(coefficients) != 0
        np.testing.assert_allclose(metrics.loss, losses[runs].mean(), rtol=1e-5)
    assert state.step == 2


def test_operations_that_no_pass_ran_keep_weight_and_momentum_bit_for_bit() -> None:
    before, _ = update(start(), IMAGES, LABELS, forwards([3, 2, 1], [0.5, 0.3, 0.2]))
    after, _ = update(before, IMAGES, LABELS, forwards([0, 1, 2], [0.5, 0.5, 0.0]))
    for old, new in ((before.params["weights"], after.params["weights"]), (momentum(before), momentum(after))):
        np.testing.assert_array_equal(new[2:], old[2:])
        assert (np.asarray(new[:2]) != np.asarray(old[:2])).any((1, 2)).all()
    assert np.abs(momentum(before)[2:]).max() > 0


def test_one_pass_alone_is_the_same_step_as_three_of_it() -> None:
    alone, metrics = update(start(), IMAGES, LABELS, forwards([1], [1.0]))
    thrice, others = update(start(), IMAGES, LABELS, forwards([1, 1, 1], [0.5, 0.25, 0.25]))
    np.testing.assert_allclose(thrice.params["weights"], alone.params["weights"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(others.loss, metrics.loss, rtol=1e-6)


TRAIN, VALID, BATCH = 11, 8, 2  # examples, five batches of one and four of the other


def seen(key: int = 0):
    """Two epochs whose metrics are the labels each step saw, [S, B]: training in `loss`, validation in `accuracy`."""

    def step(state, search, train, valid):
        return state.replace(step=state.step + 1), search + 1, StepMetrics(train.labels, valid.labels)

    data = tuple(Images(jnp.zeros((n, 1)), jnp.arange(n)) for n in (TRAIN, VALID))
    state = Searching(start().replace(key=jax.random.key(key)), jnp.zeros((), jnp.int32))
    epoch = jax.jit(build_search_epoch(step, BATCH))
    state, first = epoch(state, data)
    state, second = epoch(state, data)
    return state, [tuple(np.asarray(m).tolist() for m in metrics) for metrics in (first, second)]


def test_an_epoch_sees_training_examples_once_and_validation_examples_round_and_round() -> None:
    state, epochs = seen()
    assert int(state.subnet.step) == int(state.search) == 10
    for train, valid in epochs:
        assert np.shape(train) == np.shape(valid) == (5, BATCH)
        assert len(np.unique(train)) == 10 and set(np.ravel(train)) < set(range(TRAIN))
        assert len(np.unique(valid[:4])) == 8  # a round: all of them once
        assert len(np.unique(valid[4])) == BATCH  # the next round begins, in an order of its own
    assert epochs[0][0] != epochs[1][0] and epochs[0][1] != epochs[1][1]
    assert seen(1)[1][0] != epochs[0]


def test_a_search_of_two_epochs_is_the_same_to_the_bit_and_learns() -> None:
    def learn(key, state, mask, context):
        return state - 0.1 * context.valid_loss(context.params, jax.random.randint(key, (1,), 0, OPS))

    algorithm = SearchAlgorithm(
        init=lambda key, mask, params: jnp.zeros(()),
        forwards=lambda key, state, mask, context: one(jax.random.randint(key, (1,), 0, OPS)),
        update=learn,
        probabilities=lambda state, mask: mask / OPS,
    )

    def augment(key, images):
        return images + 0.1 * jax.random.normal(key, images.shape)

    epoch = jax.jit(build_search_epoch(build_bilevel_step(NETWORK, augment, CONFIG, algorithm), BATCH))
    data = (Images(jnp.asarray(IMAGES), jnp.asarray(LABELS)),) * 2
    ends = []
    for _ in range(2):
        state = Searching(start(), algorithm.init(jax.random.key(0), None, None))
        for _ in range(2):
            state, metrics = epoch(state, data)
        ends.append((state._replace(subnet=state.subnet.replace(key=jax.random.key_data(state.subnet.key))), metrics))
    jax.tree.map(np.testing.assert_array_equal, *ends)
    assert np.isfinite(metrics.loss).all() and float(state.search) < 0 and int(state.subnet.step) == 6
