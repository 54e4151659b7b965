"""Reading tables of true accuracies, and refusing incomplete and damaged ones."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from jaxnas.benchmarks import Table, read_csv
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.types import UserError

OPS = ["none", "skip_connect", "nor_conv_3x3"]
HEADER = "index,architecture,cifar10,Digits"
CELLS = [f"|{a}~0|+|{b}~1|" for a, b in itertools.product(OPS, OPS)]
ROWS = [f"{i},{cell},{10 + i}.5,{90 - i}" for i, cell in enumerate(CELLS)]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_csv(TOY, path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("order", [range(9), range(8, -1, -1), [3, 1, 4, 0, 5, 8, 2, 6, 7]])
def test_values_are_found_whatever_the_order_of_rows(order: list[int], tmp_path: Path) -> None:
    table = read_csv(TOY, write(tmp_path / "toy.csv", HEADER, *(ROWS[i] for i in order)))
    op_ids = np.array([[0, 0], [2, 1], [1, 2], [2, 2], [2, 1]])
    assert table.query(op_ids, "cifar10").tolist() == [10.5, 17.5, 15.5, 18.5, 17.5]
    assert table.query(op_ids, "digits").tolist() == [90, 83, 85, 82, 83]


def test_values_lie_in_the_order_of_the_space(tmp_path: Path) -> None:
    table = read_csv(TOY, write(tmp_path / "toy.csv", HEADER, *reversed(ROWS)))
    assert table.accuracies["cifar10"].tolist() == [i + 10.5 for i in range(9)]
    assert table.query(TOY.enumerate(), "cifar10").tolist() == [i + 10.5 for i in range(9)]
    assert (table.source, table.space) == ("toy.csv", TOY)


def test_columns_may_come_in_any_order_without_an_index(tmp_path: Path) -> None:
    lines = [f"{i},{cell}" for i, cell in enumerate(CELLS)]
    table = read_csv(TOY, write(tmp_path / "toy.csv", "cifar10,architecture", *lines))
    assert table.query(np.array([[1, 0]]), "cifar10").tolist() == [3]
    assert set(table.accuracies) == {"cifar10"}


def test_a_data_set_that_is_not_in_the_table_is_told_with_those_that_are(tmp_path: Path) -> None:
    table = read_csv(TOY, write(tmp_path / "toy.csv", HEADER, *ROWS))
    with pytest.raises(UserError, match=r"toy\.csv has no accuracies on 'svhn'; it has \['cifar10', 'digits'\]"):
        table.query(np.array([[0, 0]]), "svhn")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.csv")


def test_a_folder_is_named(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize("header", ["index,cell,cifar10", "index,architecture", "architecture", "", "cifar10"])
def test_a_missing_column_is_told_with_those_wanted(header: str, tmp_path: Path) -> None:
    assert "'architecture'" in refusal(write(tmp_path / "toy.csv", header, *ROWS))


def test_a_data_set_in_two_columns_is_refused(tmp_path: Path) -> None:
    assert "two columns" in refusal(write(tmp_path / "toy.csv", "architecture,cifar10,CIFAR10", "a,1,2"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_bytes(b"")
    assert "'architecture'" in refusal(path)


@pytest.mark.parametrize(
    "cell",
    [
        "|avg_pool_3x3~0|+|none~1|",
        "|none~0|+|none~0|",
        "|none~0|",
        "|none~0|+|none~1|+|none~2|",
        "none",
        "",
        "|none~x|+|none~1|",
        "|none~²|+|none~1|",
    ],
    ids=["operation", "edge", "one-edge", "three-edges", "word", "empty", "source", "superscript"],
)
def test_an_unknown_architecture_is_told_with_its_line(cell: str, tmp_path: Path) -> None:
    rows = [*ROWS[:4], f"4,{cell},50,50", *ROWS[5:]]
    assert "line 6" in refusal(write(tmp_path / "toy.csv", HEADER, *rows))


def test_an_architecture_given_twice_is_told_with_its_line(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "toy.csv", HEADER, *ROWS, ROWS[4]))
    assert "line 11" in message
    assert CELLS[4] in message


@pytest.mark.parametrize("left", [0, 1, 7])
def test_missing_architectures_are_counted(left: int, tmp_path: Path) -> None:
    assert f"lacks {9 - left} of the 9" in refusal(write(tmp_path / "toy.csv", HEADER, *ROWS[:left]))


@pytest.mark.parametrize("value", ["120", "-0.1", "abc", "NaN", "inf", "", "0x10", "1e3"])
def test_a_value_that_is_no_percentage_is_told_with_line_and_column(value: str, tmp_path: Path) -> None:
    rows = [*ROWS[:7], f"7,{CELLS[7]},50,{value}", ROWS[8]]
    message = refusal(write(tmp_path / "toy.csv", HEADER, *rows))
    for words in ("line 9", "Digits", repr(value)):
        assert words in message


def test_a_row_that_ends_early_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 4" in refusal(write(tmp_path / "toy.csv", HEADER, *ROWS[:2], f"2,{CELLS[2]},50"))


@pytest.mark.parametrize("value", ["0", "100", " 42 "])
def test_the_ends_of_the_percentages_are_allowed(value: str, tmp_path: Path) -> None:
    rows = [*ROWS[:8], f"8,{CELLS[8]},{value},50"]
    table = read_csv(TOY, write(tmp_path / "toy.csv", HEADER, *rows))
    assert table.query(np.array([[2, 2]]), "cifar10").tolist() == [float(value)]


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 20, bytes(1000), b"\x1f\x8b\x08\x00" + bytes(range(200)), HEADER.encode("utf-16")],
    ids=["every-byte", "zeros", "gzip-like", "utf-16"],
)
def test_a_binary_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_bytes(content)
    refusal(path)


@pytest.fixture(scope="module")
def published(data_folder: Path) -> Table:
    return read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv")


@pytest.mark.parametrize(
    ("dataset", "mean", "best"),
    [("cifar10", 87.06, 94.37), ("cifar100", 61.41, 73.51), ("imagenet16-120", 33.59, 47.31)],
)
def test_the_benchmark_has_its_published_mean_and_best(
    dataset: str, mean: float, best: float, published: Table
) -> None:
    assert published.accuracies[dataset].mean() == pytest.approx(mean, abs=0.005)
    assert published.accuracies[dataset].max() == pytest.approx(best, abs=0.005)


def test_every_architecture_of_the_benchmark_is_found(published: Table, data_folder: Path) -> None:
    with open(data_folder / "nats_bench_tss_200epochs.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 15_625
    some = rows[::125]
    ops = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    parts = [row["architecture"].replace("+", "").strip("|").replace("||", "|").split("|") for row in some]
    op_ids = np.array([[ops.index(part.split("~")[0]) for part in cell] for cell in parts])
    assert published.query(op_ids, "cifar100").tolist() == [float(row["cifar100"]) for row in some]
    assert published.query(op_ids, "imagenet16-120").tolist() == [float(row["ImageNet16-120"]) for row in some]


def test_a_foreign_file_is_told_briefly(tmp_path: Path) -> None:
    path = tmp_path / "foreign.json"
    path.write_text("[" + ",".join(str(i) for i in range(5000)) + "]")
    with pytest.raises(UserError) as error:
        read_csv(TOY, path)
    assert "needs a column of architectures" in str(error.value) and len(str(error.value)) < len(str(path)) + 600
