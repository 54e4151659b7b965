"""Stratified division: exact sizes, every class near its share, and each class in each part where that can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas.data import Split, divide
from jaxnas.data.shares import class_shares

Case = tuple[list[int], list[int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Images of each class, and sizes of one to three parts that they suffice for."""
    counts = draw(st.lists(st.integers(0, 40) | st.integers(0, 3), min_size=1, max_size=12).filter(any))
    cuts = draw(st.lists(st.integers(1, sum(counts)), min_size=1, max_size=3, unique=True))
    return counts, np.diff([0, *sorted(cuts)]).tolist()


def numbered(counts: list[int]) -> Split:
    """Images [n, 1, 1, 2] of unique pixels, of so many in each class, in a mixed order."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    ids = np.arange(len(labels))
    return Split(np.stack([ids // 256, ids % 256], -1).astype(np.uint8)[:, None, None], labels, len(counts))


@settings(max_examples=300, deadline=None)
@given(cases(), st.integers(0, 2**32))
def test_a_division_is_exact_disjoint_stratified_and_fixed_by_its_seed(case: Case, seed: int) -> None:
    counts, sizes = case
    data, asked = numbered(counts), {str(i): size for i, size in enumerate(sizes)}
    parts, again = divide(data, asked, seed), divide(data, asked, seed)
    ids = [(part.images[:, 0, 0].astype(int) @ (256, 1)).tolist() for part in parts.values()]
    assert {name: len(part) for name, part in parts.items()} == asked
    assert len({i for part in ids for i in part}) == sum(sizes)
    for name, part, found in zip(parts, parts.values(), ids, strict=True):
        assert part.labels.tolist() == data.labels[found].tolist()
        np.testing.assert_array_equal(part.images, again[name].images)
    exact = np.array(counts)[:, None] * np.array(sizes) / sum(counts)
    if (exact[np.array(counts) > 0] >= 1).all():  # no part has to have more of a class than its share
        shares = np.stack([np.bincount(part.labels, minlength=len(counts)) for part in parts.values()], 1)
        assert (np.abs(shares - exact) < 1).all()


@settings(max_examples=300, deadline=None)
@given(cases())
def test_of_one_part_the_shares_are_those_of_the_largest_remainder(case: Case) -> None:
    counts, (size, *_) = case
    exact = np.array(counts) * size / sum(counts)
    remainder = exact - np.floor(exact)
    expected = np.floor(exact).astype(int)
    for c in sorted(range(len(counts)), key=lambda c: -remainder[c])[: size - expected.sum()]:
        expected[c] += 1
    found = class_shares(np.array(counts), [size])[:, 0]
    if (expected[np.array(counts) > 0] > 0).all():
        assert sorted(found - exact) == pytest.approx(sorted(expected - exact))
    else:  # a class that would have none gets one, as far as the size goes
        assert (found > 0).sum() == min(size, np.count_nonzero(counts))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any), st.data())
def test_as_few_classes_are_missing_as_can_be(counts: list[int], data: st.DataObject) -> None:
    """Compared with every table of whole numbers that there is."""
    n = sum(counts)
    train = data.draw(st.integers(1, n))
    valid = data.draw(st.integers(0, n - train))
    sizes = [train, valid] if valid else [train]

    def tables(rows: list[int], left: list[int]) -> list[list[tuple[int, int]]]:
        if not rows:
            return [[]] if left == [0, 0] else []
        pairs = [(a, b) for a in range(rows[0] + 1) for b in range(rows[0] - a + 1) if a <= left[0] and b <= left[1]]
        return [[pair, *rest] for pair in pairs for rest in tables(rows[1:], [left[0] - pair[0], left[1] - pair[1]])]

    every = np.array(tables(counts, [train, valid]))[..., : len(sizes)]  # [tables, C, P]
    weights = np.array([2, 1])[: len(sizes)]  # training images come first
    missing = ((every == 0) & (np.array(counts) > 0)[:, None]).sum(1) @ weights
    found = class_shares(np.array(counts), sizes)
    assert ((found == 0) & (np.array(counts) > 0)[:, None]).sum(0) @ weights == missing.min()


@pytest.mark.parametrize(
    ("counts", "sizes", "without"),
    [
        ([2] * 300, [450, 150], [0, 150]),  # both images of a class train, or one of them: no class is left out
        ([2] * 300, [300, 300], [0, 0]),
        ([200, 200, 2], [302, 100], [0, 0]),
        ([200, 200, 2], [400, 2], [0, 1]),
        ([200, 200, 1], [301, 100], [0, 1]),
        ([50] * 100, [60, 30], [40, 70]),  # parts smaller than the number of classes
        ([1000] + [2] * 50, [100, 100], [0, 0]),
    ],
)
def test_classes_that_a_part_lacks(counts: list[int], sizes: list[int], without: list[int]) -> None:
    for seed in range(3):
        parts = divide(numbered(counts), {"train": sizes[0], "valid": sizes[1]}, seed).values()
        assert [len(counts) - len(set(part.labels.tolist())) for part in parts] == without


def test_which_classes_get_more_follows_the_seed() -> None:
    data = numbered([2] * 30)
    held = [frozenset(divide(data, {"train": 45, "valid": 15}, seed)["valid"].labels.tolist()) for seed in range(12)]
    assert len(set(held)) == 12
    assert len(frozenset.union(*held)) == 30


def test_many_classes_are_divided() -> None:
    counts = np.random.default_rng(0).integers(1, 20, 5000)
    found = class_shares(counts, [20_000, 10_000])
    assert found.sum(0).tolist() == [20_000, 10_000]
    assert (found.sum(1) <= counts).all() and (found[:, 0] > 0).all() and (found[counts > 1] > 0).all()
