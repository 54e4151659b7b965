"""K sub-supernets spread over more and more devices: what one device computes, holds and sends. Nothing is timed."""

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from experiments.bench import jaxnas_steps, leaves
from experiments.bench.rows import Line, Measured, Setting
from experiments.bench.timing import apart
from jaxnas.arithmetic import count
from jaxnas.distributed import parallel

MOST = 8  # devices
COLLECTIVES = {
    *("all-gather", "all-reduce", "all-to-all", "collective-broadcast", "collective-permute", "ragged-all-to-all"),
    *("reduce-scatter", "send", "recv"),
}
QUICK = {  # of LLVM only: HLO and its memory stay as they are
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}
NAME = r"%?([\w.\-]+)"
HEAD = re.compile(rf"(ENTRY )?{NAME} \(.*\{{$")
INSTRUCTION = re.compile(rf"\s+(?:ROOT )?{NAME} = (\(.*?\)|\S+) ([a-z][\w\-]*)\((.*)$")


class Device(NamedTuple):
    """The program of one device."""

    products: float  # multiply-adds, in all turns of its loops
    bytes: float  # arguments and temporary memory
    collectives: float  # instructions that send to or receive from other devices


def numbers(setting: Setting) -> list[int]:
    """1, 2, 4 and 8 devices, those of them that divide K."""
    return [n for n in (1, 2, 4, MOST) if setting.leaves % n == 0]


def lines(setting: Setting) -> tuple[Line, ...]:
    """Three for each number of devices. Arithmetic shall fall with it, memory not grow."""
    found = []
    for n in numbers(setting):
        leaves_on = f"K = {setting.leaves} leaves on {n} device{'s' * (n > 1)}"
        peer, memory_peer = ("all leaves, traced", None) if n == 1 else ("on 1 device", "on 1 device")
        found += [
            Line(f"{leaves_on}: arithmetic of one", "M multiply-adds", peer, goal=1.02 / n),
            Line(f"{leaves_on}: memory of one", "bytes", memory_peer, goal=None if n == 1 else 1.0),
            Line(f"{leaves_on}: collectives", "instructions", goal=0.0),
        ]
    return tuple(found)


def spread(setting: Setting) -> list[Measured]:
    """The samples of `lines`: mixed steps, compiled in a process of their own that has 8 devices."""
    return apart(_spread, setting)


def _spread(setting: Setting) -> list[Measured]:
    jax.config.update("jax_num_cpu_devices", MOST)
    parallel.use_wide_vectors()
    program, states = jaxnas_steps.mixed(setting), jax.eval_shape(lambda: leaves.stacked(setting))
    found = [compiled(program.run, states, program.items, n) for n in numbers(setting)]
    return against_one(
        found, setting.leaves * count(program.run, jax.eval_shape(program.start), program.items).products
    )


def against_one(found: list[Device], products: float) -> list[Measured]:
    """Each number of devices beside one device, and that beside `products`, multiply-adds of all leaves."""
    one, measured = found[0], []
    for each in found:
        alone = each is one
        measured += [
            Measured([each.products / 1e6], [(products if alone else one.products) / 1e6]),
            Measured([each.bytes], None if alone else [one.bytes]),
            Measured([each.collectives]),
        ]
    return measured


def compiled(run: Callable[[Any, Any], Any], stacked: Any, shared: Any, devices: int) -> Device:
    """One of so many devices, in the program that XLA has partitioned; `run` and its arguments as `parallel.over`."""
    spread: Any = parallel.over(run, "shard", parallel.make_mesh(devices))
    executable = spread.lower(stacked, shared).compile(compiler_options=QUICK)
    used, seen = executable.memory_analysis(), instructions(executable.as_text())
    held = used.argument_size_in_bytes + used.temp_size_in_bytes
    return Device(seen["products"], held, sum(seen[name] for name in COLLECTIVES))


def instructions(text: str) -> Counter[str]:
    """How often a device runs each HLO instruction of a compiled module, and "products", multiply-adds of its matrix
    products and convolutions; a loop counts as often as it turns. Raises ValueError for one of unknown length and for
    a branch."""
    bodies: dict[str, list[tuple[str, ...]]] = {}
    entry = name = ""
    for line in text.splitlines():
        if head := HEAD.match(line):
            name = head[2]
            entry = name if head[1] else entry
            bodies[name] = []
        elif found := INSTRUCTION.match(line):
            bodies[name].append(found.groups())
    return _run(entry, bodies)


def _run(name: str, bodies: dict[str, list[tuple[str, ...]]]) -> Counter[str]:
    total: Counter[str] = Counter()
    shapes = {one: _sizes(shape) for one, shape, _, _ in bodies[name]}
    for one, _, kind, rest in bodies[name]:
        total[kind.removesuffix("-start")] += 1
        turns = 1
        if kind == "while":
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', rest)
            if known is None:
                raise ValueError(f"nobody knows how often {one} turns")
            turns = int(known[1])
        if kind == "conditional":
            raise ValueError(f"nobody knows which branch {one} takes")
        if kind in ("dot", "convolution"):
            total["products"] += math.prod(shapes[one]) * _taps(rest, shapes)
        for called in re.findall(rf"(?:calls|body|to_apply)={NAME}", rest):
            for inner, often in _run(called, bodies).items():
                total[inner] += turns * often
    return total


def _taps(rest: str, shapes: dict[str, list[int]]) -> int:
    """Multiply-adds of one number of the result of a matrix product or a convolution."""
    first, second = re.findall(r"%([\w.\-]+)", rest)[:2]
    if contracted := re.search(r"lhs_contracting_dims=\{([\d,]*)\}", rest):
        return math.prod(shapes[first][int(axis)] for axis in contracted[1].split(",") if axis)
    labels = re.search(r"dim_labels=\w+_(\w+)->", rest)
    assert labels is not None
    return math.prod(size for size, label in zip(shapes[second], labels[1], strict=True) if label != "o")


def _sizes(shape: str) -> list[int]:
    dimensions = re.match(r"\w+\[([\d,]*)\]", shape)
    return [int(size) for size in dimensions[1].split(",") if size] if dimensions else []
