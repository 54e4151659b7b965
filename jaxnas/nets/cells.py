"""One cell of the supernet in its two forms, on the same weights: mixed (op_weights) and path (op_ids)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.nets.layers import NormMode, affine, average_pool_3x3, batch_norm_gradient, conv, norm, relu
from jaxnas.nets.switch import switch
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.operations import NONE
from jaxnas.types import Array, Choice

CellParams = dict[str, Any]  # operation -> {"kernel": [E, k, k, C, C]} and, if affine, "scale", "bias": [E, C]
CellStats = dict[str, tuple[Array, Array]]  # operation -> (mean, variance), each [E, C]

PLAIN: dict[str, Callable[[Array], Array]] = {"skip_connect": lambda x: x, "avg_pool_3x3": average_pool_3x3}
"""operations without weights, those of `WEIGHTLESS`; `none` is not among them, it adds nothing"""


def cell(
    space: SearchSpace,
    x: Array,
    params: CellParams,
    choice: Choice,
    mode: NormMode,
    stats: CellStats | None,
    groups: int = 1,
) -> tuple[list[Array], CellStats]:
    """Features of the nodes of one cell, each [H, B, W, C], the last its output; and the statistics its norms used.

    `choice` float [E, O] runs every operation and sums them by weight; int [E] runs the chosen ones only. In the
    path form, operations that did not run report mean 0 and variance 1.

    Of `groups` > 1 equal groups of channels only the first goes through the operations of an edge. The others pass by,
    weighed by the sum of the edge's op_weights, in the path form by 1; both are joined and shuffled.
    """
    form = path_cell if is_path(choice) else mixed_cell
    return form(space, x, params, choice, mode, stats, groups)


def is_path(choice: Choice) -> bool:
    """Whether a choice is of the path form, int [E], rather than float [E, O]."""
    return bool(jnp.issubdtype(choice.dtype, jnp.integer))


def mixed_cell(
    space: SearchSpace,
    x: Array,
    params: CellParams,
    op_weights: Array,
    mode: NormMode,
    stats: CellStats | None,
    groups: int = 1,
) -> tuple[list[Array], CellStats]:
    """A cell whose edges are weighted sums; what leaves a node is computed for all its edges at once."""
    nodes: list[Array] = [x] + [jnp.zeros_like(x)] * (space.nodes - 1)
    op_weights = op_weights.astype(x.dtype)
    used: dict[str, dict[int, tuple[Array, Array]]] = {op: {} for op in params}
    for source in range(space.nodes - 1):
        edges = [e for e, (_, s) in enumerate(space.edges) if s == source]
        if not edges:
            continue
        features, others = _parts(nodes[source], groups)
        outputs: list[Any] = [0.0] * len(edges)
        if params:
            outputs, of_edges = _convolve_edges(space, features, params, edges, op_weights, mode, stats)
            for op in params:
                used[op].update(zip(edges, of_edges[op], strict=True))
        for op, function in PLAIN.items():
            if op in space.ops:
                y, o = function(features), space.ops.index(op)
                outputs = [output + op_weights[e, o] * y for e, output in zip(edges, outputs, strict=True)]
        for e, output in zip(edges, outputs, strict=True):
            target = space.edges[e][0]
            past = None if others is None else op_weights[e].sum() * others
            nodes[target] = nodes[target] + _joined(output, past, groups)
    every = range(len(space.edges))
    stacked = {op: tuple(jnp.stack([used[op][e][i] for e in every]) for i in range(2)) for op in params}
    return nodes, stacked  # type: ignore[return-value]


def _convolve_edges(
    space: SearchSpace,
    features: Array,
    params: CellParams,
    edges: list[int],
    op_weights: Array,
    mode: NormMode,
    stats: CellStats | None,
) -> tuple[list[Array], dict[str, list[tuple[Array, Array]]]]:
    """Weighted sums of the convolutions of the edges that leave a node: an output and, by operation, the statistics
    for each edge.

    One convolution of each size computes all edges, side by side on channels, and they stay together until the sum
    is complete: each cut would be a pass over memory, forward and backward.
    """
    rectified = relu(features)
    width = features.shape[-1]
    total: Any = 0.0
    used = {}
    for op, weights in params.items():
        side_by_side = partial(_side_by_side, edges)
        given = None if stats is None else (side_by_side(stats[op][0]), side_by_side(stats[op][1]))
        y, (mean, variance) = norm(conv(rectified, side_by_side(weights["kernel"])), mode, given)
        if "scale" in weights and mode != "none":
            y = affine(y, side_by_side(weights["scale"]), side_by_side(weights["bias"]))
        by_channel = jnp.concatenate([jnp.broadcast_to(op_weights[e, space.ops.index(op)], (width,)) for e in edges])
        total = total + by_channel.reshape(1, 1, 1, -1) * y
        used[op] = list(zip(jnp.split(mean, len(edges)), jnp.split(variance, len(edges)), strict=True))
    return jnp.split(total, len(edges), -1), used


def _side_by_side(edges: list[int], weights: Array) -> Array:
    """[E, ..., C] -> [..., C * number of edges]."""
    return jnp.concatenate([weights[e] for e in edges], -1)


def path_cell(
    space: SearchSpace,
    x: Array,
    params: CellParams,
    op_ids: Array,
    mode: NormMode,
    stats: CellStats | None,
    groups: int = 1,
) -> tuple[list[Array], CellStats]:
    """A cell whose edges run one operation each, by lax.switch; the others cost nothing."""
    nodes: list[Array] = [x] + [jnp.zeros_like(x)] * (space.nodes - 1)
    chosen = []
    for e, (target, source) in enumerate(space.edges):
        edge_params, edge_stats = jax.tree.map(lambda leaf, e=e: leaf[e], (params, stats))
        features, others = _parts(nodes[source], groups)
        y, used = _chosen_operation(space.ops, mode, op_ids[e], features, edge_params, edge_stats)
        nodes[target] = nodes[target] + _joined(y, others, groups)
        chosen.append(used)
    mean, variance = (jnp.stack([pair[i] for pair in chosen]) for i in range(2))  # [E, C]
    ran = {op: (op_ids == space.ops.index(op))[:, None] for op in params}
    return nodes, {op: (jnp.where(ran[op], mean, 0.0), jnp.where(ran[op], variance, 1.0)) for op in params}


def _parts(x: Array, groups: int) -> tuple[Array, Array | None]:
    """The first of so many groups of channels, and the others; None where there are none."""
    if groups == 1:
        return x, None
    width = x.shape[-1] // groups
    return x[..., :width], x[..., width:]


def _joined(y: Array, others: Array | None, groups: int) -> Array:
    """The first group and the others, [..., C], shuffled: channel j of group g becomes channel groups * j + g."""
    if others is None:
        return y
    x = jnp.concatenate([y, others], -1)
    return x.reshape(*x.shape[:-1], groups, -1).swapaxes(-1, -2).reshape(x.shape)


@partial(jax.jit, static_argnums=(0, 1))  # traced once for each width, not for each edge
def _chosen_operation(
    ops: tuple[str, ...], mode: NormMode, op_id: Array, x: Array, params: CellParams, stats: CellStats | None
) -> tuple[Array, tuple[Array, Array]]:
    """Output of one operation and the (mean, variance) [C] of its norm; 0 and 1 without one."""
    kernels = {op: weights["kernel"] for op, weights in params.items()}
    if mode == "batch":
        y, used = _run_chosen(ops, op_id, x, kernels)
    else:
        y, used = lax.switch(op_id, [partial(_run, op, mode) for op in ops], x, kernels, stats)
    if mode != "none" and all("scale" in weights for weights in params.values()):
        scale, bias = (
            jnp.stack([params[op][name] if op in params else jnp.full(x.shape[-1], plain) for op in ops])[op_id]
            for name, plain in (("scale", 1.0), ("bias", 0.0))
        )
        y = affine(y, scale, bias)
    return y, used


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run_chosen(
    ops: tuple[str, ...], op_id: Array, x: Array, kernels: dict[str, Array]
) -> tuple[Array, tuple[Array, Array]]:
    """One operation with its norm of batch statistics, by lax.switch.

    Its derivative is its own, a switch over the derivatives of the operations: left to itself, a switch keeps for the
    way back what any of its branches may need, filled with zeros where another ran.
    """
    return switch([partial(_run, op, "batch") for op in ops], op_id, x, kernels, None)


def _run(
    op: str, mode: NormMode, x: Array, kernels: dict[str, Array], stats: CellStats | None
) -> tuple[Array, tuple[Array, Array]]:
    if op in kernels:
        return norm(_before_norm(op, x, kernels), mode, stats[op] if stats else None)
    return _before_norm(op, x, kernels), (jnp.zeros(x.shape[-1]), jnp.ones(x.shape[-1]))


def _before_norm(op: str, x: Array, kernels: dict[str, Array]) -> Array:
    if op in kernels:
        return conv(relu(x), kernels[op])
    return jnp.zeros_like(x) if op == NONE else PLAIN[op](x)


def _run_forward(ops: tuple[str, ...], op_id: Array, x: Array, kernels: dict[str, Array]) -> tuple[Any, Any]:
    y, (mean, variance) = _run_chosen(ops, op_id, x, kernels)
    return (y, (mean, variance)), (op_id, x, kernels, y, variance)


def _run_backward(ops: tuple[str, ...], residuals: Any, gradients: Any) -> tuple[None, Array, dict[str, Array]]:
    op_id, *saved = residuals

    def back(op: str, x: Array, kernels: dict[str, Array], y: Array, variance: Array, gradients: Any) -> Any:
        gradient, of_stats = gradients
        if op in kernels:
            gradient = batch_norm_gradient(y, variance, (gradient, *of_stats))
        return jax.vjp(partial(_before_norm, op), x, kernels)[1](gradient)

    return None, *switch([partial(back, op) for op in ops], op_id, *saved, gradients)


_run_chosen.defvjp(_run_forward, _run_backward)
