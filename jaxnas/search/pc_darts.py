"""PC-DARTS: part of the channels goes through the operations, and edges are weighed too (Xu et al., ICLR 2020)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.search.alpha import AlphaState, Logits, adam, begin, descend, open_softmax
from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, one
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

FROZEN = 0.3  # share of the training before logits move: 15 of 50 epochs, as published


class EdgeState(NamedTuple):
    """Logits of the operations, and of the edges."""

    ops: AlphaState  # [E, O]
    edges: AlphaState  # beta, [E]


def pc_darts(space: SearchSpace, partial: int = 4, logits: Logits | None = None) -> SearchAlgorithm:
    """The mixed form on 1/partial of the channels; logits of operations and edges by Adam on the validation loss.

    op_weights are softmax(alpha) over the open operations, times softmax(beta) over the edges that enter a node (edge
    normalisation): rows sum to the weight of the edge. First order. Nothing moves in the first .3 of the training.
    Rate 6e-4, betas (.5, .999), decay 1e-3 and 1/4 of the channels are the paper's, logits of deviation 1e-3 the
    released code's. Probabilities are softmax(alpha) alone: beta would say which edges to keep, and here all are kept.
    Selectors that mix by them weigh all edges alike, and a removed operation takes its share of what passes by along.
    """
    settings = logits or Logits(rate=6e-4)

    def init(key: Key, mask: Array, params: Params) -> EdgeState:
        del mask, params
        op_key, edge_key = jax.random.split(key)
        beta = settings.deviation * jax.random.normal(edge_key, (len(space.edges),))
        return EdgeState(begin(op_key, space, settings), AlphaState(beta, adam(settings).init(beta)))

    def forwards(key: Key, state: EdgeState, mask: Array, context: StepContext) -> Forwards:
        del key, context
        return one(normalised(space, state.ops.alpha, state.edges.alpha, mask))

    def update(key: Key, state: EdgeState, mask: Array, context: StepContext) -> EdgeState:
        del key

        def loss(alpha: Array, beta: Array) -> Array:
            return context.valid_loss(context.params, normalised(space, alpha, beta, mask))

        def moved() -> EdgeState:
            of_alpha, of_beta = jax.grad(loss, (0, 1))(state.ops.alpha, state.edges.alpha)
            every = jnp.ones(len(space.edges), bool)
            return EdgeState(
                descend(state.ops, mask, of_alpha, settings), descend(state.edges, every, of_beta, settings)
            )

        return lax.cond(context.progress < FROZEN, lambda: state, moved)

    return SearchAlgorithm(
        init, forwards, update, lambda state, mask: open_softmax(state.ops.alpha, mask), partial=partial
    )


def normalised(space: SearchSpace, alpha: Array, beta: Array, mask: Array) -> Array:
    """softmax(alpha) [E, O] times softmax(beta) [E] over the edges of the same target; closed operations exactly 0."""
    targets = np.array([target for target, _ in space.edges])
    together = jnp.where(targets[:, None] == targets[None, :], beta[None, :], CLOSED)
    of_edges = jax.nn.softmax(together).diagonal()
    return open_softmax(alpha, mask) * of_edges[:, None]
