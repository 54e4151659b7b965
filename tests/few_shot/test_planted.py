"""Every algorithm with every selector finds the one right architecture, and on shuffled classes no more than chance."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.search import ALGORITHMS, Logits
from jaxnas.selection import SELECTORS
from jaxnas.spaces import TOY
from jaxnas.training import Searching, build_bilevel_step, build_optimizer, build_search_epoch, new_state
from tests.few_shot.planted import NETWORK, PLANTED, draw, trained

RIGHT, SHUFFLED = 4, 24  # supernets
EPOCHS, BATCH = 30, 32
CONFIG = OptimizerConfig(rate=0.3, final_rate=0.1, weight_decay=1e-3)
NO_LOGITS = ("uniform", "fairnas", "one_shot", "greedynas", "enas", "cross_path")
# Keeping half, GreedyNAS would train only the two of the four paths that lead by the weights they were drawn with.
SETTINGS = {name: {} for name in NO_LOGITS} | {"greedynas": {"kept": 8}}
DATA = [draw(k, k >= RIGHT) for k in range(RIGHT + SHUFFLED)]
BUDGET = 200


@functools.cache
def supernets(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights [K, 4, 2] and probabilities [K, E, O] of all supernets of an algorithm, by one program."""
    settings = SETTINGS.get(name, {"logits": Logits(rate=0.05)})
    algorithm = ALGORITHMS[name](TOY, **settings)
    epoch = build_search_epoch(build_bilevel_step(NETWORK, lambda key, x: x, CONFIG, algorithm), BATCH)
    mask, steps = jnp.asarray(TOY.full_mask()), EPOCHS * 128 // BATCH

    def run(key, data):
        keys = jax.random.split(key, 3)
        subnet = new_state(keys[0], mask, NETWORK.init(keys[1]), build_optimizer(CONFIG), steps)
        state = Searching(subnet, algorithm.init(keys[2], mask, subnet.params))
        state, _ = jax.lax.scan(lambda state, _: (epoch(state, data)[0], None), state, None, EPOCHS)
        return state.subnet.params["weights"], algorithm.probabilities(state.search, mask)

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *DATA)
    found = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(1), len(DATA)), stacked)
    return tuple(np.asarray(part, float) for part in found)  # type: ignore[return-value]


def picks(name: str, selector: str) -> list[tuple[int, ...]]:
    weights, probabilities = supernets(name)
    settings = {"rounds": 10} if selector == "zero_cost_perturbation" else {}
    select = SELECTORS[selector](**settings)
    views = [trained(w, p, *data) for w, p, data in zip(weights, probabilities, DATA, strict=True)]
    rngs = [np.random.default_rng(k) for k in range(len(views))]
    return [
        tuple(select(rng, view, TOY.full_mask(), BUDGET).op_ids.tolist()) for rng, view in zip(rngs, views, strict=True)
    ]


PAIRS = [
    (name, selector)
    for name in ALGORITHMS
    for selector in SELECTORS
    if selector != "random" and not (selector == "magnitude" and name in NO_LOGITS)
]


@pytest.mark.parametrize(("name", "selector"), PAIRS)
def test_the_planted_architecture_is_found_and_shuffled_classes_show_nothing(name: str, selector: str) -> None:
    found = picks(name, selector)
    assert found[:RIGHT] == [PLANTED] * RIGHT
    # By symmetry at most a quarter; 15 of 24 has a probability of 2 in 10,000 then.
    assert sum(architecture == PLANTED for architecture in found[RIGHT:]) < 15


def test_a_selector_that_ignores_the_supernet_does_not_find_it() -> None:
    assert picks("uniform", "random")[:RIGHT] != [PLANTED] * RIGHT
