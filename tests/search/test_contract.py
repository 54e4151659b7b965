"""What every search algorithm promises."""

import jax
import pytest

from jaxnas.search import ALGORITHMS
from jaxnas.spaces import TOY
from jaxnas.testing import check_algorithm
from jaxnas.testing.algorithms import FULL, context

WITHOUT_LOGITS = {"uniform", "fairnas", "one_shot", "greedynas", "enas", "cross_path"}
WITHOUT_DRAWS = {"darts", "darts2", "pc_darts"}  # what they have learnt runs


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_keeps_the_contract(name: str) -> None:
    check_algorithm(ALGORITHMS[name], draws=name not in WITHOUT_DRAWS)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_most_algorithms_hold_a_number_for_every_edge_and_operation(name: str) -> None:
    held = jax.eval_shape(lambda: ALGORITHMS[name](TOY).init(jax.random.key(0), FULL, context().params))
    assert any(leaf.shape[-2:] == TOY.shape for leaf in jax.tree.leaves(held)) == (name not in WITHOUT_LOGITS)
