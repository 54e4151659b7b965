"""The bilevel step on a network of two linear operations: who moves what, by which batch, in one compiled program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.data import Images
from jaxnas.nets import Network
from jaxnas.search import SearchAlgorithm, darts
from jaxnas.search.base import one
from jaxnas.spaces.base import SearchSpace
from jaxnas.training import build_bilevel_step, build_optimizer, build_step, new_state

SPACE = SearchSpace("pair", ops=("none", "nor_conv_1x1"), edges=((1, 0),))
CONFIG = OptimizerConfig(rate=0.3, final_rate=0.1, momentum=0.9, weight_decay=0.01, clip=0.5)
RNG = np.random.default_rng(0)
TRAIN, VALID = (Images(RNG.normal(size=(6, 1, 1, 4)).astype(np.float32), RNG.integers(0, 3, 6)) for _ in range(2))
MASK = np.ones((1, 2), bool)


def forward(params, images, choice, norm="batch", stats=None):
    """Logits [B, 3]: the weighted sum of two linear maps of the pixels, one of them through tanh."""
    x = images.reshape(-1, 4)
    outputs = jnp.stack([x @ params["weights"][0], jnp.tanh(x @ params["weights"][1])])
    return jnp.tensordot(choice[0], outputs, 1), {}


NETWORK = Network(
    init=lambda key: {"weights": jax.random.normal(key, (2, 4, 3))},
    forward=forward,
    watch=forward,  # unused: there are no cells to look into
    init_stats=dict,
    live=lambda params, choice: {"weights": (choice[0] != 0)[:, None, None]},
    shared=lambda params, edge: {"weights": jnp.ones((1, 1, 1), bool)},
)


def start(mask: np.ndarray = MASK):
    return new_state(jax.random.key(1), mask, NETWORK.init(jax.random.key(7)), build_optimizer(CONFIG), 10)


def relabelled(batch: Images) -> Images:
    return batch._replace(labels=(batch.labels + 1) % 3)


def steps(order: str):
    algorithm = darts(SPACE, order)
    step = jax.jit(build_bilevel_step(NETWORK, lambda key, x: x, CONFIG, algorithm))
    return algorithm, step, algorithm.init(jax.random.key(2), MASK, None)


@pytest.mark.parametrize("order", ["first", "second"])
def test_the_weights_take_the_step_of_training_under_the_new_op_weights(order: str) -> None:
    algorithm, step, search = steps(order)
    state, search, metrics = step(start(), search, TRAIN, VALID)
    op_weights = algorithm.probabilities(search, MASK)
    alone, expected = build_step(NETWORK, lambda key, x: x, CONFIG, lambda key, mask: op_weights)(start(), TRAIN)
    np.testing.assert_allclose(state.params["weights"], alone.params["weights"], atol=1e-6)
    np.testing.assert_allclose(metrics.loss, expected.loss, rtol=1e-6)
    assert state.step == 1


def test_alpha_follows_the_validation_batch_and_in_second_order_the_training_batch_too() -> None:
    for order, trained in (("first", False), ("second", True)):
        _, step, search = steps(order)
        opt = [step(start(), search, *batches)[1].opt for batches in (
            (TRAIN, VALID), (relabelled(TRAIN), VALID), (TRAIN, relabelled(VALID)))]  # fmt: skip
        moments = [np.asarray(jax.tree.leaves(o)[1]) for o in opt]
        assert (np.abs(moments[1] - moments[0]).max() > 1e-5) == trained
        assert np.abs(moments[2] - moments[0]).max() > 1e-5


def test_one_program_serves_all_masks_and_steps_and_closed_operations_keep_their_weights() -> None:
    _, step, search = steps("second")
    state, search, _ = step(start(), search, TRAIN, VALID)
    step(state, search, TRAIN, VALID)
    closed = start(np.array([[True, False]]))
    after = step(closed, search, TRAIN, VALID)[0]
    assert step._cache_size() == 1
    np.testing.assert_array_equal(after.params["weights"][1], closed.params["weights"][1])
    assert (np.asarray(after.params["weights"][0]) != np.asarray(closed.params["weights"][0])).any()


def test_an_algorithm_is_told_both_losses_the_accuracy_and_how_far_it_is() -> None:
    op_weights = jnp.array([[0.3, 0.9]])

    def told(key, state, mask, context):
        measures = (context.train_loss, context.valid_loss, context.valid_accuracy)
        return jnp.stack([*(measure(context.params, op_weights) for measure in measures), context.progress])

    algorithm = SearchAlgorithm(
        init=lambda key, mask, params: jnp.zeros(4),
        forwards=lambda key, state, mask, context: one(op_weights),
        update=told,
        probabilities=lambda state, mask: mask / 2,
    )
    step = jax.jit(build_bilevel_step(NETWORK, lambda key, x: x, CONFIG, algorithm))
    state = start().replace(step=jnp.asarray(4, jnp.int32))
    first, second = np.asarray(state.params["weights"], np.float64)
    expected = []
    for batch in (TRAIN, VALID):
        x = batch.images.reshape(-1, 4)
        logits = 0.3 * x @ first + 0.9 * np.tanh(x @ second)
        loss = (np.log(np.exp(logits).sum(1)) - logits[np.arange(6), batch.labels]).mean()
        expected.append((loss, (logits.argmax(1) == batch.labels).mean()))
    got = step(state, jnp.zeros(4), TRAIN, VALID)[1]
    np.testing.assert_allclose(got, [expected[0][0], *expected[1], 0.4], rtol=1e-5)
    assert 0 < expected[1][1] < 1
