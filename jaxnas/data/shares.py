"""How many images of each class each part of a stratified division gets: whole numbers near the exact shares."""

from collections.abc import Callable
from itertools import permutations

import numpy as np

MISSING, FAR = 1e7, 1e3  # what a class without an image costs, and each image beyond the rounded exact share
LEAST = -1e-6  # a change has to save more than rounding errors


def class_shares(counts: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Images int [C, P] of each class, `counts` [C], in each part; a part has `sizes` [P] in all.

    Of all whole numbers these are best in three respects, the first before the second before the third: classes that a
    part lacks though there are images of them (the first part before the later ones), images by which a part has more
    than its exact share rounded up or less than it rounded down, and squared distances from the exact shares, which is
    the rule of the largest remainder. Of classes that are alike the first gets more.

    Source: optimality of flows of convex costs without cycles that save (Ahuja, Magnanti and Orlin, 1993, chapter 14).
    """
    columns = np.array([*sizes, counts.sum() - sum(sizes)])  # what is left over is the last part, of any shares
    exact = counts[:, None] * columns / max(1, counts.sum())
    found = _one_part_after_the_other(counts, columns)
    missing = MISSING * 2.0 ** np.arange(len(sizes))[::-1]

    def cost(images: np.ndarray) -> np.ndarray:
        beyond = np.maximum(0, np.maximum(np.floor(exact) - images, images - np.ceil(exact)))
        each = (images - exact) ** 2 + FAR * beyond
        each[:, :-1] += missing * (images[:, :-1] <= 0)
        each[:, -1] = 0
        return np.where(images < 0, np.inf, each)

    while _improved(found, cost):
        pass
    return found[:, :-1]


def _one_part_after_the_other(counts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Images int [C, P] by the largest remainder of what the parts before have left."""
    left, parts = counts.copy(), []
    for size in columns:
        exact = left * size / max(1, left.sum())
        part = np.floor(exact).astype(int)
        more = np.argsort(part - exact, kind="stable")[: size - part.sum()]
        part[more] += 1
        parts.append(part)
        left = left - part
    return np.stack(parts, 1)


def _improved(found: np.ndarray, cost: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether images were moved between parts, in `found`, so that the sizes of the parts stay and the cost falls."""
    parts = found.shape[1]
    for cycle in (c for n in range(2, parts + 1) for c in permutations(range(parts), n) if c[0] == min(c)):
        now, more, less = cost(found), cost(found + 1), cost(found - 1)
        moves = []  # part -> part: what it costs to move an image of each class, the cheapest first
        for one, other in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            price = less[:, one] - now[:, one] + more[:, other] - now[:, other]
            order = np.argsort(price, kind="stable")
            moves.append((one, other, order, price[order]))
        saving = int(np.sum(np.sum([price for *_, price in moves], 0) < LEAST))
        if saving:
            for one, other, order, _ in moves:
                found[order[:saving], one] -= 1
                found[order[:saving], other] += 1
            return True
    return False
