"""What every search algorithm promises, on a planted problem of the toy space whose losses are formulas."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.search import Forwards, SearchAlgorithm, StepContext
from jaxnas.search.base import SearchState, sample_path
from jaxnas.spaces import TOY, SearchSpace
from jaxnas.testing.base import require, same_bits, traced
from jaxnas.types import Array, Key

FULL = TOY.full_mask()
NARROW = np.array([[False, True, True], [True, True, False]])
SINGLE = np.array([[False, True, False], [False, False, True]])
MASKS = {"full": FULL, "narrow": NARROW, "single": SINGLE}
PAIRS = np.array([[0.9, -1.2, 0.4], [-0.5, 1.5, 2.1], [1.1, 0.3, -0.8]])  # of an operation of edge 0 and one of edge 1
SINGLES = np.array([[0.5, -0.3, 0.2], [-0.7, 0.6, 1.0]])
STEPS, DRAWN, SEEDS = 3, 4, 5


class Steps(NamedTuple):
    """What a few steps [STEPS] of an algorithm did."""

    start: SearchState  # before the first
    states: SearchState
    forwards: Forwards
    probabilities: Array  # float [STEPS, E, O]
    drawn: Array  # int [STEPS, DRAWN, E], `sample_path`


def check_algorithm(factory: Callable[[SearchSpace], SearchAlgorithm], draws: bool = True) -> None:
    """Raises AssertionError unless a factory of a search algorithm keeps to what all in ALGORITHMS do.

    On a planted problem of the toy space, a few steps under several masks and keys. `draws`: whether another key must
    run something else; False for an algorithm that runs what it has learnt, like `darts`.

    - one program serves all masks, and a key means the same bits;
    - what runs stays inside the mask: op_ids int32 [S, E], or op_weights float32 [S, E, O], finite, closed ones 0;
    - coefficients, float32 [S], sum to 1; soft labels, if any, are [S, B, classes] and finite;
    - probabilities, float32 [E, O], are none below 0, exactly 0 where closed, and rows sum to 1;
    - what is drawn from them, or by `sample`, is int32 [E] inside the mask;
    - what the state holds for every edge and operation [..., E, O], such as logits, stays finite; `update` changes some
      of it where operations are open, and nothing where they are closed;
    - `passes` and `partial` are whole numbers from 1 on.
    """
    algorithm = factory(TOY)
    told = f"an algorithm is a factory (space) -> SearchAlgorithm, this gives {type(algorithm)}"
    require(isinstance(algorithm, SearchAlgorithm), told)
    for name, number in (("passes", algorithm.passes), ("partial", algorithm.partial)):
        require(type(number) is int and number >= 1, f"{name} must be a whole number from 1 on, it is {number!r}")
    traces: list[int] = []

    def init(*arguments: Any) -> SearchState:
        traces.append(1)
        return algorithm.init(*arguments)

    run = few_steps(algorithm._replace(init=init))
    with traced("an algorithm"):
        found = {
            name: [jax.device_get(run(jax.random.key(seed), mask)) for seed in range(SEEDS)]
            for name, mask in MASKS.items()
        }
        again = jax.device_get(run(jax.random.key(0), FULL))
    require(len(traces) == 1, "another mask compiles an algorithm again: the mask must be data")
    require(same_bits(found["full"][0], again), "the same key and mask give other bits")
    for name, mask in MASKS.items():
        for steps in found[name]:
            _check_inside(steps, mask)
    if algorithm.update is not None:
        _check_learnt(found["narrow"][0], NARROW)
    several = len({steps.forwards.choices.tobytes() for steps in found["full"]})
    require(not draws or several == SEEDS, f"{SEEDS} keys run {several} different things; does it draw by its key?")


def few_steps(algorithm: SearchAlgorithm) -> Callable[[Key, Array], Steps]:
    """(key, mask [E, O]) -> what the first steps of an algorithm do on the planted problem; jitted."""

    def steps(key: Key, mask: Array) -> Steps:
        def step(state: SearchState, item: tuple[Key, Array]) -> tuple[SearchState, Any]:
            key, progress = item
            update_key, choice_key = jax.random.split(key)
            if algorithm.update is not None:
                state = algorithm.update(update_key, state, mask, context(progress))
            ran = algorithm.forwards(choice_key, state, mask, context(progress))
            drawn = jax.vmap(lambda k: sample_path(algorithm, k, state, mask))(jax.random.split(choice_key, DRAWN))
            return state, (_plain(state), ran, algorithm.probabilities(state, mask), drawn)

        init_key, key = jax.random.split(key)
        start = algorithm.init(init_key, mask, context().params)
        done = lax.scan(step, start, (jax.random.split(key, STEPS), jnp.arange(STEPS) / STEPS))[1]
        return Steps(_plain(start), *done)

    return jax.jit(steps)


def score(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """Bilinear in the rows of op_weights [..., 2, 3]."""
    first, second = op_weights[..., 0, :], op_weights[..., 1, :]
    return ((first @ pairs) * second + first * SINGLES[0] + second * SINGLES[1]).sum(-1)


def loss(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """[..., 2, 3] -> [...]."""
    s = score(op_weights, pairs)
    return s + 0.3 * s**2


def outputs(op_weights: Array, pairs: Array = PAIRS) -> Any:
    """Logits [2, 3] of two examples."""
    s = score(op_weights, pairs)
    return np.array([[1.0, 0.0, -1.0], [0.5, -2.0, 0.1]]) * s + np.array([[0.0, 0.2, 0.0], [0.0, 0.0, 0.4]])


def context(progress: Array = 0.5) -> StepContext:
    """`loss` by its weights, the pairs; the training batch has another."""

    def mixed(choice: Array) -> Array:
        return jax.nn.one_hot(choice, 3) if jnp.issubdtype(choice.dtype, jnp.integer) else choice

    params = jnp.asarray(PAIRS, jnp.float32)
    return StepContext(
        train_loss=lambda w, choice: (loss(mixed(choice), w) - 2.0) ** 2,
        valid_loss=lambda w, choice: loss(mixed(choice), w),
        train_logits=lambda w, choice: outputs(mixed(choice), w),
        train_labels=jnp.array([2, 0]),
        valid_accuracy=lambda w, choice: jax.nn.sigmoid(-loss(mixed(choice), w)),
        params=params,
        unrolled=lambda gradient: params - 0.01 * gradient,
        progress=jnp.asarray(progress),
    )


def _check_inside(steps: Steps, mask: np.ndarray) -> None:
    edges, where = np.arange(len(mask)), f"under the mask {mask.astype(int).tolist()}"
    drawn, probabilities, (choices, coefficients, targets) = steps.drawn, steps.probabilities, steps.forwards
    _check_form(drawn, "what is drawn", np.int32, (STEPS, DRAWN, len(mask)))
    require(mask[edges, drawn].all(), f"closed operations are drawn {where}")
    _check_form(probabilities, "probabilities", np.float32, (STEPS, *mask.shape))
    require(np.allclose(probabilities.sum(-1), 1, rtol=1e-6), f"rows of probabilities do not sum to 1 {where}")
    require((probabilities[:, ~mask] == 0).all(), f"probabilities of closed operations are not 0 {where}")
    require((probabilities >= 0).all(), f"probabilities are below 0 {where}")
    samples = np.shape(coefficients)[1:2]
    _check_form(coefficients, "coefficients", np.float32, (STEPS, *samples))
    require(np.allclose(coefficients.sum(-1), 1, rtol=1e-6), f"coefficients do not sum to 1 {where}")
    if choices.dtype == np.int32:
        _check_form(choices, "op_ids that run", np.int32, (STEPS, *samples, len(mask)))
        require(mask[edges, choices].all(), f"closed operations run {where}")
    else:
        _check_form(choices, "op_weights that run", np.float32, (STEPS, *samples, *mask.shape))
        require((choices[:, :, ~mask] == 0).all(), f"closed operations run with a weight {where}")
        require(np.isfinite(choices).all(), f"op_weights that run are not finite {where}")
    if targets is not None:
        require(
            targets.shape == (STEPS, *samples, *outputs(FULL).shape) and np.isfinite(targets).all(),
            f"targets must be finite [S, B, classes], they are {targets.shape[1:]}",
        )


def _check_learnt(steps: Steps, mask: np.ndarray) -> None:
    pairs = list(zip(matrices(steps.start), matrices(steps.states), strict=True))
    for old, new in pairs:
        require(np.isfinite(new).all(), "what is learnt is not finite")
        require((old[..., ~mask] == new[..., ~mask]).all(), "what is learnt of closed operations changes")
    open_ones = [(old != new[-1])[..., mask].any() for old, new in pairs]
    require(not pairs or any(open_ones), "nothing of what is held for edges and operations changes")


def _check_form(value: np.ndarray, what: str, dtype: type, shape: tuple[int, ...]) -> None:
    found, wanted = np.dtype(value.dtype), np.dtype(dtype)
    told = f"{what} must be {wanted} {list(shape[1:])} in every step, they are {found} {list(value.shape[1:])}"
    require(found == wanted and value.shape == shape, told)


def matrices(tree: Any) -> list[np.ndarray]:
    """Leaves of a state that are [..., E, O]: logits, moments, operations left."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if leaf.shape[-2:] == TOY.shape]


def _plain(state: SearchState) -> Any:
    """A state with the words of its keys, which numpy can compare."""
    typed = jax.dtypes.prng_key
    return jax.tree.map(lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, typed) else x, state)
