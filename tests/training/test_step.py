"""The training step on a network small enough for numpy, and the loop around it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.data import Images
from jaxnas.distributed import parallel
from jaxnas.nets import Network
from jaxnas.training import NonFiniteLoss, build_epoch, build_optimizer, build_step, new_state, train
from jaxnas.training.evaluate import build_evaluate
from jaxnas.training.loop import check_finite
from jaxnas.training.state import cosine_rate
from jaxnas.training.step import StepMetrics, keys_of
from jaxnas.types import QUIET

CONFIG = OptimizerConfig(rate=0.3, final_rate=0.1, momentum=0.9, weight_decay=0.01, clip=0.5)
IMAGES = np.random.default_rng(0).normal(size=(6, 1, 1, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 1], np.int32)


def two_linear_operations() -> Network:
    """One edge, two operations: logits = pixels @ weights[op]. Everything a step needs, nothing else."""

    def forward(params, images, choice, norm="batch", stats=None):
        logits = images.reshape(-1, 4) @ params["weights"][choice[0]]
        return logits, {"mean": logits.mean(0)}

    return Network(
        init=lambda key: {"weights": jax.random.normal(key, (2, 4, 3))},
        forward=forward,
        watch=forward,  # unused: there are no cells to look into
        init_stats=lambda: {"mean": jnp.zeros(3)},
        live=lambda params, choice: {"weights": (jnp.arange(2) == choice[0])[:, None, None]},
        shared=lambda params, edge: {"weights": jnp.ones((1, 1, 1), bool)},
    )


def run_steps(ops: list[int], config: OptimizerConfig, stats=None):
    """One step for each operation of the list, from known weights; returns the state and the first weights."""
    network = two_linear_operations()
    params = network.init(jax.random.key(7))
    state = new_state(jax.random.key(0), np.ones((1, 2)), params, build_optimizer(config), 10, stats)
    for op in ops:
        step = build_step(network, lambda key, x: x, config, lambda key, mask, op=op: jnp.array([op]))
        state, _ = jax.jit(step)(state, Images(IMAGES, LABELS))
    return state, np.asarray(params["weights"], np.float64)


def numpy_sgd(weights: np.ndarray, ops: list[int], decay_all: bool) -> np.ndarray:
    """Softmax regression by SGD with clipping, decay and Nesterov momentum, as PyTorch defines them."""
    weights, buffer = weights.copy(), np.zeros_like(weights)
    x = IMAGES.reshape(6, 4).astype(np.float64)
    for step, op in enumerate(ops):
        logits = x @ weights[op]
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        gradient = np.zeros_like(weights)
        gradient[op] = x.T @ (p - np.eye(3)[LABELS]) / 6
        gradient *= min(1, CONFIG.clip / np.linalg.norm(gradient))
        rate = 0.1 + 0.5 * 0.2 * (1 + np.cos(np.pi * step / 10))
        for i in range(2) if decay_all else (op,):
            g = gradient[i] + CONFIG.weight_decay * weights[i]
            buffer[i] = CONFIG.momentum * buffer[i] + g
            weights[i] = weights[i] - rate * (g + CONFIG.momentum * buffer[i])
    return weights


@pytest.mark.parametrize("decay_all", [False, True])
def test_steps_are_sgd_on_the_operations_that_ran(decay_all: bool) -> None:
    ops = [0, 0, 1, 0]
    config = OptimizerConfig(**{**CONFIG.__dict__, "decay_all": decay_all})
    state, start = run_steps(ops, config)
    np.testing.assert_allclose(state.params["weights"], numpy_sgd(start, ops, decay_all), rtol=1e-5, atol=1e-6)
    other = numpy_sgd(start, ops, not decay_all)
    assert np.abs(state.params["weights"] - other).max() > 1e-3


def test_operations_off_the_path_keep_weight_and_momentum() -> None:
    before, start = run_steps([1], CONFIG)
    after, _ = run_steps([1, 0, 0], CONFIG)
    np.testing.assert_array_equal(after.params["weights"][1], before.params["weights"][1])
    traces = [leaf for s in (before, after) for leaf in jax.tree.leaves(s.opt) if leaf.shape == (2, 4, 3)]
    np.testing.assert_array_equal(traces[0][1], traces[1][1])
    assert np.abs(traces[0][1]).max() > 0 and (after.params["weights"][0] != start[0].astype(np.float32)).any()


def test_running_averages_take_a_tenth_of_each_batch() -> None:
    state, start = run_steps([0], CONFIG, {"mean": jnp.ones(3)})
    batch_mean = (IMAGES.reshape(6, 4) @ start[0]).mean(0)
    np.testing.assert_allclose(state.stats["mean"], 0.9 + 0.1 * batch_mean, rtol=1e-5)
    assert run_steps([0], CONFIG)[0].stats is None


def test_the_rate_falls_from_first_to_last_by_half_a_cosine() -> None:
    rates = [float(cosine_rate(CONFIG, jnp.asarray(s), jnp.asarray(10))) for s in (0, 5, 10, 12)]
    np.testing.assert_allclose(rates, [0.3, 0.2, 0.1, 0.1], rtol=1e-6)


def test_an_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    def step(state, batch):
        return state.replace(step=state.step + 1), StepMetrics(batch.labels.astype(float), batch.labels.sum())

    data = Images(jnp.zeros((10, 1, 1, 4)), jnp.arange(10))
    state = new_state(jax.random.key(0), np.ones((1, 2)), {"w": jnp.zeros(1)}, build_optimizer(CONFIG), 9)
    epoch = jax.jit(build_epoch(step, 3))
    state, first = epoch(state, data)
    state, second = epoch(state, data)
    orders = [np.ravel(metrics.loss).astype(int).tolist() for metrics in (first, second)]
    assert int(state.step) == 6 and orders[0] != orders[1]
    assert all(len(set(order)) == 9 and set(order) < set(range(10)) for order in orders)


def test_keys_differ_by_purpose_and_step() -> None:
    state = new_state(jax.random.key(0), np.ones((1, 2)), {"w": jnp.zeros(1)}, build_optimizer(CONFIG), 9)
    keys = [*keys_of(state), *keys_of(state.replace(step=state.step + 1))]
    assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == 6


def test_evaluation_counts_correct_labels_and_skips_padding() -> None:
    network = two_linear_operations()
    params = {"weights": jnp.stack([jnp.eye(4, 3), jnp.eye(4, 3)[::-1]])}
    pixels = jnp.eye(4)[jnp.array([[0, 1, 2], [0, 1, 3]])].reshape(2, 3, 1, 1, 4)
    labels = jnp.array([[0, 1, 1], [0, 2, -1]])
    pipeline = type("Pipeline", (), {"normalise": staticmethod(lambda x: x)})
    accuracies = build_evaluate(network, pipeline)((params, jnp.array([[0], [1]])), Images(pixels, labels))
    # Operation 0 says 0 1 2 | 0 1: three of five. Operation 1 maps pixel 1 to 2, 2 to 1, and 0 to a tie, which is 0.
    np.testing.assert_allclose(accuracies, [60.0, 100 * 4 / 5])


def test_training_reports_every_epoch_and_stops_at_a_loss_that_is_not_finite() -> None:
    def epoch(states, data):
        losses = jnp.where((states["epoch"][:, None] == 2) & (jnp.arange(4)[None] >= 1), jnp.nan, 1.0)
        losses = losses.at[0].set(1.0)
        return {"epoch": states["epoch"] + 1}, StepMetrics(losses, losses * 10)

    told, kept = [], []

    def advance(done, total, state, rows):
        told.append((done, total, rows))
        kept.append((done, state))

    fresh, states = QUIET._replace(advance=advance), {"epoch": jnp.zeros(3, jnp.int32)}
    assert (train(states, None, epoch, 2, fresh)["epoch"] == 2).all()
    assert [(done, total) for done, total, _ in told] == [(1, 2), (2, 2)]
    assert told[1][2][2] == {"epoch": 2, "leaf": 2, "loss": 1, "accuracy": 10}
    with pytest.raises(NonFiniteLoss, match=r"leaf 1 .*step 9 on \(epoch of steps 8 to 11; 2 of 3 leaves"):
        train(states, None, epoch, 5, fresh)
    assert [done for done, _, _ in told] == [1, 2, 1, 2]
    resumed = fresh._replace(resume=lambda start: kept[0])
    assert (train(states, None, epoch, 2, resumed)["epoch"] == 2).all()
    assert [done for done, _, _ in told] == [1, 2, 1, 2, 2]


def test_infinite_losses_are_found() -> None:
    check_finite(np.ones((2, 3)), 0)
    with pytest.raises(NonFiniteLoss, match=r"leaf 0 .*step 2"):
        check_finite(np.array([[1, 1, np.inf]]), 0)


def test_a_diverging_run_raises() -> None:
    network = two_linear_operations()
    config = OptimizerConfig(rate=1e30, final_rate=1e30, clip=1e30)
    step = build_step(network, lambda key, x: x, config, lambda key, mask: jnp.array([0]))
    state = new_state(jax.random.key(0), np.ones((1, 2)), network.init(jax.random.key(0)), build_optimizer(config), 4)
    epoch = parallel.over(build_epoch(step, 2), "loop")
    with pytest.raises(NonFiniteLoss, match="leaf 0"):
        train(jax.tree.map(lambda leaf: leaf[None], state), Images(IMAGES, LABELS), epoch, 9, QUIET)


def test_evaluation_uses_batch_statistics_unless_it_is_given_some() -> None:
    seen = []

    def forward(params, images, choice, norm="batch", stats=None):
        seen.append((norm, stats is not None))
        return jnp.zeros((images.shape[0], 3)), None

    network = two_linear_operations()._replace(forward=forward)
    pipeline = type("Pipeline", (), {"normalise": staticmethod(lambda x: x)})
    batches = Images(jnp.zeros((1, 2, 1, 1, 4)), jnp.zeros((1, 2), jnp.int32))
    evaluate = build_evaluate(network, pipeline)
    evaluate(({}, jnp.array([[0]])), batches)
    evaluate(({}, jnp.array([[0]]), {"mean": jnp.zeros(3)}), batches)
    assert set(seen[: len(seen) // 2]) == {("batch", False)} and set(seen[len(seen) // 2 :]) == {("given", True)}


def test_independent_networks_go_on_when_one_diverges_until_all_do() -> None:
    def epoch(states, data):
        lost = (jnp.arange(2) < states["lost"])[:, None]  # the first of two networks, then both
        losses = jnp.where(lost, jnp.nan, 1.0) * jnp.ones((2, 4))
        return {"lost": states["lost"] + 1}, StepMetrics(losses, jnp.full((2, 4), 50.0))

    told = []
    stage = QUIET._replace(advance=lambda done, total, state, rows: told.append(rows))
    start = {"lost": jnp.zeros(2, jnp.int32)}
    train(start, None, epoch, 2, stage, independent=True)
    assert [["loss" in row for row in rows] for rows in told] == [[True, True], [False, True]]
    with pytest.raises(NonFiniteLoss, match="2 of 2 leaves"):
        train(start, None, epoch, 3, stage, independent=True)
