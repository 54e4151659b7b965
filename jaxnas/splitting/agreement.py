"""How far groupings of the same edges agree beyond chance: adjusted Rand indices, ties counted as draws."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from jaxnas.splitting.objectives import Groups
from jaxnas.splitting.stability import adjusted_rand_index

DRAWS = 1000
Tied = Sequence[Groups]  # the groupings of one edge with exactly the best value; one, where nothing ties


def rand_agreement(a: Tied, b: Tied) -> float:
    """Expected adjusted Rand index of two groupings of an edge, each drawn uniformly of its exact ties."""
    return float(np.mean([_rand_index(x, y) for x in a for y in b]))


def pairwise(runs: Sequence[Sequence[Tied]]) -> np.ndarray:
    """Mean over edges of `rand_agreement` for every pair of runs, say one for each seed; runs [S][E] -> float [S, S].

    The diagonal is 1: a run agrees with itself.
    """
    found = np.eye(len(runs))
    for (i, a), (j, b) in combinations(enumerate(runs), 2):
        found[i, j] = found[j, i] = np.mean([rand_agreement(*pair) for pair in zip(a, b, strict=True)])
    return found


def jackknife_values(matrix: np.ndarray) -> np.ndarray:
    """Jackknife pseudo-values, one a run, of the mean over pairs of runs; matrix [S, S] -> [S].

    Pairs share runs and are not independent; the pseudo-values are nearly so, and their mean is the mean over pairs
    (Efron & Tibshirani 1993). Of two runs the one pair is returned, which allows no interval.
    """
    count = len(matrix)

    def mean(kept: np.ndarray) -> float:
        return float(matrix[np.ix_(kept, kept)][np.triu_indices(len(kept), 1)].mean())

    runs = np.arange(count)
    if count == 2:
        return np.array([mean(runs)])
    return np.array([count * mean(runs) - (count - 1) * mean(np.delete(runs, i)) for i in runs])


def chance(
    runs: Sequence[Sequence[Groups]],
    possible: Sequence[Sequence[Groups]],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> np.ndarray:
    """The mean over pairs of runs and over edges where every grouping is drawn anew; [draws].

    runs [S][E]: groupings whose sizes are kept; possible [E]: those that each edge allows, of which any of the same
    sizes is as likely. On an edge that allows all groupings its mean is 0 but for the draw.
    """
    total = np.zeros(draws)
    for edge, allowed in enumerate(possible):
        table = np.array([[_rand_index(a, b) for b in allowed] for a in allowed])
        sizes = [sorted(map(len, groups)) for groups in allowed]
        drawn = []
        for run in runs:
            alike = [i for i, of in enumerate(sizes) if of == sorted(map(len, run[edge]))]
            drawn.append(rng.choice(alike, draws))
        pairs = [table[a, b] for a, b in combinations(drawn, 2)]
        total += np.mean(pairs, axis=0)
    return total / len(possible)


@lru_cache(maxsize=4096)
def _rand_index(a: Groups, b: Groups) -> float:
    return adjusted_rand_index([a, b])
