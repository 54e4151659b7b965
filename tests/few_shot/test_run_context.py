"""What is checked before any work, and what seeds share."""

import math
import tracemalloc
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from jaxnas import cli
from jaxnas import config as configs
from jaxnas.config import DataConfig, SearchConfig, SelectionConfig
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
        ({"optimizer": {"rate": -1.0}}, "optimizer.rate must be above 0, it is -1"),
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


def numbers(config: Any, kind: type, prefix: str = "") -> list[str]:
    """Dotted names of the numbers of a config that are of one type."""
    found = []
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            found += numbers(value, kind, f"{prefix}{field.name}.")
        elif kind.__name__ in str(field.type) and "tuple" not in str(field.type):
            found.append(prefix + field.name)
    return found


def with_value(config: FewShotConfig, name: str, value: Any) -> FewShotConfig:
    part, _, field = name.rpartition(".")
    return replace(config, **({part: replace(getattr(config, part), **{field: value})} if part else {field: value}))


@pytest.mark.parametrize("name", numbers(FewShotConfig(), float))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_by_its_own_name(name: str, value: float) -> None:
    with pytest.raises(UserError) as caught:
        validate_few_shot(with_value(PRESETS["smoke"], name, value))
    assert str(caught.value) == f"{name} must be a finite number, it is {value}"


@pytest.mark.parametrize("name", numbers(FewShotConfig(), int))
def test_an_integer_beyond_32_bits_is_refused_by_its_own_name(name: str) -> None:
    with pytest.raises(UserError) as caught:
        validate_few_shot(with_value(PRESETS["smoke"], name, 10**20))
    assert str(caught.value).startswith(f"{name} must lie in -2147483647 .. 2147483647, it is 1000")


@pytest.mark.parametrize("arguments", [["few-shot", "smoke"], ["search", "smoke"], ["drift", "smoke"]])
def test_every_command_refuses_a_number_that_is_none(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    assert cli.main([*arguments, "--workdir", "unused", "--optimizer.rate", "nan"]) == 2
    assert capsys.readouterr().err == "error: optimizer.rate must be a finite number, it is nan\n"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("net.channels", 10**9, "GiB of memory are needed, and there are"),
        ("net.cells", 10**9, "GiB of memory are needed, and there are"),
        ("split.batches", 10**9, "GiB of memory are needed, and there are"),
        ("control.random_splits", 10**9, "GiB of memory are needed, and there are"),
        ("data.crop", 10**9, "data.crop must be at most the side of the images, 8"),
        ("warmup_epochs", 10**9, "warmup_epochs must be at most 536870911, of 4 steps each"),
    ],
)
def test_what_needs_more_than_there_is_is_refused_before_arrays_are_made(name: str, value: int, told: str) -> None:
    dataset = load(PRESETS["smoke"].data, 0)
    tracemalloc.start()
    with pytest.raises(UserError) as caught:
        prepare(with_value(PRESETS["smoke"], name, value), dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told in str(caught.value) and name in str(caught.value) and peak < 2**24


def test_images_that_no_memory_holds_are_refused_before_one_is_read() -> None:
    config = replace(PRESETS["smoke"], data=DataConfig(name="folder", size=10**9))
    with pytest.raises(UserError, match=r"data.size 1000000000, data.batch 64: at least .* GiB of memory are needed"):
        validate_few_shot(config)
