"""Selectors that ask what a supernet loses with an operation, instead of what it holds of it."""

import numpy as np

from jaxnas.selection.base import (
    Generator,
    Selected,
    Selector,
    Trained,
    best,
    check_budget,
    check_counts,
    check_viable,
    named,
)
from jaxnas.selection.discretise import ORDERS, Value, decide, undecided
from jaxnas.types import Mask

CRITERIA: dict[str, Value] = {
    "accuracy": lambda trained, weights: trained.accuracy(weights),
    "loss": lambda trained, weights: -trained.loss(weights),
}
"""name -> what is worse the smaller it is"""


def perturbation(
    criterion: str = "accuracy", order: str = "random", tune: bool = False, frozen: bool = False
) -> Selector:
    """Edge by edge the operation without which the supernet is worst: DARTS-PT (Wang et al., ICLR 2021).

    Undecided edges are mixed by their probabilities, decided ones hold one operation. Every open operation of the edge
    whose turn it is, `none` too, is removed alone: its weight is 0, the others keep theirs. `criterion`: the lowest
    accuracy or the highest loss decides, the first of equals. `order`: a name of ORDERS (published: random). `tune`:
    train on between two decisions, as published; `frozen` then keeps the probabilities of the start, renormalised over
    what is left. An edge with one open operation is decided at no cost.

    A decision that would leave no connected architecture is passed over for the next one; the published code takes it.
    One evaluation for each operation of each undecided edge, and as many again in a `once` order; a greedy order looks
    at all undecided edges at every turn. Raises UserError for a budget below the most that the mask can need. The
    score is minus the mean accuracy (the mean loss) of the removals that decided, 0 where nothing was undecided.
    """
    value, edges = named(CRITERIA, "criterion", criterion), named(ORDERS, "order", order)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        mask = check_viable(trained.space, mask)
        check_budget(budget, edges.most(_open(mask)), "perturbation")
        op_ids, values, evaluations = decide(rng, trained, mask, edges, value, tune, frozen)
        return Selected(op_ids, float(-values.mean()) if len(values) else 0.0, evaluations)

    return select


def zero_cost_perturbation(order: str = "random", proposals: int = 10, rounds: int = 100) -> Selector:
    """Proposals discretised by a zero-cost score, the best of which is kept: Zero-Cost-PT (Xiang et al., AAAI 2023).

    A proposal is made as by `perturbation`, the removal of the lowest score deciding; a fresh batch is drawn at every
    look at the supernet, so that proposals differ by batch, and by chance in the `random` order. Connectivity as there.
    The distinct proposals are then scored as paths on `rounds` fresh batches, each batch the same for all; the largest
    mean wins, the first proposed of equals, and it is the score. The published code scores an untrained supernet near
    equal weights, draws these anew for each proposal, and builds each proposal as a network of its own; here all is
    read from the sub-supernet that is given, trained or not.

    As many proposals as the budget surely holds, at most `proposals`; each may need the removals of a whole run and
    `rounds` more. Raises UserError for a budget that does not hold one.
    """
    edges = named(ORDERS, "order", order)
    check_counts(proposals=proposals, rounds=rounds)

    def select(rng: Generator, trained: Trained, mask: Mask, budget: int) -> Selected:
        mask = check_viable(trained.space, mask)
        each = edges.most(_open(mask)) + rounds
        check_budget(budget, each, "a proposal of zero_cost_perturbation, with the rounds that judge it,")
        made = [
            decide(rng, trained, mask, edges, lambda trained, weights: trained.score(rng, weights))
            for _ in range(min(proposals, budget // each))
        ]
        distinct = np.array(list(dict.fromkeys(tuple(one.op_ids.tolist()) for one in made)), np.int32)
        scores = np.mean([trained.score(rng, distinct) for _ in range(rounds)], 0)
        evaluations = sum(one.evaluations for one in made) + rounds * len(distinct)
        chosen = best(scores)
        return Selected(distinct[chosen], float(scores[chosen]), evaluations)

    return select


def _open(mask: Mask) -> list[int]:
    """How many operations each undecided edge has."""
    return mask.sum(1)[undecided(mask)].tolist()
