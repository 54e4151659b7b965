"""What is checked before any work, and what seeds share."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnas import config as configs
from jaxnas.config import SearchConfig, SelectionConfig
from jaxnas.data import load
from jaxnas.distributed import hosts
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.few_shot.run_context import architecture_name, prepare, purpose_key, steps_per_epoch, validate_few_shot
from jaxnas.types import UserError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": {"space": "darts"}}, r"unknown search space 'darts'; allowed: \['nas-bench-201', 'toy'\]"),
        ({"split": {"metric": "snop"}}, r"unknown metric 'snop'; allowed: \['accuracy', .*'zico'\]"),
        ({"split": {"background": "mixed"}}, r"unknown split.background 'mixed'; allowed: \['path', 'uniform'\]"),
        ({"fusion": -1}, "fusion must be at least 0, it is -1"),
        ({"split": {"leaves": 6}}, r"give K = 4 leaves, not 6; allowed: 4 .* \[\[2, 3\]\]"),
        ({"split": {"edges": "first"}}, r"unknown split.edges 'first'; allowed: \['best', "),
        ({"split": {"min_size": 3}}, r"split.min_size must be from 1 to 2, .* not 3"),
        ({"split": {"batches": 0}}, "split.batches must be at least 1, it is 0"),
        ({"data": {"eval_batch": 64}}, "at least 128"),
        ({"data": {"train": 10}}, "at least one batch"),
        ({"search": {"budget": 0}}, "search.budget must be at least 1, it is 0"),
        ({"control": {"random_splits": -1}}, "control.random_splits must be at least 0, it is -1"),
        ({"control": {"random_architectures": -1}}, "control.random_architectures must be at least 0"),
        ({"truth": {"alone": -1}}, "truth.alone must be at least 0"),
        ({"truth": {"queried": 0}}, "truth.queried must be at least 1"),
        ({"truth": {"top": -1}}, "truth.top must be at least 0"),
        ({"truth": {"every": 1, "alone": 0}}, "truth.every follows the ranking sample, which needs"),
        ({"optimizer": {"final_rate": 1.0}}, "optimizer.final_rate"),
        ({"optimizer": {"momentum": -3.0}}, r"optimizer.momentum must lie in 0 .. 1, it is -3"),
        ({"optimizer": {"clip": 0.0}}, "optimizer.clip must lie in"),
        ({"data": {"crop": -1}}, r"data.crop must lie in 0 .. inf, it is -1"),
        ({"search": {"algorithm": "nas"}}, r"unknown search.algorithm 'nas'; allowed: \['cross_path', .*'uniform'\]"),
        ({"selection": {"name": "best"}}, r"unknown selection.name 'best'; allowed: \['best_of_learnt', .*'"),
        ({"selection": {"score": "gradient_matching"}}, r"unknown selection.score 'gradient_matching'; allowed: "),
        ({"selection": {"recalibrate": -1}}, "selection.recalibrate must be at least 0, it is -1"),
        ({"selection": {"tune_epochs": -1}}, "selection.tune_epochs must be at least 0, it is -1"),
        ({"search": {"algorithm": "pc_darts"}}, "pc_darts trains a supernet of its own, .* needs --leaf-weights new"),
        ({"search": {"algorithm": "pc_darts"}, "net": {"channels": 6}}, "net.channels must be a multiple of 4 for pc_"),
        ({"search": {"mutation": 7.0}}, r"search.mutation must lie in 0 .. 1, it is 7"),
        ({"seed": -1}, "seed must be at least 0, it is -1"),
        ({"alone_epochs": 0}, "alone_epochs must be at least 1"),
    ],
)
def test_impossible_configs_are_refused_before_work(change, message) -> None:
    values = configs.to_dict(PRESETS["digits"])
    for name, given in change.items():
        values[name] = {**values[name], **given} if isinstance(given, dict) else given
    with pytest.raises(UserError, match=message):
        validate_few_shot(configs.from_dict(FewShotConfig, values))


def test_every_preset_passes_the_checks() -> None:
    for preset in PRESETS.values():
        validate_few_shot(preset)


def test_too_few_images_are_refused(context) -> None:
    dataset = load(context.config.data, 0)
    few = dataset._replace(valid=dataset.valid.take(np.arange(31)))
    with pytest.raises(UserError, match=r"128 training and 31 validation images are too few: .* 32\) and 32"):
        prepare(context.config, few)
    few = dataset._replace(train=dataset.train.take(np.arange(31)))
    with pytest.raises(UserError, match="31 training and 128 validation images are too few"):
        prepare(context.config, few)


def test_too_few_images_for_a_search_or_to_recalibrate_are_refused(context) -> None:
    dataset, config = load(context.config.data, 0), context.config
    wide = replace(config, data=replace(config.data, batch=64))
    few = dataset._replace(valid=dataset.valid.take(np.arange(40)))
    searches = (
        replace(wide, search=replace(config.search, algorithm="dsnas")),
        replace(wide, selection=SelectionConfig(name="perturbation", tune_epochs=1)),
    )
    for given in searches:
        with pytest.raises(UserError, match=r"40 validation images are too few for a batch \(data.batch 64\)"):
            prepare(given, few)
    with pytest.raises(UserError, match=r"recalibrate \(2\) takes 256 training images, there are 128"):
        prepare(replace(config, selection=SelectionConfig(recalibrate=2)), dataset)


def test_several_processes_share_uniform_paths_and_evolution_only(context, monkeypatch) -> None:
    monkeypatch.setattr(hosts, "processes", lambda: 2)
    validate_few_shot(replace(context.config, leaf_weights="new"))
    for other in ({"search": SearchConfig(algorithm="darts")}, {"selection": SelectionConfig(name="random")}):
        with pytest.raises(UserError, match="several processes share uniform paths and evolution only, not "):
            validate_few_shot(replace(context.config, **other))


def test_validation_batches_are_equal_and_leave_little_over(context) -> None:
    dataset, config = load(context.config.data, 0), context.config
    pool = dataset.train.take(np.arange(300) % len(dataset.train))
    found = prepare(config, dataset._replace(valid=pool)).valid.labels.shape
    assert found == (2, 150)  # two batches of at least 128, and not two of 128 with 44 images left over


def test_seeds_share_their_programs_and_nothing_else(context) -> None:
    other = prepare(replace(context.config, seed=5), load(context.config.data, 5))
    again = prepare(context.config, load(context.config.data, 0))
    assert other.programs is again.programs
    assert (np.asarray(other.train.images) != np.asarray(context.train.images)).any()
    keys = [purpose_key(p, purpose, i) for p in (context, other) for purpose in (0, 1) for i in (0, 1)]
    assert len({str(key) for key in keys}) == 8


def test_small_things(context) -> None:
    assert steps_per_epoch(context) == 4
    assert context.config.strategy == "loop"
    assert architecture_name(context, np.array([1, 2])) == "|skip_connect~0|+|nor_conv_3x3~1|"
