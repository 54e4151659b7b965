"""What a split is worth: against definitions written out, all draws, simulation and published numbers."""

import itertools
import math

import numpy as np
import pytest

from jaxnas.analysis import is_partition, leaf_of, split_statistics, statistics_of_leaves, sub_supernets
from jaxnas.benchmarks import read_csv
from jaxnas.spaces import NAS_BENCH_201, membership, read_splits
from jaxnas.types import UserError


def sets_of(leaf: np.ndarray) -> np.ndarray:
    return np.stack([leaf == k for k in range(leaf.max() + 1)])


def case(levels: int | None, seed: int = 0, n: int = 230, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Sets [K, N] of unequal sizes and accuracies [N], rounded to so many levels."""
    rng = np.random.default_rng(seed)
    leaf = rng.permutation(np.concatenate([np.arange(k), rng.integers(0, k, n - k) ** 2 // k]))
    accuracies = rng.normal(60 + leaf, 8)
    return sets_of(leaf), accuracies if levels is None else np.round(accuracies * levels / 60) * 60 / levels


@pytest.mark.parametrize("levels", [None, 60, 12], ids=["no ties", "some ties", "many ties"])
def test_statistics_are_their_definitions_written_out(levels) -> None:
    sets, accuracies = case(levels)
    found, n = split_statistics(sets, accuracies), len(accuracies)
    threshold = sorted(accuracies, reverse=True)[round(0.01 * n) - 1]
    tops = [sum(a >= threshold for a in accuracies[s]) for s in sets]
    share, size = [t / sum(tops) for t in tops], [s.sum() / n for s in sets]
    between = sum(s.sum() * (accuracies[s].mean() - accuracies.mean()) ** 2 for s in sets)
    assert found.eta2 == pytest.approx(between / ((accuracies - accuracies.mean()) ** 2).sum())
    assert found.entropy_top1_bits == pytest.approx(-sum(p * math.log2(p) for p in share if p))
    assert found.kl_top1_bits == pytest.approx(sum(p * math.log2(p / q) for p, q in zip(share, size, strict=True) if p))
    assert found.max_share_top1 == pytest.approx(max(share))
    assert found.max_enrichment_top1 == pytest.approx(max(p / q for p, q in zip(share, size, strict=True)))
    assert found.subs_with_top1 == sum(t > 0 for t in tops)
    means = [accuracies[s].mean() for s in sets]
    assert found.regret_by_mean == pytest.approx(accuracies.max() - accuracies[sets[np.argmax(means)]].max())
    rng = np.random.default_rng(1)
    drawn = [rng.choice(accuracies[s], (40_000, 10)).max(1).mean() for s in sets]
    assert found.regret_by_expected_best_10 == pytest.approx(
        accuracies.max() - accuracies[sets[np.argmax(drawn)]].max()
    )


@pytest.mark.parametrize("levels", [None, 8], ids=["no ties", "ties"])
def test_the_best_of_one_each_is_that_of_all_draws(levels) -> None:
    sets, accuracies = case(levels, n=21, k=4)
    draws = list(itertools.product(*(accuracies[s] for s in sets)))
    assert split_statistics(sets, accuracies).one_per_sub == pytest.approx(sum(map(max, draws)) / len(draws))


def test_the_best_of_one_each_is_that_of_simulation_in_a_large_space() -> None:
    rng = np.random.default_rng(2)
    leaf = np.concatenate([np.arange(8), rng.choice(8, 15_617, p=[0.5, 0.2, 0.1, 0.08, 0.06, 0.03, 0.02, 0.01])])
    accuracies = np.round(rng.beta(8, 2, 15_625) * 90 + leaf / 2, 2)
    drawn = np.max([rng.choice(accuracies[leaf == k], 100_000) for k in range(8)], 0)
    found = split_statistics(sets_of(leaf), accuracies).one_per_sub
    assert found == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 100_000**0.5)


def test_a_split_worked_by_hand() -> None:
    accuracies = np.array([90.0, 80.0, 70.0, 60.0])
    found = split_statistics(np.array([[1, 0, 0, 1], [0, 1, 1, 0]], bool), accuracies)
    assert found.eta2 == 0 and found.entropy_top1_bits == 0 and found.kl_top1_bits == 1
    assert (found.max_share_top1, found.max_enrichment_top1, found.subs_with_top1) == (1, 2, 1)
    assert found.one_per_sub == pytest.approx((90 + 90 + 80 + 70) / 4)
    assert found.regret_by_mean == 0  # both means are 75: the first is taken
    assert found.regret_by_expected_best_10 == 0
    other = split_statistics(np.array([[0, 0, 1, 1], [1, 1, 0, 0]], bool), accuracies)
    assert other.eta2 == pytest.approx(4 * 100 / 500) and other.regret_by_mean == 0


def test_a_mean_may_choose_the_wrong_part_where_the_upper_tail_does_not() -> None:
    wide, narrow = np.array([95.0, *[20.0] * 9]), np.full(10, 70.0)
    sets = sets_of(np.repeat([0, 1], 10))
    found = split_statistics(sets, np.concatenate([wide, narrow]))
    # The wide part's best of 10 is 95 with probability 1 - .9 ** 10 = .651: 68.8 expected.
    assert found.regret_by_mean == 25 and found.regret_by_expected_best_10 == 25
    wide[1] = 90.0  # at least one of two good ones: .893
    assert split_statistics(sets, np.concatenate([wide, narrow])).regret_by_expected_best_10 == 0


def test_many_splits_at_once_are_each_alone() -> None:
    rng = np.random.default_rng(3)
    accuracies = np.round(rng.normal(70, 9, 300), 1)
    leaves = np.stack([rng.permutation(np.repeat([0, 1, 2], [200, 70, 30])) for _ in range(150)]).astype(np.uint16)
    together = statistics_of_leaves(leaves, accuracies)
    for i in (0, 63, 64, 149):
        alone = split_statistics(sets_of(leaves[i]), accuracies)
        assert [values[i] for values in together] == pytest.approx(list(alone), abs=1e-9)


def test_accuracies_that_are_all_equal_have_no_variance_to_share() -> None:
    found = split_statistics(sets_of(np.array([0, 1, 1])), np.full(3, 50.0))
    assert found.eta2 == 0 and found.one_per_sub == 50 and found.subs_with_top1 == 2


@pytest.mark.parametrize("levels", [None, 12], ids=["no ties", "ties"])
def test_sub_supernets_are_their_definitions_written_out(levels) -> None:
    sets, accuracies = case(levels, seed=4)
    sets[1] |= sets[0]  # explicit sets may overlap
    for inside, found in zip(sets, sub_supernets(sets, accuracies), strict=True):
        values = accuracies[inside]
        assert found[:6] == pytest.approx(
            (len(values), values.mean(), values.std(), values.min(), np.median(values), values.max())
        )
        for share, got in ((0.01, found.share_top1), (0.05, found.share_top5), (0.1, found.share_top10)):
            threshold = sorted(accuracies, reverse=True)[round(share * len(accuracies)) - 1]
            assert got == pytest.approx((values >= threshold).sum() / (accuracies >= threshold).sum())
        assert found.enrichment_top1 == pytest.approx(found.share_top1 / inside.mean())
        assert found.has_optimum == (accuracies.argmax() in np.flatnonzero(inside))
        assert found.regret == pytest.approx(accuracies.max() - values.max())
        rng = np.random.default_rng(5)
        for n, got in ((10, found.expected_best_of_10), (100, found.expected_best_of_100)):
            drawn = rng.choice(values, (20_000, n)).max(1)
            assert got == pytest.approx(drawn.mean(), abs=5 * drawn.std() / 20_000**0.5 + 1e-4)


def test_what_is_no_partition_is_told() -> None:
    whole = np.ones((1, 4), bool)
    assert is_partition(whole) and leaf_of(whole).tolist() == [0] * 4
    for sets, words in (
        ([[1, 1, 0, 0], [0, 1, 1, 0]], "0 are empty; of the architectures 1 in none and 1 in several"),
        ([[1, 1, 1, 1], [0, 0, 0, 0]], "1 are empty; of the architectures 0 in none and 0 in several"),
    ):
        assert not is_partition(np.array(sets, bool))
        with pytest.raises(UserError, match=words):
            split_statistics(np.array(sets, bool), np.arange(4.0))
    with pytest.raises(UserError, match=r"these have none: \[1\]"):
        sub_supernets(np.array([[1, 1], [0, 0]], bool), np.arange(2.0))


def test_the_published_splits_have_the_numbers_of_their_study(data_folder) -> None:
    table = read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv").accuracies
    eta2, right, regrets = {}, [0, 0], []
    for split in read_splits(NAS_BENCH_201, data_folder / "published_splits.json"):
        if split.metric.startswith("random"):
            continue
        found = split_statistics(membership(NAS_BENCH_201, split.masks), table[split.dataset])
        regrets.append((found.regret_by_mean, found.regret_by_expected_best_10))
        if split.metric == "gm":
            eta2[split.dataset] = found.eta2
            if split.dataset == "imagenet16-120":
                assert found.subs_with_top1 == 8
            if split.dataset == "cifar10":
                subs = sub_supernets(membership(NAS_BENCH_201, split.masks), table["cifar10"])
                assert sum(sub.n_top1 for sub in subs) == 157
    assert eta2 == pytest.approx({"cifar10": 0.035, "cifar100": 0.066, "imagenet16-120": 0.097}, abs=5e-4)
    right = (np.array(regrets) == 0).sum(0).tolist()
    assert right == [12, 24] and np.mean(regrets, 0) == pytest.approx([0.24, 0.05], abs=0.005)
