"""What every search algorithm promises, on the toy space: one program for all masks, and nothing outside the mask."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnas.search import ALGORITHMS
from jaxnas.search.base import sample_path
from jaxnas.spaces import TOY
from tests.search.small import MASKS, context, matrices

STEPS, DRAWN = 3, 4
WITHOUT_LOGITS = {"uniform", "fairnas", "one_shot", "greedynas", "enas", "cross_path"}  # what they learn is not [E, O]
WITHOUT_DRAWS = {"darts", "darts2", "pc_darts"}


@cache
def program(name: str):
    """(key, mask) -> the first state; states, what ran, probabilities and samples of a few steps, stacked; jitted."""
    algorithm = ALGORITHMS[name](TOY)

    def steps(key, mask):
        def step(state, item):
            key, progress = item
            update_key, choice_key = jax.random.split(key)
            if algorithm.update is not None:
                state = algorithm.update(update_key, state, mask, context(progress))
            ran = algorithm.forwards(choice_key, state, mask, context(progress))
            drawn = jax.vmap(lambda k: sample_path(algorithm, k, state, mask))(jax.random.split(choice_key, DRAWN))
            return state, (state, ran, algorithm.probabilities(state, mask), drawn)

        init_key, key = jax.random.split(key)
        start = algorithm.init(init_key, mask, context().params)
        return start, *lax.scan(step, start, (jax.random.split(key, STEPS), jnp.arange(STEPS) / STEPS))[1]

    return jax.jit(steps)


def run(name: str, mask: np.ndarray, seed: int = 0):
    return jax.device_get(program(name)(jax.random.key(seed), jnp.asarray(mask)))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_one_program_serves_all_masks_and_a_key_means_the_same_bits(name: str) -> None:
    results = [run(name, mask) for mask in (*MASKS.values(), MASKS["full"])]
    assert program(name)._cache_size() == 1
    jax.tree.map(np.testing.assert_array_equal, results[0], results[-1])


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_probabilities_and_what_runs_stay_inside_the_mask(name: str, mask: np.ndarray) -> None:
    for seed in range(5):
        _, _, (choices, coefficients, _), probabilities, drawn = run(name, mask, seed)
        assert drawn.dtype == np.int32 and drawn.shape == (STEPS, DRAWN, 2) and mask[np.arange(2), drawn].all()
        assert probabilities.dtype == np.float32 and probabilities.shape == (STEPS, *TOY.shape)
        np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
        assert (probabilities[:, ~mask] == 0).all() and (probabilities >= 0).all()
        samples = coefficients.shape[1]
        assert coefficients.dtype == np.float32 and coefficients.shape == (STEPS, samples)
        np.testing.assert_allclose(coefficients.sum(-1), 1, rtol=1e-6)
        if choices.dtype == np.int32:
            assert choices.shape == (STEPS, samples, 2) and mask[np.arange(2), choices].all()
        else:
            assert choices.dtype == np.float32 and choices.shape == (STEPS, samples, *TOY.shape)
            assert (choices[:, :, ~mask] == 0).all() and np.isfinite(choices).all()


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - WITHOUT_LOGITS))
def test_what_is_learnt_of_closed_operations_never_changes(name: str) -> None:
    mask = MASKS["narrow"]
    start, states, *_ = run(name, mask)
    first, later = (matrices(tree) for tree in (start, states))
    for old, new in zip(first, later, strict=True):
        assert np.isfinite(new).all()
        np.testing.assert_array_equal(np.broadcast_to(old[~mask], (STEPS, 2)), new[:, ~mask])
    assert (first[0] != later[0][-1])[mask].any()


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - WITHOUT_DRAWS))
def test_other_keys_draw_other_things(name: str) -> None:
    assert len({run(name, MASKS["full"], seed)[2].choices.tobytes() for seed in range(5)}) == 5
