"""K sub-supernets: as one program against K, and spread over the cores against one PyTorch supernet after another."""

from typing import Any

import jax
import jax.numpy as jnp

from experiments.bench import jaxnas_steps, torch_steps
from experiments.bench.inputs import space
from experiments.bench.rows import Measured, Setting
from experiments.bench.timing import Call, apart, interleave
from jaxnas.config import OptimizerConfig
from jaxnas.distributed import parallel
from jaxnas.training import build_optimizer, new_states


def one_program(setting: Setting) -> list[Measured]:
    """Seconds of a step of all K, and bytes of temporary memory; both against the program of one leaf."""
    program, states = jaxnas_steps.path(setting), stacked(setting)
    starts = [parallel.item(states, k) for k in range(setting.leaves)]
    one = jax.jit(program.run).lower(starts[0], program.items).compile()
    every = parallel.over(program.run, "map").lower(states, program.items).compile()  # type: ignore[attr-defined]
    leaves = [jaxnas_steps.repeated(one, start, program.items) for start in starts]

    def separate() -> None:
        for leaf in leaves:
            leaf()

    calls: dict[str, Call] = {"one": jaxnas_steps.repeated(every, states, program.items), "separate": separate}
    seconds = _per_step(setting, interleave(calls, setting.slow_repeats))
    return [Measured(seconds["one"], seconds["separate"]), Measured([_temporary(every)], [_temporary(one)])]


def spread(setting: Setting) -> list[Measured]:
    """Seconds of a step of all K, spread over devices; a process of its own has one device for each core."""
    return [apart(_spread, setting)]


def _spread(setting: Setting) -> Measured:
    parallel.use_every_core()
    program = jaxnas_steps.path(setting)
    run = parallel.over(program.run, "auto")
    peer = torch_steps.path(setting, setting.leaves)
    calls: dict[str, Call] = {"ours": jaxnas_steps.repeated(run, stacked(setting), program.items)}
    if peer is not None:
        calls["theirs"] = peer
    seconds = _per_step(setting, interleave(calls, setting.slow_repeats))
    note = f"strategy {parallel.resolve('auto')}, devices: {len(jax.devices())}"
    return Measured(seconds["ours"], seconds.get("theirs"), note)


def stacked(setting: Setting) -> Any:
    """States [K, ...] of sub-supernets that start from the same weights."""
    keys = jax.random.split(jax.random.key(setting.seed), setting.leaves)
    masks = jnp.asarray(space(setting).full_mask())[None].repeat(setting.leaves, 0)
    return new_states(
        keys, masks, jaxnas_steps.weights(setting), build_optimizer(OptimizerConfig()), jaxnas_steps.SCHEDULE
    )


def _per_step(setting: Setting, seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: [call / setting.steps for call in calls] for name, calls in seconds.items()}


def _temporary(compiled: Any) -> float:
    return float(compiled.memory_analysis().temp_size_in_bytes)
