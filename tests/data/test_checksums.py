"""Published sums and sizes: the table, and files that are and are not what was published."""

import re
from pathlib import Path

import pytest

from jaxnas.data import checksums
from jaxnas.data.checksums import KNOWN, Official, mismatches
from jaxnas.data.cifar import CIFAR10, CIFAR100
from jaxnas.data.idx import FILES
from jaxnas.data.imagenet16 import FILES as BATCHES
from jaxnas.types import UserError

ABC = "900150983cd24fb0d6963f7d28e17f72"  # md5 of "abc", RFC 1321, A.5


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file `sum` as published, and `size`."""
    monkeypatch.setitem(checksums.KNOWN, "letters", {"sum": Official(md5=ABC), "size": Official(size=3)})
    for name in ("sum", "size", "other"):
        (tmp_path / name).write_bytes(b"abc")
    return tmp_path


def test_files_as_published_are_told_nothing_of(published: Path) -> None:
    assert mismatches("letters", [published / name for name in ("sum", "size", "other")]) == ()


def test_another_sum_is_told_with_both(published: Path) -> None:
    (published / "sum").write_bytes(b"abd")
    (told,) = mismatches("letters", [published / "sum", published / "size"])
    for words in (str(published / "sum"), ABC, "4911e516e5aa21d327512e0c8b197616"):  # printf abd | md5sum
        assert words in told


def test_another_size_is_told_with_both(published: Path) -> None:
    (published / "size").write_bytes(b"abcd")
    (told,) = mismatches("letters", [published / "size"])
    assert "size in bytes is 4, published is 3" in told


def test_a_file_of_another_data_set_is_not_judged(published: Path) -> None:
    (published / "sum").write_bytes(b"abd")
    assert mismatches("digits", [published / "sum"]) == ()


def test_a_known_file_that_is_absent_is_an_error(published: Path) -> None:
    (published / "sum").unlink()
    with pytest.raises(UserError, match="sum"):
        mismatches("letters", [published / "sum"])


def test_every_entry_is_well_formed_and_of_a_file_that_a_reader_reads() -> None:
    sums = [official.md5 for known in KNOWN.values() for official in known.values() if official.md5]
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in sums)
    assert len(set(sums)) == len(sums) == 4 + 11 + 4
    idx = {f"{name}.gz" for names in FILES.values() for name in names}
    read = {
        "cifar10": {layout.archive for layout in CIFAR10.layouts},
        "cifar100": {layout.archive for layout in CIFAR100.layouts},
        "imagenet16-120": {*BATCHES["train"], *BATCHES["test"]},
        "mnist": idx,
        "fashion-mnist": idx,
    }
    assert {name: set(known) for name, known in KNOWN.items()} == read
