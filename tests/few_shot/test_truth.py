"""What is trained alone in a study is kept, trained once, and taken over from the parts of a study."""

from contextlib import contextmanager

import numpy as np
import pytest

from jaxnas.studies import truth
from jaxnas.studies.truth import ALONE, RANDOM_SEARCH, TRUTH, take_over, trained_alone
from jaxnas.types import QUIET
from jaxnas.workdir import append_rows, read_jsonl

OP_IDS = np.array([[1, 2], [2, 2], [2, 1], [2, 2]], np.int32)


@contextmanager
def stages(name: str):
    yield QUIET


def forbidden(*given):
    raise AssertionError("it was trained before")


def test_an_architecture_is_trained_once_and_means_the_same_in_any_part(context, tmp_path, monkeypatch) -> None:
    def found(folder: str, op_ids: np.ndarray, epochs: int = 1, purpose: int = TRUTH):
        (tmp_path / folder).mkdir(exist_ok=True)
        return trained_alone(context, tmp_path / folder, op_ids, epochs, purpose, context.valid, stages)

    whole = found("whole", OP_IDS)
    assert sorted(whole) == [(1, 2), (2, 1), (2, 2)] and len(read_jsonl(tmp_path / "whole" / ALONE)) == 3
    parts = {**found("a", OP_IDS[:1]), **found("b", OP_IDS[:2]), **found("b", OP_IDS[2:])}
    assert parts == whole and len(read_jsonl(tmp_path / "b" / ALONE)) == 3
    (tmp_path / "joined").mkdir()
    for _ in range(2):  # a merge that was stopped takes the same rows again
        take_over(tmp_path / "joined", [row for part in "ab" for row in read_jsonl(tmp_path / part / ALONE)])
    assert len(read_jsonl(tmp_path / "joined" / ALONE)) == 3
    monkeypatch.setattr(truth, "train_standalone", forbidden)
    assert found("joined", OP_IDS) == found("whole", OP_IDS) == whole
    for other in ({"epochs": 2}, {"purpose": RANDOM_SEARCH}):
        with pytest.raises(AssertionError, match="trained before"):
            found("whole", OP_IDS, **other)


def test_half_a_row_of_a_killed_run_is_trained_again(context, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(truth, "train_standalone", lambda context, op_ids, *rest: op_ids)
    monkeypatch.setattr(truth, "standalone_accuracy", lambda context, op_ids, *rest: op_ids.sum(1) * 10.0)
    append_rows(tmp_path / ALONE, [{"purpose": "alone", "epochs": 1, "op_ids": [1, 2], "accuracy": 5.0}])
    with open(tmp_path / ALONE, "a") as handle:
        handle.write('{"purpose": "alone", "epochs": 1, "op_i')
    found = trained_alone(context, tmp_path, OP_IDS, 1, TRUTH, context.valid, stages)
    assert found == {(1, 2): 5, (2, 1): 30, (2, 2): 40} and len(read_jsonl(tmp_path / ALONE)) == 3
