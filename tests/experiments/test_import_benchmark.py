"""The import command: what it prints and writes, and how it says no."""

from pathlib import Path

import numpy as np
import pytest

from jaxnas.benchmarks import read_table
from jaxnas.commands.import_benchmark import main
from jaxnas.spaces import TOY
from tests.benchmarks.files import CELLS, TRUTH, write_nats


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nats(tmp_path_factory.mktemp("import") / "NATS-tss-v1_0-3ffb9-simple")


def test_a_benchmark_becomes_one_small_table(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "toy.npz"
    for _ in range(2):  # the second time finds the same content
        assert main([str(folder), str(out), "--space", "toy"]) == 0
    told = capsys.readouterr().out
    assert "NATS-tss-v1_0-3ffb9-simple: NATS-Bench topology, 200 epochs, mean over seeds" in told
    assert "cifar10: mean 42.25, best 74.25 of |nor_conv_3x3~0|+|nor_conv_3x3~1|" in told
    assert "cifar100: mean 58.50, best 70.50 of |none~0|+|none~1|" in told
    table = read_table(TOY, out)
    assert {name: values.tolist() for name, values in table.accuracies.items()} == TRUTH
    assert f"sha256 {table.sha256}" in told


def test_a_table_can_be_imported_again(folder: Path, tmp_path: Path) -> None:
    assert main([str(folder), str(tmp_path / "a.npz"), "--space", "toy", "--format", "nats-bench"]) == 0
    assert main([str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), "--space", "toy"]) == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_columns_of_a_csv_are_named_and_the_others_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = "".join(f"{cell};{i + 2},5;{i}\n" for i, cell in enumerate(CELLS))
    (tmp_path / "mine.csv").write_text("cell;accuracy;params\n" + rows)
    arguments = [str(tmp_path / "mine.csv"), str(tmp_path / "mine.npz"), "--space", "toy"]
    assert main(arguments) == 2
    assert "it is a text with the columns ['cell', 'accuracy', 'params']" in capsys.readouterr().err
    assert main([*arguments, "--architecture-column", "cell"]) == 2
    assert "--datasets of import-benchmark names none" in capsys.readouterr().err
    assert main([*arguments, "--architecture-column", "cell", "--datasets", "folder=accuracy"]) == 0
    told = capsys.readouterr()
    assert told.err == f"note: {tmp_path / 'mine.csv'}: columns that are no data sets are ignored: ['params']\n"
    assert "folder: mean 6.50, best 10.50" in told.out
    assert read_table(TOY, tmp_path / "mine.npz").accuracies["folder"].tolist() == [i + 2.5 for i in range(9)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}", "{out}"], "is no architecture of nas-bench-201"),
        (["{folder}", "{out}", "--space", "darts"], "no space 'darts'; allowed: ['nas-bench-201', 'toy']"),
        (["{folder}", "{out}", "--space", "toy", "--format", "json"], "no format 'json'; allowed"),
        (["{folder}", "{out}", "--space", "toy", "--format", "csv"], "cannot read {folder}: Is a directory"),
        (
            ["{folder}", "{out}", "--space", "toy", "--format", "nats-bench", "--datasets", "cifar10"],
            "columns can be named of a CSV, and {folder} is to be read as nats-bench",
        ),
        (["{folder}x", "{out}", "--space", "toy"], "cannot read {folder}x"),
        (["{folder}", "{out}.csv", "--space", "toy"], "is an .npz file"),
        (["{folder}", "{out}/x.npz", "--space", "toy"], "cannot write {out}/x.npz"),
    ],
)
def test_bad_input_ends_with_one_sentence(
    arguments: list[str], words: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    names = {"folder": folder, "out": tmp_path / "toy.npz"}
    assert main([argument.format(**names) for argument in arguments]) == 2
    told = capsys.readouterr()
    assert words.format(**names) in told.err and told.err.count("\n") == 1 and told.out == ""
    assert not list(tmp_path.iterdir())


def test_another_file_is_not_overwritten(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.savez(tmp_path / "toy.npz", mine=1)
    before = (tmp_path / "toy.npz").read_bytes()
    assert main([str(folder), str(tmp_path / "toy.npz"), "--space", "toy"]) == 2
    assert "exists and is not this table" in capsys.readouterr().err
    assert (tmp_path / "toy.npz").read_bytes() == before
