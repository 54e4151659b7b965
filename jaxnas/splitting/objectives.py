"""What a good grouping is: objectives of one edge, all to be minimised.

How the literature's names and signs map to ours (S: similarity, larger = more alike; D: distance, D = 1 - S or -S):

| source | its rule | here |
|---|---|---|
| metric-driven study, Eq. 3 (Ly-Manson et al. 2024) | smallest summed D between groups: it parts like from like | - |
| its code | D negated, so the smallest summed S between groups, any sizes | `cross_sum` |
| GM-NAS, NAS-Bench-201 code (Hu et al. 2022) | smallest summed D within, groups of 2 and 3 | `cross_sum`, min_size 2 |
| GM-NAS, DARTS-space code | the same; over edges, too, the smallest D within | `within_sum`, min_size 2 (equal sizes) |
| NAS-LID mincut (AAAI 2023) | largest summed S within, groups of 2 and 3 | `within_sum`, min_size 2 |
| NAS-LID spectral | spectral clustering of the weights 1 + S, a relaxation | `normalised_cut`, exact |
| Few-Shot NAS (Zhao et al. 2021) | every operation its own group | any; as many groups as operations |

On one edge `cross_sum` and `within_sum` choose alike: they differ by the sum of all pairs. Between edges they do not.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import numpy as np

from jaxnas.types import UserError

Groups = tuple[tuple[int, ...], ...]  # operation ids; each group ascending, groups by their first operation
Objective = Callable[[np.ndarray, Groups], float]  # (similarity [O, O], symmetric; the diagonal is not read, groups)


def size_normalised_cut(similarity: np.ndarray, groups: Groups) -> float:
    """Mean similarity between groups minus mean similarity within groups; similarity [O, O], symmetric.

    Means over pairs, so that positive similarities do not favour groups of 1 and 4 by the mere number of pairs, as
    the summed cut of the metric-driven study does. Without any pair inside a group (all groups of one operation)
    there is nothing to compare with, and the value is 0, what equal similarities would give. At least two operations.
    """
    group_of = {op: g for g, group in enumerate(groups) for op in group}
    # Exact sums of differences from one fixed pair: groupings that tie by arithmetic tie in floating point too,
    # and rounding decides nothing.
    first, second = sorted(group_of)[:2]
    base = float(similarity[first, second])
    within: list[float] = []
    between: list[float] = []
    for a, b in combinations(sorted(group_of), 2):
        (within if group_of[a] == group_of[b] else between).append(float(similarity[a, b]) - base)
    return math.fsum(between) / len(between) - math.fsum(within) / len(within) if within and between else 0.0


def cross_sum(similarity: np.ndarray, groups: Groups) -> float:
    """Sum of similarities over pairs of operations in different groups; similarity [O, O], symmetric.

    The cut of the metric-driven study's code and of GM-NAS. It grows with the number of pairs: positive similarities
    fall apart 1 against 4 (4 pairs), negative ones 2 against 3 (6 pairs), unless `min_size` forbids it.
    """
    return math.fsum(
        float(similarity[a, b]) for first, second in combinations(groups, 2) for a in first for b in second
    )


def within_sum(similarity: np.ndarray, groups: Groups) -> float:
    """Minus the sum of similarities over pairs of operations in the same group; similarity [O, O], symmetric."""
    return -math.fsum(float(similarity[a, b]) for group in groups for a, b in combinations(group, 2)) + 0.0  # no -0


def normalised_cut(similarity: np.ndarray, groups: Groups) -> float:
    """Sum over groups of the share of their weight that crosses the cut; similarity [O, O] of at least -1, symmetric.

    Ncut of Shi & Malik (TPAMI 2000), for k groups, with weights 1 + similarity (the affinity of NAS-LID) and no loops.
    A group without any weight counts 1, like one operation by itself. Raises UserError for a similarity below -1.
    """
    operations = sorted(op for group in groups for op in group)
    pairs = list(combinations(operations, 2))
    ratios = [float(similarity[pair]).as_integer_ratio() for pair in pairs]
    low = min((n / d for n, d in ratios), default=0.0)
    if low < -1:
        raise UserError(f"normalised_cut takes similarities of at least -1, for its weights are 1 + them, not {low:g}")
    # In whole numbers of one unit: groupings that tie by arithmetic tie here too.
    unit = max((d for _, d in ratios), default=1)
    weight = {pair: (n + d) * (unit // d) for pair, (n, d) in zip(pairs, ratios, strict=True)}
    shares = []
    for group in groups:
        cut = sum(weight[pair] for pair in pairs if (pair[0] in group) != (pair[1] in group))
        whole = cut + 2 * sum(weight[pair] for pair in combinations(group, 2))
        shares.append(Fraction(cut, whole) if whole else Fraction(1))
    return float(sum(shares))


OBJECTIVES: dict[str, Objective] = {
    "cross_mean_minus_within_mean": size_normalised_cut,
    "cross_sum": cross_sum,
    "within_sum": within_sum,
    "normalised_cut": normalised_cut,
}
