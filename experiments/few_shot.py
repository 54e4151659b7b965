"""Few-shot NAS end to end: warm up, split, train the leaves, search, select, judge.

    python -m experiments.few_shot digits --workdir out/digits
    python -m experiments.few_shot cifar10-small --workdir out/small --data.root DATA --truth TABLE.csv

On two CPU cores `smoke` takes less than a minute, `digits` five and `cifar10-small` less than 45; `cifar10`,
`cifar100` and `imagenet16-120` are the settings of the literature and want an accelerator. Every field of the
config has a dotted flag (`--help` lists them). The README says what the work directory then holds.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console

from experiments.presets import PRESETS
from jaxnas import config as configs
from jaxnas.benchmarks import Table, read_csv
from jaxnas.config import FewShotConfig
from jaxnas.data import Dataset, load
from jaxnas.methods import few_shot
from jaxnas.methods.problem import Problem, architecture_name, check, prepare
from jaxnas.report import note, summary
from jaxnas.selection import Evaluated
from jaxnas.training import NonFiniteLoss
from jaxnas.types import UserError
from jaxnas.workdir import Progress, append_rows, open_workdir, progress, write_csv, write_json


def run(config: FewShotConfig, workdir: Path, dataset: Dataset, truth: Table | None, show: Progress) -> dict[str, Any]:
    """All stages and their artefacts; returns what `result.json` holds. Raises UserError and NonFiniteLoss."""
    problem = prepare(config, dataset)
    if truth is not None:
        truth.check(config.data.name)
    open_workdir(workdir, configs.to_dict(problem.config))
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        seconds[name] = round(time.monotonic() - start, 2)

    def report(name: str, done: int, total: int, rows: list[dict[str, Any]]) -> None:
        append_rows(workdir / "metrics.jsonl", [{"stage": name, **row} for row in rows])
        show(name, done, total, note(rows))

    with stage("warm_up"):
        params = few_shot.warm_up(problem, report)
    with stage("split"):
        tree, _ = few_shot.split(problem, params, report)
        write_json(workdir / "split_tree.json", tree.to_json())
    with stage("train_leaves"):
        states = few_shot.train_leaves(problem, params, tree, report)
    with stage("search"):
        histories = few_shot.search(problem, states.params, tree.masks(), report)
        write_csv(workdir / "architectures.csv", _architectures(problem, histories, None))
    chosen = few_shot.select(histories)
    with stage("judge"):
        judgement = few_shot.judge(problem, chosen, histories, dataset.test, truth, report)
    if judgement.truths is not None:
        write_csv(workdir / "architectures.csv", _architectures(problem, histories, judgement))
    correlation = judgement.correlation
    result: dict[str, Any] = {
        "architecture": architecture_name(problem, chosen.op_ids),
        "leaf": chosen.leaf,
        "supernet_validation_accuracy": chosen.score,
        "validation_accuracy": judgement.validation_accuracy,
        "test_accuracy": judgement.test_accuracy,
        "true_accuracy": judgement.true_accuracy,
        "rank_correlation": correlation and {**correlation._asdict(), "truth": judgement.source},
        "seconds": seconds,
    }
    write_json(workdir / "result.json", result)
    return result


def _architectures(
    problem: Problem, histories: list[Evaluated], judgement: few_shot.Judgement | None
) -> list[dict[str, Any]]:
    rows = []
    truths = None if judgement is None else judgement.truths
    for leaf, history in enumerate(histories):
        for i, (op_ids, score) in enumerate(zip(history.op_ids, history.scores, strict=True)):
            rows.append(
                {
                    "architecture": architecture_name(problem, op_ids),
                    "leaf": leaf,
                    "supernet_validation_accuracy": round(float(score), 4),
                    "truth": None if truths is None else float(truths[leaf][i]),
                    "truth_source": None if judgement is None else judgement.source,
                }
            )
    return rows


@dataclass(frozen=True)
class Command:
    """Few-shot NAS end to end on one data set."""

    workdir: Path
    """directory for the artefacts of the run"""
    config: Annotated[FewShotConfig, tyro.conf.arg(name="")]
    truth: Path | None = None
    """CSV of true accuracies, read by the last stage only: columns architecture and one of percent a data set"""


def parse(arguments: Sequence[str]) -> Command:
    """The command line: a preset, or the config.json of a former run, then flags. Raises UserError, SystemExit."""
    known = dict(PRESETS)
    if arguments and arguments[0].endswith(".json"):
        try:
            known[arguments[0]] = configs.from_dict(FewShotConfig, json.loads(Path(arguments[0]).read_text()))
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read the config {arguments[0]}: {error}") from error
    commands = {name: (name, Command(tyro.MISSING, preset)) for name, preset in known.items()}
    return tyro.extras.overridable_config_cli(commands, prog="python -m experiments.few_shot", args=arguments)


def main(arguments: Sequence[str]) -> int:
    """Parses, checks everything that can be checked, runs, prints. 0, or 2 for bad input and 3 for a diverged run."""
    console = Console()
    try:
        command = parse(arguments)
        space = check(command.config)
        truth = None if command.truth is None else read_csv(space, command.truth)
        if command.config.quick_compile:
            jax.config.update("jax_disable_most_optimizations", True)
        dataset = load(command.config.data, command.config.seed)
        with progress(console) as show:
            result = run(command.config, command.workdir, dataset, truth, show)
    except (UserError, NonFiniteLoss) as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 2 if isinstance(error, UserError) else 3
    console.print(summary(result))
    console.print(f"written to {command.workdir}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
