"""What a split is worth, from true accuracies: where the good architectures lie, and what choosing a part costs.

A split is given as sets, bool [K, N]: which of N architectures each of K sub-supernets holds
(`jaxnas.spaces.membership` makes them of masks). The top p % are all architectures at least as good as the one of
rank round(p N / 100), ties included. Everything is exact, on the sorted accuracies.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from jaxnas.analysis.intervals import expected_best
from jaxnas.analysis.ranks import top_share
from jaxnas.types import UserError

DRAWS = 10  # architectures drawn of each sub-supernet by the rule "expected best of 10"
CHUNK = 64  # splits computed at a time: their arrays stay within some ten megabytes


class SubSupernet(NamedTuple):
    """One sub-supernet; accuracies in percent."""

    n_architectures: int
    mean: float
    std: float  # of the population
    min: float
    median: float
    max: float
    n_top1: int  # of the top 1 % of the whole space
    share_top1: float  # of the top 1 % of the space, the share that lies here
    share_top5: float
    share_top10: float
    enrichment_top1: float  # share of the top 1 % by share of the space
    expected_best_of_10: float  # drawn with replacement
    expected_best_of_100: float
    has_optimum: bool
    regret: float  # optimum of the space minus the best here


class SplitStatistics(NamedTuple):
    """A whole split; for several splits at once each field is an array [T]."""

    eta2: float | np.ndarray  # share of the variance of accuracy that lies between sub-supernets
    entropy_top1_bits: float | np.ndarray  # of the distribution of the top 1 % over sub-supernets
    kl_top1_bits: float | np.ndarray  # divergence of that distribution from the distribution of sizes
    max_share_top1: float | np.ndarray
    max_enrichment_top1: float | np.ndarray
    subs_with_top1: float | np.ndarray  # sub-supernets that hold one of the top 1 %
    one_per_sub: float | np.ndarray  # expected best of one architecture drawn of each sub-supernet, percent
    regret_by_mean: float | np.ndarray  # of choosing the sub-supernet of the largest true mean, points
    regret_by_expected_best_10: float | np.ndarray  # of choosing it by the true expected best of 10 drawn, points


def is_partition(sets: np.ndarray) -> bool:
    """Whether every architecture is in exactly one set, and no set is empty. sets bool [K, N]."""
    return bool((sets.sum(0) == 1).all() and sets.any(1).all())


def leaf_of(sets: np.ndarray) -> np.ndarray:
    """The set of every architecture. sets bool [K, N] -> int [N]. Raises UserError if they are no partition."""
    if sets.ndim != 2 or not is_partition(sets):
        held, empty = sets.sum(0), int((~sets.any(-1)).sum())
        counts = f"{int((held == 0).sum())} in none and {int((held > 1).sum())} in several"
        raise UserError(f"the sub-supernets are no partition: {empty} are empty; of the architectures {counts}")
    return sets.argmax(0).astype(leaf_type(len(sets)))


def leaf_type(count: int) -> type[np.unsignedinteger]:
    """The smallest type of the numbers of so many leaves: numpy sorts up to 16 bits by counting, 8 twice as fast."""
    return np.uint8 if count <= 256 else np.uint16


def sub_supernets(sets: np.ndarray, accuracies: np.ndarray) -> list[SubSupernet]:
    """Each of K sets, bool [K, N], which may overlap; accuracies [N], percent. Raises UserError for an empty set."""
    empty = np.flatnonzero(~sets.any(1)).tolist()
    if empty:
        raise UserError(f"every sub-supernet needs an architecture; these have none: {empty}")
    tops = [top_share(accuracies, share) for share in (0.01, 0.05, 0.1)]
    return [_sub_supernet(inside, accuracies, tops) for inside in sets]


def split_statistics(sets: np.ndarray, accuracies: np.ndarray) -> SplitStatistics:
    """A partition as a whole. sets bool [K, N]; accuracies [N], percent. Raises UserError if it is no partition."""
    found = statistics_of_leaves(leaf_of(sets)[None], accuracies)
    return SplitStatistics(*(float(np.asarray(values)[0]) for values in found))


def statistics_of_leaves(leaves: np.ndarray, accuracies: np.ndarray) -> SplitStatistics:
    """T partitions at once. leaves int [T, N]: numbers from 0, as many of each in every row; -> arrays [T].

    All choose one sub-supernet; of equal ones the first.
    """
    order = np.argsort(accuracies, kind="stable")
    values = np.asarray(accuracies, float)[order]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # numpy lets other threads run while it computes
        starts = range(0, len(leaves), CHUNK)
        parts = list(pool.map(lambda i: _chunk(leaves[i : i + CHUNK][:, order], values), starts))
    return SplitStatistics(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _sub_supernet(inside: np.ndarray, accuracies: np.ndarray, tops: list[np.ndarray]) -> SubSupernet:
    values = accuracies[inside]
    shares = [float(top[inside].sum() / top.sum()) for top in tops]
    return SubSupernet(
        n_architectures=len(values),
        mean=float(values.mean()),
        std=float(values.std()),
        min=float(values.min()),
        median=float(np.median(values)),
        max=float(values.max()),
        n_top1=int(tops[0][inside].sum()),
        share_top1=shares[0],
        share_top5=shares[1],
        share_top10=shares[2],
        enrichment_top1=shares[0] * len(accuracies) / len(values),
        expected_best_of_10=expected_best(values, 10),
        expected_best_of_100=expected_best(values, 100),
        has_optimum=bool(values.max() == accuracies.max()),
        regret=float(accuracies.max() - values.max()),
    )


def _chunk(leaves: np.ndarray, values: np.ndarray) -> SplitStatistics:
    """leaves [T, N] and values [N], both from the worst architecture to the best."""
    n, sizes = len(values), np.bincount(leaves[0])
    starts = np.cumsum(sizes) - sizes
    by_leaf = np.argsort(leaves, axis=1, kind="stable")  # leaf after leaf, each from its worst to its best
    grouped = values[by_leaf]
    top = leaves[:, top_share(values, 0.01)]  # the leaves of the top 1 %
    tops = np.stack([(top == k).sum(1) for k in range(len(sizes))], 1)  # [T, K]
    rank, size = np.arange(n) - np.repeat(starts, sizes), np.repeat(sizes, sizes)  # the same for every row

    def of_leaf(numbers: np.ndarray) -> np.ndarray:
        return np.add.reduceat(numbers, starts, axis=1)  # [T, K]

    mean, share, part = of_leaf(grouped) / sizes, tops / top.shape[1], sizes / n
    best = grouped[:, starts + sizes - 1]
    best_of_10 = of_leaf(grouped * (((rank + 1) / size) ** DRAWS - (rank / size) ** DRAWS))
    spread = ((values - values.mean()) ** 2).sum()
    bits = np.log2(share, out=np.zeros_like(share), where=share > 0)
    return SplitStatistics(
        eta2=((mean - values.mean()) ** 2 @ sizes) / spread if spread > 0 else np.zeros(len(leaves)),
        entropy_top1_bits=-(share * bits).sum(1),
        kl_top1_bits=(share * (bits - np.log2(part))).sum(1),
        max_share_top1=share.max(1),
        max_enrichment_top1=(share / part).max(1),
        subs_with_top1=(share > 0).sum(1).astype(float),
        one_per_sub=_one_of_each(by_leaf, rank, starts, values),
        regret_by_mean=values[-1] - _chosen(best, mean),
        regret_by_expected_best_10=values[-1] - _chosen(best, best_of_10),
    )


def _chosen(best: np.ndarray, score: np.ndarray) -> np.ndarray:
    # Sums in another order differ in their last digits, and must not decide between equal leaves.
    return np.take_along_axis(best, np.round(score, 9).argmax(1)[:, None], 1)[:, 0]


def _one_of_each(by_leaf: np.ndarray, rank: np.ndarray, starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Expected best of one drawn of each leaf: the best is at most values[i] with the product of the leaves' shares
    up to i. That product is 0 until every leaf has begun, and each further member multiplies it by (rank + 1) / rank.
    """
    growth = np.where(rank > 0, np.log1p(1 / np.maximum(rank, 1)), 0.0)
    steps = np.empty(by_leaf.shape)
    np.put_along_axis(steps, by_leaf, np.broadcast_to(growth, by_leaf.shape), 1)
    # From the best downwards: all shares are 1 there.
    product = np.exp(-np.cumsum(steps[:, :0:-1], axis=1)[:, ::-1])  # [T, N - 1]
    product[np.arange(len(values) - 1) < by_leaf[:, starts].max(1)[:, None]] = 0
    return values[-1] - product @ np.diff(values)
