"""One-shot: how often each operation takes part."""

import jax
import numpy as np

from jaxnas.search.one_shot import one_shot
from jaxnas.spaces import TOY
from jaxnas.testing.algorithms import FULL, NARROW, context
from tests.search.small import assert_expected

ALGORITHM = one_shot(TOY)
draw = jax.jit(jax.vmap(lambda key, mask, p: ALGORITHM.forwards(key, (), mask, context(p)).choices[0], (0, None, None)))
KEYS = jax.random.split(jax.random.key(0), 4000)


def test_nothing_is_dropped_at_the_start_and_each_with_half_a_chance_at_the_end() -> None:
    for mask in (FULL, NARROW):
        np.testing.assert_array_equal(draw(KEYS[:5], mask, 0.0), np.broadcast_to(mask, (5, 2, 3)))
        for progress, rate in ((0.6, 0.3), (1.0, 0.5)):
            kept = np.asarray(draw(KEYS, mask, progress), np.float64)
            assert set(np.unique(kept)) == {0, 1} and (kept.sum(-1) >= 1).all()
            n = mask.sum(-1, keepdims=True)
            assert_expected(kept, np.where(mask, 1 - rate + rate**n / n, 0))  # a lost edge keeps one of n


def test_operations_are_dropped_independently_of_each_other() -> None:
    kept = np.asarray(draw(KEYS, FULL, 0.4), np.float64)  # rate .2
    assert_expected(kept[:, 0, 0] * kept[:, 1, 2], (0.8 + 0.2**3 / 3) ** 2)
    assert_expected(kept[:, 0, 0] * kept[:, 0, 1], 0.8**2)
