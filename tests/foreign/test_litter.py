"""What is passed over among files, and what is not."""

from pathlib import PurePath

import pytest

from jaxnas.foreign.litter import in_litter, is_litter


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "._000003.pickle.pbz2", "Thumbs.db", "desktop.ini", "__MACOSX", "000003 (1).pickle.pbz2"),
        *("cifar-10-python.tar (2).gz", "data_batch_1(1)", ".git", "@eaDir"),
    ],
)
def test_litter(name: str) -> None:
    assert is_litter(name) and in_litter(PurePath("a", name, "b"))


@pytest.mark.parametrize("name", ["000003.pickle.pbz2", "data_batch_1", "a (b).png", "(1)a.png", "thumbs.db.png", "1"])
def test_no_litter(name: str) -> None:
    assert not is_litter(name) and not in_litter(PurePath(".", "..", name))
