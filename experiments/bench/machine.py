"""What the programs cost apart from peers: counted arithmetic, compilation, and the rates of this machine."""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from experiments.bench import inputs, jaxnas_steps
from experiments.bench.rows import Measured, Setting
from experiments.bench.timing import Call, apart, interleave, keep_programs
from jaxnas.arithmetic import count, minimum
from jaxnas.spaces import Architecture

PROGRAMS: dict[str, Callable[[Setting], jaxnas_steps.Program]] = {
    "mixed": jaxnas_steps.mixed,
    "path": jaxnas_steps.path,
}


def arithmetic(setting: Setting) -> list[Measured]:
    """Millions of multiply-adds of a step, mixed and path, against the least for the same architectures."""
    image = (setting.image, setting.image, 3)

    def least(architecture: Architecture | None) -> int:
        sizes = (setting.channels, setting.cells, inputs.CLASSES, image, setting.batch)
        return minimum(inputs.space(setting), *sizes, architecture)

    on_paths = [least(Architecture(tuple(op_ids))) for op_ids in inputs.paths(setting).tolist()]
    needed = {"mixed": [least(None)] * setting.steps, "path": on_paths}
    scale = 1e6 * setting.steps
    return [Measured([_products(setting, name) / scale], [sum(needed[name]) / scale]) for name in PROGRAMS]


def compilation(name: str, setting: Setting) -> list[Measured]:
    """Seconds to trace and compile a program with an empty cache on disk, then with what that left there."""
    with tempfile.TemporaryDirectory() as cache:
        return [Measured([apart(_compile, setting, name, cache)]) for _ in ("cold", "warm")]


compile_mixed = partial(compilation, "mixed")
compile_path = partial(compilation, "path")


def roofline(setting: Setting) -> list[Measured]:
    """Rates of a matrix product and of a copy, and that of a mixed step against the former."""
    matrix = jnp.ones((setting.matrix, setting.matrix))
    array = jnp.ones(setting.copied)
    product, copy = jax.jit(jnp.matmul), jax.jit(lambda x: x + 1)  # an addition: a plain copy would be left out
    calls: dict[str, Call] = {
        "product": lambda: jax.block_until_ready(product(matrix, matrix)),
        "copy": lambda: jax.block_until_ready(copy(array)),
        "mixed": jaxnas_steps.timed(jaxnas_steps.mixed(setting)),
    }
    seconds = interleave(calls, setting.repeats)
    products = _rates(2 * setting.matrix**3, seconds["product"])
    copies = _rates(2 * array.nbytes, seconds["copy"])  # read and written
    mixed = _rates(2 * _products(setting, "mixed"), seconds["mixed"])
    return [Measured(products), Measured(copies), Measured(mixed, products)]


def _products(setting: Setting, name: str) -> int:
    """Multiply-adds of all steps of a program."""
    program = PROGRAMS[name](setting)
    return count(program.run, jax.eval_shape(program.start), program.items).products


def _rates(amount: float, seconds: Sequence[float]) -> list[float]:
    """Billions a second."""
    return [amount / one / 1e9 for one in seconds]


def _compile(setting: Setting, name: str, cache: str) -> float:
    keep_programs(cache)
    program = PROGRAMS[name](setting)  # starts the device too
    start = jax.eval_shape(program.start)
    began = time.perf_counter()
    jax.jit(program.run, donate_argnums=0).lower(start, program.items).compile()
    return time.perf_counter() - began
