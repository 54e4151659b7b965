"""The command line of a run: presets, flags and suggestions, the dry run, bad input and exit codes."""

import gzip
import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas import config as configs
from jaxnas.few_shot import command as experiment
from jaxnas.few_shot import controls
from jaxnas.few_shot.forecast import Forecast, Work
from jaxnas.few_shot.forecast_table import seeds_text
from jaxnas.few_shot.presets import PRESETS
from jaxnas.types import UserError
from jaxnas.workdir import read_stages
from tests.data.files import idx_bytes, write_idx
from tests.few_shot.small import FLAGS, SMALL


@pytest.fixture(autouse=True)
def four_devices(monkeypatch) -> None:
    """The command would take a device for each core, and may not once others are in use."""
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")


def test_a_dry_run_prints_every_stage_and_writes_nothing(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    workdir = tmp_path / "w"
    assert experiment.main(["smoke", "--workdir", str(workdir), *FLAGS, "--dry-run"]) == 0
    told = capsys.readouterr().out
    for stage in ("warm-up", "split", "leaves", "search", "unsplit", "unsplit search", "random split 1"):
        assert f" {stage} " in told
    for stage in ("random split 1 search", "random alone", "trained alone", "together"):
        assert f" {stage} " in told
    assert "nothing was started" in told and "MiB" in told
    # No seed is finished. G*Power has 10 and 34 pairs for effects of 1 and .5.
    for deviation, seeds in (("0.50", 5), ("1.00", 10), ("2.00", 34)):
        assert f"if differences between seeds deviate by {deviation} points: {seeds} seeds, about" in told
    assert not list(tmp_path.iterdir())


def test_a_dry_run_reckons_with_the_deviation_of_finished_seeds(tmp_path, capsys, monkeypatch) -> None:
    """Differences of 1, 2 and 3 points deviate by 1, and need 10 seeds; of the forecast's seeds each takes a minute.

    A finished seed of another config does not count.
    """
    monkeypatch.setattr(experiment, "forecast", lambda *_: Forecast([Work("warm_up", 1, 1, 0)], [60.0], 0.0, 1))
    other = replace(SMALL, leaf_epochs=SMALL.leaf_epochs + 1)
    moved = replace(SMALL, strategy="vmap", data=replace(SMALL.data, root=tmp_path))  # as a run may go on
    for seed, (test, config) in enumerate(((61.0, SMALL), (62.0, moved), (63.0, SMALL), (90.0, other))):
        contenders = [{"name": "method", "test_accuracy": test}, {"name": "unsplit", "test_accuracy": 60.0}]
        (tmp_path / f"seed-{seed}").mkdir()
        made_of = configs.to_dict(replace(config, seed=seed))
        (tmp_path / f"seed-{seed}" / "config.json").write_text(json.dumps(made_of))
        (tmp_path / f"seed-{seed}" / "result.json").write_text(json.dumps({"contenders": contenders}))
    (tmp_path / "seed-4").mkdir()  # not finished
    arguments = ["smoke", "--workdir", str(tmp_path), *FLAGS, "--dry-run", "--seeds", "0", "1", "2", "4"]
    monkeypatch.setenv("COLUMNS", "120")
    assert experiment.main(arguments) == 0
    told = capsys.readouterr().out
    assert "together" in told and "4.0 minutes" in told
    said = "from unsplit, whose differences in the finished seeds deviate by 1.00 points: 10 seeds, about 10.0 minutes"
    assert said in told and "if differences" not in told
    assert "more than a million" in seeds_text(60, {"unsplit": 1e5})


def test_dotted_flags_override_a_preset_and_a_former_config_is_one(tmp_path) -> None:
    command = experiment.parse(["digits", "--workdir", "w", "--data.batch", "32", "--split.groups", "2", "3"])
    assert (command.workdir, command.config.data.batch, command.config.split.groups) == (Path("w"), 32, (2, 3))
    assert replace(command.config, data=PRESETS["digits"].data, split=PRESETS["digits"].split) == PRESETS["digits"]
    assert experiment.parse(["smoke", "--workdir", "w", *FLAGS]).config == SMALL
    file = tmp_path / "config.json"
    file.write_text(json.dumps(configs.to_dict(SMALL)))
    assert experiment.parse([str(file), "--workdir", "w", "--seed", "3"]).config == replace(SMALL, seed=3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["digitz", "--workdir", "w"], ["digitz", "Available subcommands", "digits", "cifar10-small"]),
        (["digits", "--workdir", "w", "--data.bach", "3"], ["--data.bach", "Perhaps you meant", "--data.batch"]),
        (["digits", "--workdir", "w", "--sed", "3"], ["Perhaps you meant", "--seed"]),
        (["digits", "--workdir", "w", "--strategy", "pmap"], ["pmap", "loop", "vmap", "shard"]),
        (["digits", "--workdir", "w", "--data.batch", "many"], ["--data.batch", "many"]),
        (["digits"], ["--workdir"]),
    ],
)
def test_unknown_names_on_the_command_line_say_what_is_meant(arguments, told, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        experiment.main(arguments)
    assert ended.value.code == 2
    shown = "".join(capsys.readouterr())
    assert all(word in shown for word in told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cifar10-small", "--data.root", "{tmp}"], "no cifar10 found at"),
        (["digits", "--data.name", "digitz"], "unknown data set 'digitz'; allowed"),
        (["digits", "--net.space", "darts"], "unknown search space 'darts'; allowed"),
        (["digits", "--seeds", "0", "0"], "--seeds must be two or more different numbers from 0 on, not [0, 0]"),
        (["digits", "--seeds", "1"], "--seeds must be two or more different numbers from 0 on, not [1]"),
        (["digits", "--truth.table", "{tmp}/none.csv"], "cannot read {tmp}/none.csv"),
        (["{tmp}/none.json"], "cannot read the config {tmp}/none.json"),
        (["digits", "--data.name", "mnist", "--data.root", "{tmp}/mnist", "--strict-data"], "{tmp}/mnist/"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, told, tmp_path, capsys) -> None:
    (tmp_path / "mnist").mkdir()
    write_idx(tmp_path / "mnist")
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert experiment.main([*given, "--workdir", str(tmp_path / "w")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and told.format(tmp=tmp_path) in error
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--search.budget", "2"], "error: random split 1, leaf 0 of 2: perturbation needs "),
        (
            ["--control.random-splits", "0", "--search.budget", "2"],
            "error: the supernet that is not split, leaf 0 of 1: ",
        ),
    ],
)
def test_a_control_that_cannot_be_is_refused_before_the_work_directory_is_made(
    dry, flags, told, tmp_path, capsys
) -> None:
    darts = ("--search.algorithm", "darts", "--leaf-weights", "new", "--selection.name", "perturbation")
    assert experiment.main(["smoke", "--workdir", str(tmp_path / "w"), *FLAGS, *darts, *flags, *dry]) == 2
    error = capsys.readouterr().err
    assert error.startswith(told) and error.count("\n") == 1
    assert not (tmp_path / "w").exists()


def test_a_control_of_a_later_seed_that_cannot_be_is_refused_before_the_first_seed(
    tmp_path, capsys, monkeypatch
) -> None:
    def random_trees(of) -> list:
        if of.config.seed == 3:
            raise UserError("the random split of seed 3")
        return []

    monkeypatch.setattr(controls, "random_trees", random_trees)
    assert experiment.main(["smoke", "--workdir", str(tmp_path), *FLAGS, "--seeds", "1", "3"]) == 2
    assert capsys.readouterr().err == "error: the random split of seed 3\n"
    assert not list(tmp_path.glob("seed-*"))


def test_files_that_are_not_the_official_ones_are_a_warning_or_strictly_an_error(tmp_path, capsys) -> None:
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        images, labels = np.zeros((n, 28, 28), np.uint8), (np.arange(n) % 10).astype(np.uint8)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images), 1))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels), 1))
    flags = ("--data.name", "mnist", "--data.root", str(tmp_path), "--data.train", "20", "--data.valid", "10")
    arguments = ["smoke", "--workdir", str(tmp_path / "w"), *flags, "--data.batch", "10"]
    assert experiment.main([*arguments, "--strict-data"]) == 2
    (strict,) = capsys.readouterr().err.splitlines()
    assert experiment.main(arguments) == 2
    *warnings, error = capsys.readouterr().err.splitlines()
    assert warnings.pop() == ("warning: of the validation part 10 images are also in the training part, pixel by pixel")
    assert len(warnings) == 4 and strict.removeprefix("error: ") == warnings[0].removeprefix("warning: ")
    assert "20 training and 10 validation images are too few" in error


def test_a_diverged_run_ends_with_3_and_says_where(tmp_path, capsys) -> None:
    flags = ("--optimizer.rate", "1e30", "--optimizer.clip", "1e30")
    assert experiment.main(["smoke", "--workdir", str(tmp_path / "w"), *FLAGS, *flags]) == 3
    error = capsys.readouterr().err
    assert "the training loss of leaf 0 is not finite from step" in error and error.count("\n") == 1
    assert not (tmp_path / "w" / "result.json").exists()


def test_a_run_stopped_at_the_keyboard_ends_with_130(tmp_path, capsys, monkeypatch) -> None:
    @contextmanager
    def stopping(console: Any) -> Any:
        def stop(stage: str, done: int, total: int, note: str) -> None:
            raise KeyboardInterrupt

        yield stop

    monkeypatch.setattr(experiment, "progress", stopping)
    assert experiment.main(["smoke", "--workdir", str(tmp_path / "w"), *FLAGS]) == 130
    assert capsys.readouterr().err == "stopped; the same command goes on from here\n"
    assert read_stages(tmp_path / "w")["warm_up"]["status"] == "running"
