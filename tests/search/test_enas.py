"""The controller of ENAS against torch's LSTM, and its gradient against enumeration of the nine paths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnas.search.base import sample_path
from jaxnas.search.enas import draw, enas
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, context, loss
from tests.search.small import assert_expected, one_hot

torch = pytest.importorskip("torch")

ALGORITHM, SAMPLES = enas(TOY, samples=5), 5
START = ALGORITHM.init(jax.random.key(0), FULL, None)
# Weights ten times as large as a new controller's, so that paths differ in probability.
CONTROLLER = jax.tree.map(lambda leaf: 10 * leaf, START.controller)
KEYS = jax.random.split(jax.random.key(7), 3000)


class Peer:
    """The same controller in torch, double precision: probabilities of given paths."""

    def __init__(self) -> None:
        tensors = {name: torch.tensor(np.asarray(leaf, np.float64)) for name, leaf in CONTROLLER.items()}
        self.head, self.inputs = tensors["head"].requires_grad_(), tensors["inputs"].requires_grad_()
        self.lstm = torch.nn.LSTM(32, 32, 2, dtype=torch.float64)
        with torch.no_grad():
            for layer, weights in enumerate(tensors["cells"]):
                getattr(self.lstm, f"weight_ih_l{layer}").copy_(weights[:32].T)
                getattr(self.lstm, f"weight_hh_l{layer}").copy_(weights[32:64].T)
                getattr(self.lstm, f"bias_ih_l{layer}").copy_(weights[64])
                getattr(self.lstm, f"bias_hh_l{layer}").zero_()

    def rows(self, path: np.ndarray, mask: np.ndarray):
        """Probabilities [E, O] along a path."""
        hidden, _ = self.lstm(torch.stack([self.inputs[0], self.inputs[1 + path[0]]]))
        logits = 2.5 * torch.tanh((hidden @ self.head[:-1] + self.head[-1]) / 5)
        return torch.softmax(logits.masked_fill(~torch.tensor(mask), -np.inf), -1)


@pytest.mark.parametrize("mask", [FULL, NARROW], ids=["full", "narrow"])
def test_walks_are_drawn_with_the_probabilities_of_the_peer(mask: np.ndarray) -> None:
    peer, paths = Peer(), TOY.enumerate(mask)
    walks = jax.device_get(jax.jit(jax.vmap(draw, (0, None, None)))(KEYS, CONTROLLER, mask))
    chances = []
    for path in paths:
        rows = peer.rows(path, mask).detach().numpy()
        here = np.flatnonzero((walks.op_ids == path).all(-1))
        own = rows[[0, 1], path]
        chances.append(own.prod())
        np.testing.assert_allclose(walks.probabilities[here[0]], rows, atol=1e-5)
        np.testing.assert_allclose(walks.log_probability[here], np.log(own).sum(), atol=1e-4)
        np.testing.assert_allclose(walks.entropy[here], stats.entropy(rows, axis=1).sum(), atol=1e-4)
    times = [(walks.op_ids == path).all(-1).sum() for path in paths]
    assert sum(times) == len(KEYS) and stats.chisquare(times, np.array(chances) * len(KEYS)).pvalue > 1e-3
    assert max(chances) > 1.5 * min(chances)


def test_the_controller_follows_the_expected_reward_of_its_paths() -> None:
    peer, expected = Peer(), 0.0
    for path in TOY.enumerate():
        rows = peer.rows(path, FULL)
        reward = 1 / (1 + np.exp(loss(one_hot(path)))) + 1e-4 * stats.entropy(rows.detach().numpy(), axis=1).sum()
        expected = expected + rows[0, path[0]] * rows[1, path[1]] * reward
    expected.backward()
    baseline = float(expected.detach())
    state = START._replace(controller=CONTROLLER, baseline=jnp.asarray(baseline), updates=jnp.int32(1))

    @jax.jit
    def gradients(keys):
        def one(key):
            new = ALGORITHM.update(key, state, FULL, context())
            moments = new.opt[1][0].mu  # of beta 0: minus the gradient of the reward itself, far from its clip
            return moments["head"], moments["inputs"], new.baseline

        return jax.lax.map(one, keys, batch_size=500)

    head, inputs, baselines = (np.asarray(leaf, np.float64) for leaf in gradients(KEYS))
    own = 1 - 0.01 / SAMPLES  # a reward is a little of the average that it is held against
    assert_expected(-head, own * peer.head.grad.numpy())
    assert_expected(-inputs, own * peer.inputs.grad.numpy())
    assert_expected((baselines - 0.99 * baseline) / 0.01, np.asarray(baseline))


def test_the_average_starts_at_the_first_rewards_of_accuracy_and_a_little_entropy_and_decays() -> None:
    update = jax.jit(lambda key, state: ALGORITHM.update(key, state, FULL, context()))
    draws = jax.jit(jax.vmap(draw, (0, None, None)))
    states, means = [START._replace(controller=CONTROLLER)], []
    for key in KEYS[:3]:
        walks = draws(jax.random.split(key, SAMPLES), states[-1].controller, FULL)
        right = 1 / (1 + np.exp([loss(one_hot(op_ids)) for op_ids in walks.op_ids]))
        means.append(np.mean(right + 1e-4 * np.asarray(walks.entropy)))
        states.append(update(key, states[-1]))
    expected = [means[0], 0.99 * means[0] + 0.01 * means[1]]
    expected.append(0.99 * expected[1] + 0.01 * means[2])
    # Of the entropy's share, 4e-4 and more, a hundredth.
    np.testing.assert_allclose([state.baseline for state in states[1:]], expected, rtol=2e-6)
    assert max(means) - min(means) > 0.01
    assert [int(state.updates) for state in states] == [0, 1, 2, 3]


def test_probabilities_are_those_along_the_likeliest_path() -> None:
    peer, state = Peer(), START._replace(controller=CONTROLLER)
    got = np.asarray(ALGORITHM.probabilities(state, NARROW))
    np.testing.assert_allclose(got, peer.rows(got.argmax(-1), NARROW).detach().numpy(), atol=1e-6)


def test_samples_are_walks_and_not_products_of_the_rows() -> None:
    peer, state = Peer(), START._replace(controller=CONTROLLER)
    sample = jax.jit(jax.vmap(lambda key: sample_path(ALGORITHM, key, state, FULL)))
    drawn, paths = np.asarray(sample(KEYS)), TOY.enumerate()
    times = np.array([(drawn == path).all(-1).sum() for path in paths])
    own = np.array([peer.rows(path, FULL).detach().numpy()[[0, 1], path].prod() for path in paths])
    assert stats.chisquare(times, own * len(KEYS)).pvalue > 1e-3
    rows = np.asarray(ALGORITHM.probabilities(state, FULL), float)
    product = rows[0][paths[:, 0]] * rows[1][paths[:, 1]]
    assert stats.chisquare(times, product / product.sum() * len(KEYS)).pvalue < 1e-3
