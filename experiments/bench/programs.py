"""K leaves in one program: what their steps run and hold, one leaf after the other and vectorised. Nothing is timed."""

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr

from experiments.bench import jaxnas_steps, leaves
from experiments.bench.devices import QUICK
from experiments.bench.growth import least
from experiments.bench.inputs import batches, paths, space
from experiments.bench.rows import Setting
from jaxnas.arithmetic import count
from jaxnas.config import OptimizerConfig
from jaxnas.distributed import parallel
from jaxnas.spaces import Architecture
from jaxnas.training import build_step
from jaxnas.types import Array, Key

PROGRAMS = tuple((form, strategy) for form in ("mixed", "path") for strategy in ("map", "vmap"))
MATRIX = ("conv_general_dilated", "dot_general")


class Cost(NamedTuple):
    """A step of K leaves."""

    form: str
    strategy: str
    leaves: int
    products: int  # multiply-adds
    least: int  # the least there are, for the same choices
    equations: int  # primitives that run, before a compiler joins any
    kernels: int  # of these convolutions and matrix products
    arguments: int  # bytes of the compiled program, which runs several steps
    results: int
    temporary: int


def cost(setting: Setting, form: str, strategy: str) -> Cost:
    """A step of each of `setting.leaves` leaves by map or vmap, in mixed form or on a connected path each."""
    run, states, items, least = _program(setting, form)
    over: Any = parallel.over(run, strategy)
    traced = over.trace(states, items)
    seen = equations(traced.jaxpr.jaxpr)
    used = traced.lower().compile(compiler_options=QUICK).memory_analysis()
    return Cost(
        form=form,
        strategy=strategy,
        leaves=setting.leaves,
        least=least,
        products=count(over, states, items).products // setting.steps,
        equations=seen.total() // setting.steps,
        kernels=sum(seen[name] for name in MATRIX) // setting.steps,
        arguments=used.argument_size_in_bytes,
        results=used.output_size_in_bytes,
        temporary=used.temp_size_in_bytes,
    )


def _program(setting: Setting, form: str) -> tuple[Any, Any, Any, int]:
    """Steps of one leaf, states of all, of which only the masks are there, their data, and the least multiply-adds."""
    states: Any = jax.eval_shape(lambda: leaves.stacked(setting))
    if form == "mixed":
        program = jaxnas_steps.mixed(setting)
        return program.run, states, program.items, setting.leaves * least(setting, None)

    def only(key: Key, mask: Array) -> Array:
        del key  # one architecture is open
        return mask.argmax(-1).astype(jnp.int32)

    step = build_step(jaxnas_steps.build(setting), jaxnas_steps.unchanged, OptimizerConfig(), only)
    drawn = paths(replace(setting, steps=setting.leaves))
    masks = drawn[..., None] == np.arange(len(space(setting).ops))  # [K, E, O]
    fewest = sum(least(setting, Architecture(tuple(op_ids))) for op_ids in drawn.tolist())
    items = jax.tree.map(jnp.asarray, batches(setting))
    return lambda state, items: lax.scan(step, state, items), states.replace(mask=masks), items, fewest


def equations(jaxpr: Jaxpr) -> Counter[str]:
    """How often each primitive runs; a loop counts as often as it turns, a switch as its longest branch."""
    total: Counter[str] = Counter()
    for eqn in jaxpr.eqns:
        held = [x for value in eqn.params.values() for x in (value if isinstance(value, tuple) else (value,))]
        bodies = [x.jaxpr if isinstance(x, ClosedJaxpr) else x for x in held]
        inner = [equations(x) for x in bodies if isinstance(x, Jaxpr)]
        if eqn.primitive.name == "cond":
            inner = [max(inner, key=Counter.total)]
        turns = eqn.params["length"] if eqn.primitive.name == "scan" else 1
        for one in inner:
            for name, often in one.items():
                total[name] += turns * often
        if not inner:
            total[eqn.primitive.name] += 1
    return total
