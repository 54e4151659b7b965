"""A switch that keeps its saving where several sub-supernets are vectorised."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxnas.types import Array

Branches = Sequence[Callable[..., Any]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def switch(branches: Branches, index: Array, *operands: Any) -> Any:
    """`lax.switch`, in which items of vmap that take different branches run one after the other, each its own.

    By itself a vmapped switch runs every branch for every item and selects: of five operations, all five. The
    derivative, which custom_vmap lacks, is that of `lax.switch`. Reverse mode only.
    """

    @custom_vmap
    def run(index: Array, operands: tuple[Any, ...]) -> Any:
        return lax.switch(index, branches, *operands)

    @run.def_vmap
    def of_items(size: int, batched: list[Any], index: Array, operands: tuple[Any, ...]) -> tuple[Any, Any]:
        def one(k: Array) -> Any:
            own, rest = jax.tree.map(lambda leaf, many: leaf[k] if many else leaf, (index, operands), tuple(batched))
            return lax.switch(own, branches, *rest)

        def same(operands: tuple[Any, ...]) -> Any:
            return lax.switch(index, branches, *operands)

        axes = jax.tree.map(lambda many: 0 if many else None, batched[1])
        results = lax.map(one, jnp.arange(size)) if batched[0] else jax.vmap(same, (axes,), axis_size=size)(operands)
        return results, jax.tree.map(lambda _: True, results)

    return run(index, operands)


def _forward(branches: Branches, index: Array, *operands: Any) -> tuple[Any, Any]:
    return switch(branches, index, *operands), (index, operands)


def _backward(branches: Branches, residuals: Any, gradients: Any) -> tuple[Any, ...]:
    index, operands = residuals
    return None, *jax.vjp(lambda *operands: lax.switch(index, branches, *operands), *operands)[1](gradients)


switch.defvjp(_forward, _backward)
