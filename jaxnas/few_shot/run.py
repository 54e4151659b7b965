"""A few-shot run in its work directory: the stages in order, what each writes, and how several seeds are joined."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jaxnas import config as configs
from jaxnas.benchmarks import Table
from jaxnas.data import Dataset
from jaxnas.distributed import hosts, parallel
from jaxnas.few_shot import controls
from jaxnas.few_shot import results as records
from jaxnas.few_shot import stages as few_shot
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.curves import curve_rows
from jaxnas.few_shot.fusion import fuse, fusion_rows
from jaxnas.few_shot.judge import architectures_to_train, judge
from jaxnas.few_shot.leaves import search_leaves, train_leaves
from jaxnas.few_shot.rehearsal import check_leaves
from jaxnas.few_shot.run_context import LEAVES, SEARCH, STANDALONE, RunContext, prepare
from jaxnas.few_shot.sample import uniform_cells
from jaxnas.few_shot.standalone import train_standalone
from jaxnas.predictor import FILE, Description, save_network
from jaxnas.report.format import note
from jaxnas.types import Stages
from jaxnas.workdir import (
    Progress,
    changes,
    open_stage,
    open_workdir,
    read_json,
    read_jsonl,
    read_stages,
    write_arrays,
    write_csv,
    write_json,
)

MAY_CHANGE = ("strategy", "data.root", "truth.table")  # of a config; what is read there is told by its digest


def quiet(stage: str, done: int, total: int, note: str) -> None:
    """A progress that nobody sees."""


def run_few_shot(
    config: FewShotConfig,
    workdir: Path,
    dataset: Dataset,
    table: Table | None = None,
    *,
    note: Callable[[list[dict[str, Any]]], str] = note,
    show: Progress = quiet,
    seeds: Collection[int] = (),
) -> dict[str, Any]:
    """A few-shot run of one seed with its controls: all stages and their artefacts, going on from what is there.

    Args:
        config: the settings; presets are in PRESETS.
        workdir: directory for the artefacts; a stopped run with the same settings and images goes on there.
        dataset: training and validation images, and how the test images are read: what `jaxnas.data.load` gives.
        table: true accuracies, of `read_table`; None: those that are needed are trained alone.
        note: rows of metrics -> the text that `show` gets.
        show: `(stage, done, total, note)`, called as the run goes on; by default nothing is shown.
        seeds: other seeds that are to run; their controls are checked first, too.

    Returns:
        What `result.json` holds: the contenders, the method first, with architecture, accuracies in percent and
        images; how well supernets rank; and the seconds of each stage.

    Raises:
        UserError: for settings, images or a table that do not fit, and for a directory of another run, or one that is
            in use or damaged; what was complete stays.
        NonFiniteLoss: where training diverged; what was complete stays.
        PeerLost: where another process of the run ended.

    Example:
        >>> from dataclasses import replace
        >>> from pathlib import Path
        >>> from jaxnas import PRESETS, run_few_shot
        >>> from jaxnas.data import load
        >>> config = replace(PRESETS["smoke"], seed=1)
        >>> dataset = load(config.data, config.seed)
        >>> dataset.train.images.shape, dataset.valid.images.shape
        ((256, 8, 8, 1), (128, 8, 8, 1))
        >>> result = run_few_shot(config, Path("out/smoke"), dataset)  # doctest: +SKIP
        >>> result["contenders"][0]["name"]  # doctest: +SKIP
        'split by gradient_matching'
    """
    parallel.use_quick_compile(config.quick_compile)
    context = prepare(config, dataset)
    if table is not None:
        table.check(config.data.name)
    inputs = _fingerprints(config.data.name, dataset, table)
    strategy = context.config.strategy
    alike = replace(config, data=replace(config.data, root=Path()), truth=replace(config.truth, table=None))
    digests = {**inputs, "warnings": ()}  # they name paths, which hosts may have of their own
    hosts.check_same([configs.to_dict(alike), digests], "config or data")
    controls.validate_controls(context, {config.seed, *seeds})
    with hosts.entered_by_process_zero(
        open_workdir(workdir, configs.to_dict(config), inputs, MAY_CHANGE, strategy=strategy)
    ):
        if hosts.on_process_zero((workdir / "result.json").exists):
            hosts.on_process_zero(read_stages, workdir)  # the page shows it
            again = "remove that file and start the same command again: it is made from what is kept"
            return dict(hosts.on_process_zero(read_json, workdir / "result.json", again))
        stages = partial(open_stage, workdir, note=note, show=show)
        return _stages(context, workdir, dataset, table, stages)


def finished_seeds(config: FewShotConfig, workdir: Path) -> list[dict[str, Any]]:
    """What the finished seeds of this config in `workdir` hold in `result.json`, in the order of their names.

    Seeds of another config, which a run would refuse to go on with, are left out.
    """
    free, now = (*MAY_CHANGE, "seed"), configs.to_dict(config)
    alike = [path for path in sorted(workdir.glob("seed-*/config.json")) if not changes(read_json(path), now, free)]
    results = [path.with_name("result.json") for path in alike]
    return [read_json(path) for path in results if path.exists()]


def _stages(context: RunContext, workdir: Path, dataset: Dataset, table: Table | None, stage: Stages) -> dict[str, Any]:
    config = context.config
    with stage("warm_up") as at:
        params = few_shot.warm_up(context, at)
    with stage("split") as at:
        tree, scores = few_shot.split(context, params, at)
        hosts.on_process_zero(write_json, workdir / "split_tree.json", tree.to_json())
        hosts.on_process_zero(write_arrays, workdir / "similarities.npz", records.score_arrays(scores))
    masks = tree.masks()
    with stage("leaves") as at:
        check_leaves(context, masks, config.search.budget, "the split")
        controls.check_unsplit(context, len(masks))  # fewer leaves, and a smaller budget, where nodes stay whole
        states = train_leaves(context, params, masks, config.leaf_epochs, (LEAVES, 0), at)
    cells = uniform_cells(context)
    with stage("search") as at:
        histories = search_leaves(context, states, masks, config.search, (SEARCH, 0), at, parent=params)
        hosts.on_process_zero(
            write_csv, workdir / "architectures.csv", records.architecture_rows(context, histories, None)
        )
        name, images = f"split by {config.split.metric}", controls.method_images(context, tree)
        tuned = controls.tuning_images(context, masks, config.search.budget)
        method = controls.build_contender(context, name, "method", tree, states.subnet.params, histories, images, tuned)
    del states
    contenders = [method, *controls.controls(context, params, tree, stage)]
    fusions = {c.name: fuse(context, c, i) for i, c in enumerate(contenders) if config.fusion and c.supernets}
    op_ids = architectures_to_train(contenders, cells if table is None else cells[:0])
    with stage("alone") as at:
        trained = train_standalone(context, op_ids, config.alone_epochs, STANDALONE, at)
    with stage("judge"):
        verdicts, ranking = judge(context, contenders, tree, cells, (op_ids, trained), dataset.test, table)
        leaks = dataset.leaks()
        rows = records.contender_rows(context, contenders, verdicts)
        hosts.on_process_zero(
            write_csv, workdir / "architectures.csv", records.architecture_rows(context, histories, table)
        )
        hosts.on_process_zero(write_csv, workdir / "contenders.csv", records.flat_rows(rows))
        if ranking is not None:
            hosts.on_process_zero(
                write_csv, workdir / "ranking.csv", records.ranking_rows(context, contenders, ranking)
            )
            if config.truth.every:
                metrics = hosts.on_process_zero(read_jsonl, workdir / "metrics.jsonl")
                curves = curve_rows(context, contenders, metrics, ranking.parts[0].truth)
                hosts.on_process_zero(write_csv, workdir / "curves.csv", curves)
        fused = fusion_rows(context, contenders, fusions, ranking.parts[0], table) if ranking is not None else []
        if fused:
            hosts.on_process_zero(write_csv, workdir / "fusion.csv", fused)
        network = Description(
            architecture=rows[0]["architecture"],
            space=context.space.name,
            channels=config.net.channels,
            cells=config.net.cells,
            image_shape=dataset.train.images.shape[1:],
            classes=dataset.classes,
            colours=dataset.colours,
            data=config.data,
            test_accuracy=rows[0]["test_accuracy"],
        )
        chosen = parallel.item((trained.params, trained.stats), 0)  # the method is the first contender
        hosts.on_process_zero(save_network, workdir / FILE, network, *chosen)
    seconds = {name: record["seconds"] for name, record in hosts.on_process_zero(read_stages, workdir).items()}
    result = records.result_object(rows, ranking, verdicts[0].test.n, seconds)
    result |= {"fusion": fused, "warnings": list(leaks)}
    hosts.on_process_zero(write_json, workdir / "result.json", result)
    return result


def _fingerprints(name: str, dataset: Dataset, table: Table | None) -> dict[str, Any]:
    """Digests of what the run on data set `name` reads, and what is not as its distributor published it."""
    parts = {"train": dataset.train, "valid": dataset.valid}
    digests = {name: sha256(p.images.tobytes() + p.labels.tobytes()).hexdigest() for name, p in parts.items()}
    truth = None if table is None else sha256(table.accuracies[name].tobytes()).hexdigest()
    return {**digests, "truth": truth, "warnings": list(dataset.warnings)}
