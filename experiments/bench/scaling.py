"""How cost grows with leaves, devices, images, depth, channels and splits: the tables of docs/scaling.md.

    python -m experiments.scaling
    python -m experiments.scaling --renew    # traces and compiles K leaves in one program again: minutes

Arithmetic is counted and programs are compiled, none is run: no table needs the hardware it speaks of. It takes seconds
without `--renew`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from experiments.bench.growth import mixed_step, on_devices, path_step, state_bytes, study
from experiments.bench.programs import PROGRAMS, cost
from experiments.bench.rows import Setting
from jaxnas.console import cli_main
from jaxnas.distributed import parallel
from jaxnas.metrics import METRICS
from jaxnas.studies.split_ablation.leaves import expanded
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.workdir import write_json

KEPT = Path("docs/results/scaling")  # programs.json, and the devices' rows of benchmark.json
LITERATURE = Setting(cells=5, batch=64, steps=2)
SIZES = (
    LITERATURE,
    *(replace(LITERATURE, cells=cells) for cells in (1, 2, 10)),
    *(replace(LITERATURE, channels=channels) for channels in (8, 32, 64)),
    *(replace(LITERATURE, image=image) for image in (8, 16, 64)),
    replace(LITERATURE, batch=256),
)
ACCELERATORS, RATES = (1, 8, 64), (1, 5, 20)  # devices; achieved 10^12 operations a second, a multiply-add being two
MEMORY, IMAGES = 80 * 10**9, 50_000 * 32 * 32 * 3  # bytes of an accelerator, and of CIFAR-10's training images
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """Print the tables of docs/scaling.md."""

    renew: bool = False
    """trace and compile the programs again, and write what they take to docs/results/scaling"""


def steps() -> Iterator[list[str]]:
    """What one step costs as one size changes."""
    yield ["C", "N", "image", "batch", "mixed, M", "path, M", "mixed / path", "weights and momentum, MB"]
    for setting in SIZES:
        mixed, path = mixed_step(setting), path_step(setting)
        sizes = [str(size) for size in (setting.channels, setting.cells, setting.image, setting.batch)]
        yield [*sizes, *(f"{n / 1e6:,.0f}" for n in (mixed, path)), f"{mixed / path:.2f}", _mega(state_bytes(setting))]


def programs(kept: Rows) -> Iterator[list[str]]:
    """What a step of K leaves in one program runs."""
    yield ["form", "leaves", "M multiply-adds", "of the least", "equations", "convolutions and products"]
    for row in kept:
        share, name = row["products"] / row["least"], f"{row['leaves']} by {row['strategy']}"
        counts = [f"{row[number]:,}" for number in ("equations", "kernels")]
        yield [row["form"], name, f"{row['products'] / 1e6:,.0f}", f"{share:.2f}", *counts]


def devices(kept: Rows) -> Iterator[list[str]]:
    """What one of several devices runs, holds and sends; of the benchmark's rows, three for each number of devices."""
    yield ["devices", "M multiply-adds", "of those on 1 device", "memory, MB", "collectives"]
    for products, memory, sent in zip(kept[::3], kept[1::3], kept[2::3], strict=True):
        number, share = products["case"].split(" on ")[1].split()[0], products["value"] / kept[0]["value"]
        yield [number, f"{products['value']:,.0f}", f"{share:.3f}", _mega(memory["value"]), f"{sent['value']:.0f}"]


def capacity(kept: Rows) -> Iterator[list[str]]:
    """How many leaves an accelerator holds."""
    yield ["form", "leaves", "temporary memory, MB", "MB of a leaf", "MB once", "largest K in 80 GB"]
    for row in kept:
        temporary, vectorised = row["temporary"], row["strategy"] == "vmap"
        each = (row["arguments"] + row["results"] + temporary * vectorised) / row["leaves"]
        once = IMAGES + temporary * (not vectorised)
        name, most = f"{row['leaves']} by {row['strategy']}", f"{(MEMORY - once) // each:,.0f}"
        yield [row["form"], name, _mega(temporary), _mega(each), _mega(once), most]


def parts() -> Iterator[list[str]]:
    """Where the arithmetic of the preset goes."""
    found = study(SPLITS["cifar10"])
    yield ["part", "rounds", "networks", "T multiply-adds of each", "P of all", "share, %"]
    for part in found:
        every = part.rounds * part.networks * part.products
        numbers = [f"{part.products / 1e12:,.1f}", f"{every / 1e15:,.1f}", f"{100 * every / on_devices(found, 1):.1f}"]
        yield [part.name, str(part.rounds), str(part.networks), *numbers]


def studies() -> Iterator[list[str]]:
    """Hours of a whole study."""
    yield ["splits", "accelerators", "P multiply-adds of the busiest", *(f"hours at {r} TFLOP/s" for r in RATES)]
    config = SPLITS["cifar10"]
    for named in (0, len(METRICS)):
        found = study(config, named)
        for number in ACCELERATORS:
            most = on_devices(found, number)
            hours = [f"{2 * most / rate / 1e12 / 3600:,.1f}" for rate in RATES]
            yield [str(len(expanded(config.splits)) + named), str(number), f"{most / 1e15:,.0f}", *hours]


def markdown(rows: Iterator[list[str]]) -> str:
    """A table whose first row is its head."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def tables() -> dict[str, str]:
    """Every table by its title, in order."""
    kept, of_devices = (
        json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8")) for name in ("programs", "devices")
    )
    return {
        "A step": markdown(steps()),
        "K leaves": markdown(programs(kept)),
        "Devices": markdown(devices(of_devices)),
        "Memory": markdown(capacity(kept)),
        "The parts of a study": markdown(parts()),
        "Studies": markdown(studies()),
    }


def _mega(size: float) -> str:
    return f"{size / 1e6:,.1f}"


@cli_main()
def main(arguments: Sequence[str], prog: str = "python -m experiments.scaling") -> None:
    """Prints. 0, or 2 for bad input."""
    command = tyro.cli(Command, prog=prog, args=arguments)
    if command.renew:
        parallel.use_wide_vectors()
        write_json(KEPT / "programs.json", [cost(LITERATURE, *program)._asdict() for program in PROGRAMS])
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for title, table in tables().items():
        console.print(f"{title}\n\n{table}\n")
