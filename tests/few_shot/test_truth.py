"""What is trained alone in a study is kept, trained once, and taken over from the parts of a study."""

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from jaxnas.studies import truth
from jaxnas.studies.truth import ALONE, RANDOM_SEARCH, TRUTH, trained_alone
from jaxnas.types import QUIET
from jaxnas.workdir import open_journal
from jaxnas.workdir.journal import FILE

OP_IDS = np.array([[1, 2], [2, 2], [2, 1], [2, 2]], np.int32)


@contextmanager
def stages(name: str):
    yield QUIET


def forbidden(*given):
    raise AssertionError("it was trained before")


def test_an_architecture_is_trained_once_and_means_the_same_in_any_part(context, tmp_path, monkeypatch) -> None:
    def found(folder: str, op_ids: np.ndarray, epochs: int = 1, purpose: int = TRUTH):
        (tmp_path / folder).mkdir(exist_ok=True)
        journal = open_journal(tmp_path / folder)
        return trained_alone(context, journal, op_ids, epochs, purpose, context.valid, stages)

    def kept(folder: str) -> list[int]:
        return [len(values) for _, values in open_journal(tmp_path / folder).under(ALONE)]

    whole = found("whole", OP_IDS)
    assert sorted(whole) == [(1, 2), (2, 1), (2, 2)] and kept("whole") == [3]
    parts = {**found("a", OP_IDS[:1]), **found("b", OP_IDS[:2]), **found("b", OP_IDS[2:])}
    assert parts == whole and kept("b") == [2, 1]
    (tmp_path / "joined").mkdir()
    for _ in range(2):  # a merge that was stopped takes the same units again
        for part in "ab":
            for unit, value in open_journal(tmp_path / part).under(ALONE):
                open_journal(tmp_path / "joined").once(unit, partial(lambda of: of, value))
    assert kept("joined") == [1, 2, 1]
    monkeypatch.setattr(truth, "train_standalone", forbidden)
    assert found("joined", OP_IDS) == found("whole", OP_IDS) == whole
    for other in ({"epochs": 2}, {"purpose": RANDOM_SEARCH}):
        with pytest.raises(AssertionError, match="trained before"):
            found("whole", OP_IDS, **other)


def test_half_a_unit_of_a_killed_run_is_trained_again(context, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(truth, "train_standalone", lambda context, op_ids, *rest: op_ids)
    monkeypatch.setattr(truth, "standalone_accuracy", lambda context, op_ids, *rest: op_ids.sum(1) * 10.0)
    open_journal(tmp_path).once([ALONE, "alone", 1, [[1, 2]]], lambda: [5.0])
    with open(tmp_path / FILE, "a") as handle:
        handle.write('{"key": ["alone", "alone", 1, [[2,')
    found = trained_alone(context, open_journal(tmp_path), OP_IDS, 1, TRUTH, context.valid, stages)
    assert found == {(1, 2): 5, (2, 1): 30, (2, 2): 40} and len(open_journal(tmp_path).under(ALONE)) == 2
