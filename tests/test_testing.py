"""The contracts refuse what breaks them, each with its sentence; tests of the registries hold what they let pass."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, Metric, scalar
from jaxnas.search import ALGORITHMS, SearchAlgorithm
from jaxnas.search.base import one
from jaxnas.selection import Selected
from jaxnas.selection.base import check_budget, connected_of
from jaxnas.spaces import TOY
from jaxnas.testing import check_algorithm, check_metric, check_selector
from jaxnas.types import UserError


def weight(probe: Any) -> Any:
    """A number that tells choices apart, in both forms."""
    numbers = jnp.ravel(probe.choice).astype(jnp.float32)
    return numbers[0] + numbers.sum()


def signature(probe: Any) -> Any:
    return probe.images.mean((0, 1, 2)) * weight(probe)


def scored(value: Callable[[Any], Any], disconnected_value: float | None = None) -> Metric:
    """A metric that differs where an architecture is scored alone."""
    return scalar(
        lambda probe: jnp.where(probe.edge < 0, value(jnp.ravel(probe.choice)[0].astype(jnp.float32)), 1.0),
        disconnected_value,
    )


counter = itertools.count()


def counted() -> Any:
    return jax.pure_callback(lambda: np.float32(next(counter)), jax.ShapeDtypeStruct((), np.float32))


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (METRICS, "a metric is a factory (network, space) -> Metric, this gives <class 'dict'>"),
        (scalar(lambda probe: 1.0 if probe.edge == 0 else 2.0, None), "measure must be a function of traced arrays"),
        (Metric(lambda probe: probe.choice, lambda a, b: 0.0, None), "they must have one shape"),
        (scalar(signature, None), "larger_is_better is of one number, but measure gives"),
        (
            scalar(weight, None)._replace(disconnected_value=(0.0, 0.0)),
            "disconnected_value must be None, a number, or one for every part",
        ),
        (scalar(lambda probe: weight(probe) + counted(), None), "measure gives other bits for the same key"),
        (scalar(lambda probe: weight(probe) * jnp.nan, None), "similarities must be finite, they are"),
        (Metric(signature, lambda a, b: -jnp.abs(a - b), None), "compare must give one number []"),
        (Metric(signature, lambda a, b: (2 * a - b).sum(), None), "compare must be symmetric"),
        (Metric(signature, lambda a, b: jnp.abs(a - b).sum(), None), "an operation is less alike to itself"),
        (Metric(signature, lambda a, b: jnp.log(-jnp.abs(a - b).sum()), None), "similarities must be finite"),
        (scored(lambda first: jnp.log(first - 2)), "the score of a connected architecture must be finite, it is -inf"),
        (scored(lambda first: first + counted()), "the same architecture and key score "),
        (scored(jnp.log), "disconnected_value is None, but a disconnected architecture scores -inf; it must be finite"),
        (
            scored(lambda first: 0 * first + 3.0, disconnected_value=3.0),
            "a connected architecture scores 3.0, which is declared for",
        ),
    ],
)
def test_a_metric_that_breaks_the_contract_is_refused(metric, told) -> None:
    with pytest.raises(AssertionError) as caught:
        check_metric(lambda network, space: metric)
    assert told in str(caught.value)


UNIFORM, DARTS = ALGORITHMS["uniform"](TOY), ALGORITHMS["darts"](TOY)
LOST = UNIFORM._replace(
    init=lambda key, mask, params: jnp.zeros(TOY.shape),
    update=lambda key, state, mask, problem: state * jnp.nan,
)


def even(state: Any, mask: Any) -> Any:
    open_ops = mask.astype(jnp.float32)
    return open_ops / open_ops.sum(-1, keepdims=True)


def changed(change: Callable[[Any], Any]) -> SearchAlgorithm:
    """darts, with something done to its logits after every update."""

    def update(key, state, mask, problem):
        return jax.tree.map(
            lambda leaf: change(leaf) if leaf.shape == TOY.shape else leaf, DARTS.update(key, state, mask, problem)
        )

    return DARTS._replace(update=update)


def running(choose: Callable[[Any, Any], Any]) -> SearchAlgorithm:
    return UNIFORM._replace(forwards=lambda key, state, mask, problem: one(choose(key, mask)))


def forwards(**change: Any) -> SearchAlgorithm:
    return UNIFORM._replace(
        forwards=lambda key, state, mask, problem: UNIFORM.forwards(key, state, mask, problem)._replace(**change)
    )


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        (UNIFORM.init, "an algorithm is a factory (space) -> SearchAlgorithm, this gives <class 'function'>"),
        (UNIFORM._replace(passes=0), "passes must be a whole number from 1 on, it is 0"),
        (UNIFORM._replace(partial=2.0), "partial must be a whole number from 1 on, it is 2.0"),
        (running(lambda key, mask: jnp.array([1, 1]) if mask.all() else jnp.array([1, 2])), "of traced arrays"),
        (running(lambda key, mask: jax.random.randint(key, (2,), 0, 3)), "closed operations run under the mask [["),
        (running(lambda key, mask: jax.random.uniform(key, (2, 3))), "closed operations run with a weight"),
        (running(lambda key, mask: jnp.where(mask, jnp.nan, 0.0)), "op_weights that run are not finite"),
        (running(lambda key, mask: mask.argmax(-1).astype(jnp.int8)), "op_weights that run must be float32 [1, 2, 3]"),
        (running(lambda key, mask: even((), mask)), "5 keys run 1 different things; does it draw by its key?"),
        (forwards(coefficients=jnp.array([2.0])), "coefficients do not sum to 1"),
        (forwards(coefficients=jnp.array([1])), "coefficients must be float32 [1] in every step, they are int32 [1]"),
        (forwards(targets=jnp.zeros((1, 3, 2))), "targets must be finite [S, B, classes], they are (1, 3, 2)"),
        (
            UNIFORM._replace(probabilities=lambda state, mask: mask.astype(jnp.float32) / 2),
            "rows of probabilities do not sum to 1",
        ),
        (UNIFORM._replace(probabilities=lambda state, mask: jnp.full((2, 3), 1 / 3)), "closed operations are drawn"),
        (
            UNIFORM._replace(probabilities=lambda state, mask: even(state, mask)[0]),
            "what is drawn must be int32 [4, 2]",
        ),
        (
            UNIFORM._replace(
                probabilities=lambda state, mask: jnp.full((2, 3), 1 / 3),
                sample=lambda key, state, mask: mask.argmax(-1).astype(jnp.int32),
            ),
            "probabilities of closed operations are not 0",
        ),
        (
            UNIFORM._replace(
                probabilities=lambda state, mask: even(state, mask) + jnp.where(mask, jnp.array([[-2.0, 1, 1]]), 0),
                sample=lambda key, state, mask: mask.argmax(-1).astype(jnp.int32),
            ),
            "probabilities are below 0 under the mask [[1, 1, 1], [1, 1, 1]]",
        ),
        (UNIFORM._replace(sample=lambda key, state, mask: jnp.int32([0, 0])), "closed operations are drawn"),
        (changed(lambda logits: logits + 1.0), "what is learnt of closed operations changes"),
        (LOST, "what is learnt is not finite"),
        (
            DARTS._replace(update=lambda key, state, mask, problem: state),
            "nothing of what is held for edges and operations changes",
        ),
    ],
)
def test_an_algorithm_that_breaks_the_contract_is_refused(algorithm, told) -> None:
    with pytest.raises(AssertionError) as caught:
        check_algorithm(lambda space: algorithm)
    assert told in str(caught.value)


def test_an_algorithm_need_not_draw_and_may_hold_keys() -> None:
    mixed = UNIFORM._replace(
        init=lambda key, mask, params: key,
        update=lambda key, state, mask, problem: key,
        forwards=lambda key, state, mask, problem: one(even(state, mask)),
    )
    check_algorithm(lambda space: mixed, draws=False)


def first(rng, trained, mask, budget, needed: int = 1) -> Selected:
    """What keeps the contract, for wrong ones to differ from."""
    inside = connected_of(trained.space, mask)
    check_budget(budget, needed, "it")
    return Selected(inside[0], float(trained.accuracy(inside[:1])[0]), 1)


def after(**change: Callable[[Any], Any]) -> Any:
    """`first`, with something done to fields of what it has chosen."""

    def select(rng, trained, mask, budget):
        chosen = first(rng, trained, mask, budget)
        return chosen._replace(**{name: of(getattr(chosen, name)) for name, of in change.items()})

    return select


def late(rng, trained, mask, budget):
    trained.loss(np.zeros((1, len(mask)), int))
    return first(rng, trained, mask, budget)._replace(evaluations=2)


def narrowing(rng, trained, mask, budget):
    chosen = first(rng, trained, mask, budget)
    mask[:] = False
    return chosen


def unasked(rng, trained, mask, budget):
    """Chooses whatever there is, also nothing connected."""
    op_ids = mask.argmax(1) if not trained.space.viable(mask) else connected_of(trained.space, mask)[0]
    return Selected(op_ids, 0.0, 0)


def spender(rng, trained, mask, budget):
    inside = connected_of(trained.space, mask)
    every = np.concatenate([inside] * (2 + 300 // len(inside)))
    return Selected(inside[0], float(trained.accuracy(every)[0]), len(every))


state = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("select", "told"),
    [
        (after(op_ids=lambda of: of[:1]), "op_ids must be int [6], they are int32 [1]"),
        (after(op_ids=lambda of: of * 1.0), "op_ids must be int [6], they are float64 [6]"),
        (after(op_ids=lambda of: 0 * of), "[0, 0, 0, 0, 0, 0] is outside the mask of full, or disconnected"),
        (after(op_ids=lambda of: 0 * of + 1), "[1, 1, 1, 1, 1, 1] is outside the mask of leaf, or disconnected"),
        (after(score=np.float32), "score must be a finite float, it is"),
        (after(score=lambda of: of * float("nan")), "score must be a finite float, it is nan"),
        (after(score=lambda of: state.random()), "the same generator gives Selected"),
        (after(evaluations=np.int64), "evaluations must be an int"),
        (after(evaluations=lambda of: 0), "it says 0 evaluations on full, it asked for 1"),
        (narrowing, "the mask of full is changed"),
        (late, "a budget of 0 is refused after 1 evaluations"),
        (spender, "of a budget of 300 it spends "),
        (unasked, "a mask without a connected architecture must be refused by a UserError"),
        (lambda *given: first(*given, needed=20_000), "a budget of 15284 is refused on full, as many as there are"),
    ],
)
def test_a_selector_that_breaks_the_contract_is_refused(select, told) -> None:
    with pytest.raises(AssertionError) as caught:
        check_selector(lambda: select)
    assert told in str(caught.value)


def test_a_selector_that_refuses_a_disconnected_mask_only_when_it_has_begun_is_refused() -> None:
    def select(rng, trained, mask, budget):
        if not trained.space.viable(mask):
            trained.accuracy(mask.argmax(1)[None])
            raise UserError("nothing connected")
        return first(rng, trained, mask, budget)

    with pytest.raises(AssertionError, match="is refused only after evaluations"):
        check_selector(lambda: select)
    check_selector(lambda: first)
