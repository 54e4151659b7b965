"""One cell of the supernet in its two forms, on the same weights: mixed (op_weights) and path (op_ids)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.nets.layers import NormMode, affine, average_pool_3x3, conv, norm
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.counts import CONVOLUTIONS
from jaxnas.types import Array, Choice

CellParams = dict[str, Any]  # operation -> {"kernel": [E, k, k, C, C]} and, if affine, "scale", "bias": [E, C]
CellStats = dict[str, tuple[Array, Array]]  # operation -> (mean, variance), each [E, C]


def cell(
    space: SearchSpace, x: Array, params: CellParams, choice: Choice, mode: NormMode, stats: CellStats | None
) -> tuple[Array, CellStats]:
    """Output of one cell, [B, H, W, C], and the statistics its norms used.

    `choice` float [E, O] runs every operation and sums them by weight; int [E] runs the chosen ones only. In the
    path form, operations that did not run report mean 0 and variance 1.
    """
    form = path_cell if is_path(choice) else mixed_cell
    return form(space, x, params, choice, mode, stats)


def is_path(choice: Choice) -> bool:
    """Whether a choice is of the path form, int [E], rather than float [E, O]."""
    return bool(jnp.issubdtype(choice.dtype, jnp.integer))


def mixed_cell(
    space: SearchSpace, x: Array, params: CellParams, op_weights: Array, mode: NormMode, stats: CellStats | None
) -> tuple[Array, CellStats]:
    """A cell whose edges are weighted sums; one convolution of each size serves all edges that leave a node."""
    nodes: list[Array] = [x] + [jnp.zeros_like(x)] * (space.nodes - 1)
    used: dict[str, dict[int, tuple[Array, Array]]] = {op: {} for op in params}
    channels = x.shape[-1]
    for source in range(space.nodes - 1):
        edges = [e for e, (_, s) in enumerate(space.edges) if s == source]
        if not edges:
            continue
        features = nodes[source]
        rectified = jax.nn.relu(features)
        pooled = average_pool_3x3(features) if "avg_pool_3x3" in space.ops else None
        outputs: dict[int, list[Array]] = {e: [] for e in edges}
        for o, op in enumerate(space.ops):
            if op in CONVOLUTIONS:
                together = _convolve_edges(op, rectified, params[op], edges, mode, stats)
                for i, e in enumerate(edges):
                    block = slice(i * channels, (i + 1) * channels)
                    y, mean, variance = (part[..., block] for part in together)
                    outputs[e].append(op_weights[e, o] * y)
                    used[op][e] = (mean, variance)
            elif op == "skip_connect":
                for e in edges:
                    outputs[e].append(op_weights[e, o] * features)
            elif op == "avg_pool_3x3":
                assert pooled is not None
                for e in edges:
                    outputs[e].append(op_weights[e, o] * pooled)
        for e in edges:
            target = space.edges[e][0]
            nodes[target] = nodes[target] + sum(outputs[e])
    stacked = {
        op: tuple(jnp.stack([used[op][e][i] for e in range(len(space.edges))]) for i in range(2)) for op in params
    }
    return nodes[-1], stacked  # type: ignore[return-value]


def _convolve_edges(
    op: str, rectified: Array, params: CellParams, edges: list[int], mode: NormMode, stats: CellStats | None
) -> tuple[Array, Array, Array]:
    """Normalised outputs of one operation on several edges, concatenated on channels, with mean and variance."""
    kernel = jnp.concatenate([params["kernel"][e] for e in edges], -1)
    given = None
    if stats is not None:
        given = tuple(jnp.concatenate([part[e] for e in edges]) for part in stats[op])
    y, (mean, variance) = norm(_convolution(rectified, kernel), mode, given)  # type: ignore[arg-type]
    if "scale" in params:
        y = affine(y, *(jnp.concatenate([params[name][e] for e in edges]) for name in ("scale", "bias")))
    return y, mean, variance


def path_cell(
    space: SearchSpace, x: Array, params: CellParams, op_ids: Array, mode: NormMode, stats: CellStats | None
) -> tuple[Array, CellStats]:
    """A cell whose edges run one operation each, by lax.switch; the others cost nothing."""
    nodes: list[Array] = [x] + [jnp.zeros_like(x)] * (space.nodes - 1)
    chosen = []
    for e, (target, source) in enumerate(space.edges):
        edge_params, edge_stats = jax.tree.map(lambda leaf, e=e: leaf[e], (params, stats))
        y, used = _chosen_operation(space.ops, mode, op_ids[e], nodes[source], edge_params, edge_stats)
        nodes[target] = nodes[target] + y
        chosen.append(used)
    mean, variance = (jnp.stack([pair[i] for pair in chosen]) for i in range(2))  # [E, C]
    ran = {op: (op_ids == space.ops.index(op))[:, None] for op in params}
    return nodes[-1], {op: (jnp.where(ran[op], mean, 0.0), jnp.where(ran[op], variance, 1.0)) for op in params}


@partial(jax.jit, static_argnums=(0, 1))  # traced once for each width, not for each edge
def _chosen_operation(
    ops: tuple[str, ...], mode: NormMode, op_id: Array, x: Array, params: CellParams, stats: CellStats | None
) -> tuple[Array, tuple[Array, Array]]:
    branches = [_branch(op, params.get(op), mode, stats.get(op) if stats else None) for op in ops]
    return lax.switch(op_id, branches, x)


def _branch(op: str, params: CellParams | None, mode: NormMode, stats: tuple[Array, Array] | None) -> Any:
    """One operation as (features) -> (output, (mean, variance) [C]), the same form for every operation."""

    def unit(x: Array) -> tuple[Array, Array]:
        return jnp.zeros(x.shape[-1], x.dtype), jnp.ones(x.shape[-1], x.dtype)

    def convolution(x: Array) -> tuple[Array, tuple[Array, Array]]:
        assert params is not None
        y, used = norm(_convolution(jax.nn.relu(x), params["kernel"]), mode, stats)
        return (affine(y, params["scale"], params["bias"]) if "scale" in params else y), used

    plain = {
        "none": lambda x: (jnp.zeros_like(x), unit(x)),
        "skip_connect": lambda x: (x, unit(x)),
        "avg_pool_3x3": lambda x: (average_pool_3x3(x), unit(x)),
    }
    return plain.get(op, convolution)


def _convolution(x: Array, kernel: Array) -> Array:
    return x @ kernel[0, 0] if kernel.shape[0] == 1 else conv(x, kernel)
