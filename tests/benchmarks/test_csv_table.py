"""CSV tables as spreadsheets, pandas and R write them: spellings, other columns, units, and what is said of each."""

import codecs
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnas.benchmarks import read_csv, read_table
from jaxnas.benchmarks.csv_table import DATASETS
from jaxnas.data import SOURCES
from jaxnas.spaces import TOY
from jaxnas.types import UserError
from tests.benchmarks.files import CELLS, TRUTH

ROWS = [",".join([cell, *(str(TRUTH[name][i]) for name in TRUTH)]) for i, cell in enumerate(CELLS)]
PLAIN = "".join(f"{line}\n" for line in [f"architecture,{','.join(TRUTH)}", *ROWS])


def same(path: Path) -> None:
    table = read_table(TOY, path)
    assert {name: values.tolist() for name, values in table.accuracies.items()} == TRUTH


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        read()
    return str(caught.value)


def written(path: Path, header: list[str], row: Callable[[int], list[object]], delimiter: str = ",") -> Path:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows([header, *(row(i) for i in range(9))])
    path.write_text(stream.getvalue())
    return path


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        gzip.compress(PLAIN.encode()),
        gzip.compress(PLAIN.encode("utf-16")),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", ";").replace(".", ",").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        ("\n \n" + PLAIN.replace("\n", ",,\n\n")).encode(),
        "\n".join(", ".join(f'"{cell}"' for cell in line.split(",")) for line in PLAIN.splitlines()).encode(),
        PLAIN.replace("architecture", "arch_str").encode(),
        PLAIN.replace("architecture", "arch").encode(),
        PLAIN.replace("architecture", " Architecture ").encode(),
        PLAIN.replace("imagenet16", "ImageNet16").replace("cifar10,", "CIFAR-10,").encode(),
        PLAIN.replace("\n", " %\n").replace("120 %", "120").encode(),
    ],
    ids=[
        *("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "gz", "gz of utf-16", "semicolons", "decimal commas", "tabs"),
        *("space after comma", "crlf", "cr", "blank lines and cells", "quoted", "arch_str", "arch", "capital"),
        *("spelt otherwise", "percent signs"),
    ],
)
def test_every_spelling_gives_the_same_table(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(content)
    same(path)


def others(i: int) -> list[object]:
    numbers = [TRUTH[name][i] for name in TRUTH]
    return [i, CELLS[i], *numbers, 0.1 * i, 12.5, 15.6e6, "a note, with a comma; and more", "na\u00efve"]


OTHERS = ["", "arch_str", *TRUTH, "params", "latency_ms", "flops", "note", "author"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_columns_that_are_no_data_sets_are_ignored_and_told(delimiter: str, encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", OTHERS, others, delimiter)
    path.write_bytes(path.read_text().encode(encoding))
    table = read_table(TOY, path)
    assert {name: values.tolist() for name, values in table.accuracies.items()} == TRUTH
    rest = "['', 'params', 'latency_ms', 'flops', 'note', 'author']"
    assert table.notes == (f"{path}: columns that are no data sets are ignored: {rest}",)
    assert table.source == "toy.csv"


def test_a_table_of_data_sets_alone_has_no_notes(tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_text(PLAIN)
    assert read_table(TOY, tmp_path / "toy.csv").notes == ()


def test_the_data_sets_of_runs_are_known() -> None:
    assert set(DATASETS) == {*SOURCES, "cifar10-valid"}


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["id", "Cell", "test acc", "cifar10"], lambda i: [i, CELLS[i], i + 2, 99])
    table = read_table(TOY, path, architecture="cell", datasets=["folder=test acc"])
    assert {name: values.tolist() for name, values in table.accuracies.items()} == {"folder": list(range(2, 11))}
    assert table.notes[0].endswith("are ignored: ['id', 'cifar10']")
    table = read_table(TOY, path, architecture="Cell", datasets=["Test_Acc", "CIFAR-10"])
    assert {*table.accuracies} == {"test_acc", "cifar10"}
    with pytest.raises(UserError, match=r"columns can be named of a CSV, and .*toy\.csv is to be read as compact"):
        read_table(TOY, path, "compact", datasets=["cifar10"])


def test_a_name_may_hold_the_sign_that_renames(tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["arch", "k=3", "k"], lambda i: [CELLS[i], i + 2, 99])
    assert {*read_table(TOY, path, datasets=["k=3"]).accuracies} == {"k=3"}
    assert read_table(TOY, path, datasets=["mine=k=3"]).accuracies["mine"].tolist() == list(range(2, 11))


@pytest.mark.parametrize(
    ("architecture", "datasets", "words"),
    [
        ("cell", [], "needs a column of architectures, 'cell'; it has the columns ['arch', 'mine']"),
        (None, [], "has no column of a known data set, ['digits', 'cifar10', 'cifar10-valid', "),
        (None, [], "--datasets of import-benchmark names none; it has the columns ['arch', 'mine']"),
        (None, ["yours"], "data set 'yours' must be a column beside that of architectures, or NAME=COLUMN"),
        (None, ["mine", "MINE"], "data set 'MINE' must be a column"),
        (None, ["arch"], "data set 'arch' must be a column"),
        (None, ["=mine"], "data set '=mine' must be a column"),
        (None, ["x=yours"], "data set 'x=yours' must be a column"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_those_that_are(
    architecture: str | None, datasets: list[str], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "toy.csv", ["arch", "mine"], lambda i: [CELLS[i], i + 2])
    assert words in refusal(lambda: read_table(TOY, path, architecture=architecture, datasets=datasets))


def test_an_unknown_text_is_told_with_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["cell", "cifar10"], lambda i: [CELLS[i], i], ";")
    message = refusal(lambda: read_table(TOY, path))
    assert "no known format: it is a text with the columns ['cell', 'cifar10']; expected" in message
    assert "a CSV with a column 'architecture'" in message


def test_a_number_that_was_cut_at_its_decimal_comma_is_told(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_text("arch,cifar10\n" + "".join(f"{cell},9{i},37\n" for i, cell in enumerate(CELLS)))
    message = refusal(lambda: read_table(TOY, path))
    assert f"{path} line 2 has 3 cells, the header has 2" in message and "decimal comma" in message


@pytest.mark.parametrize("value", ["1,000.5", "9_0", "\u0669", "1e1e1", "%", "ninety", "1.5.5", "nan", "101", "-1"])
def test_what_is_no_number_of_percent_is_refused(value: str, tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["arch", "cifar10"], lambda i: [CELLS[i], value if i == 4 else 50])
    assert "line 6: cifar10 must be a percentage from 0 to 100, not" in refusal(lambda: read_table(TOY, path))


@pytest.mark.parametrize("largest", ["0.9437", "1", "0"])
def test_fractions_are_refused(largest: str, tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["arch", "cifar10", "digits"], lambda i: [CELLS[i], largest if i else 0, 50])
    message = refusal(lambda: read_csv(TOY, path))
    assert f"{path}: 'cifar10' lies in 0 .. 1 for every architecture, up to {largest}, as fractions do" in message
    assert "accuracies are percent, so multiply them by 100" in message


def test_small_percentages_beside_larger_ones_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "toy.csv", ["arch", "cifar10"], lambda i: [CELLS[i], 1.01 if i == 4 else 0.5])
    assert read_csv(TOY, path).accuracies["cifar10"].max() == 1.01


def test_an_architecture_with_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    cells = ["|none~" + "9" * 5000 + "|+|none~1|", *CELLS[1:]]
    path = written(tmp_path / "toy.csv", ["arch", "cifar10"], lambda i: [cells[i], 50])
    assert f"{path} line 2" in refusal(lambda: read_table(TOY, path))


def test_a_packed_table_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv.gz"
    path.write_bytes(gzip.compress((PLAIN + " " * (65 << 20)).encode(), 1))
    assert "holds more than 64 MiB" in refusal(lambda: read_table(TOY, path))
    path.write_bytes(gzip.compress(PLAIN.encode())[:-9])
    assert f"{path}" in refusal(lambda: read_table(TOY, path))
    assert f"cannot read {path}: its gzip data are damaged or end early" in refusal(lambda: read_csv(TOY, path))


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
# The writer leaves a lone carriage return without quotes, and it ends a line for every reader.
NOTES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)


@st.composite
def spelt(draw: st.DrawFn) -> tuple[bytes, list[float]]:
    """A table of one data set in any spelling, and its true values."""
    values = draw(st.lists(st.integers(0, 10_000), min_size=9, max_size=9).filter(lambda v: max(v) > 100))
    delimiter, comma = draw(st.sampled_from(",;\t")), draw(st.booleans())
    numbers = [f"{value / 100:.2f}".replace(".", "," if comma else ".") for value in values]
    notes = draw(st.lists(NOTES, min_size=9, max_size=9))
    places = draw(st.permutations(range(4)))
    rows = [["arch_str", "CIFAR10", "params", "n\u00f6te"], *zip(CELLS, numbers, range(9), notes, strict=True)]
    rows[1:] = draw(st.permutations(rows[1:]))
    stream = io.StringIO()
    every = csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(stream, delimiter=delimiter, quoting=every, lineterminator=ends)
    writer.writerows([[row[place] for place in places] for row in rows])
    content = stream.getvalue().encode(draw(st.sampled_from(ENCODINGS)))
    return gzip.compress(content, 1) if draw(st.booleans()) else content, [value / 100 for value in values]


@given(spelt())
def test_any_table_in_any_spelling_gives_its_values(tmp_path: Path, table: tuple[bytes, list[float]]) -> None:
    content, values = table
    path = tmp_path / "table"
    path.write_bytes(content)
    found = read_table(TOY, path)
    assert found.accuracies["cifar10"].tolist() == values and set(found.accuracies) == {"cifar10"}
    assert "'params'" in found.notes[0]


@given(spelt(), st.data())
def test_a_changed_table_is_refused_or_holds_percent(
    tmp_path: Path, table: tuple[bytes, list[float]], data: st.DataObject
) -> None:
    content, path = bytearray(table[0]), tmp_path / "table"
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = read_table(TOY, path)
    except UserError as error:
        assert str(path) in str(error) and len(str(error)) < len(str(path)) + 2500
    else:
        assert all(((v >= 0) & (v <= 100)).all() and v.shape == (9,) for v in found.accuracies.values())


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table"
    path.write_bytes(content)
    for form in ("auto", "csv", "compact", "analog-nasbench", "nats-bench"):
        with pytest.raises(UserError):
            read_table(TOY, path, form)
