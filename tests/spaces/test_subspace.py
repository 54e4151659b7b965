"""Parts of a space: a mask and the set of its architectures are the same part, and draws are uniform."""

import numpy as np
import pytest

from jaxnas.spaces import NAS_BENCH_201, TOY, explicit, masked
from jaxnas.types import UserError

MASK = np.array([[True, False, True], [True, True, True]])
CELLS = {(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)}


def both():
    inside = np.array([tuple(row) in CELLS for row in TOY.enumerate().tolist()])
    return masked(TOY, MASK), explicit(TOY, inside)


@pytest.mark.parametrize("part", both(), ids=["mask", "set"])
def test_a_mask_and_its_set_hold_the_same_architectures(part) -> None:
    assert part.size == 6
    found = part.contains(TOY.enumerate())
    assert {tuple(row) for row in TOY.enumerate()[found].tolist()} == CELLS
    assert part.contains(np.array([2, 1])) and not part.contains(np.array([1, 2]))
    assert part.contains(TOY.enumerate().reshape(3, 3, 2)).tolist() == found.reshape(3, 3).tolist()


@pytest.mark.parametrize("part", both(), ids=["mask", "set"])
def test_draws_are_uniform_and_fixed_by_the_generator(part) -> None:
    drawn = part.sample(np.random.default_rng(0), 600)
    assert drawn.shape == (600, 2)
    cells, counts = np.unique(drawn, axis=0, return_counts=True)
    assert {tuple(row) for row in cells.tolist()} == CELLS
    assert ((counts - 100) ** 2 / 100).sum() < 20.5  # chi-squared of 5 degrees, its 99.9 % point
    np.testing.assert_array_equal(drawn, part.sample(np.random.default_rng(0), 600))


def test_a_set_need_not_be_a_mask() -> None:
    cells = NAS_BENCH_201.enumerate()
    same = explicit(NAS_BENCH_201, (cells == cells[:, :1]).all(1))
    assert same.size == 5
    assert same.contains(np.array([3] * 6)) and not same.contains(np.array([3, 3, 3, 3, 3, 2]))
    assert set(same.sample(np.random.default_rng(0), 100).sum(1).tolist()) == {0, 6, 12, 18, 24}


@pytest.mark.parametrize("members", [np.zeros(9, bool), np.ones(8, bool), np.ones(9, int), np.ones((3, 3), bool)])
def test_members_that_are_no_part_are_refused(members) -> None:
    with pytest.raises(UserError, match="members must be 9 truth values"):
        explicit(TOY, members)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(UserError, match=r"shape \(2, 3\)"):
        masked(TOY, NAS_BENCH_201.full_mask())
