"""Which settings of a split can be, and those of the literature."""

import itertools
import math

from jaxnas.config import SplitConfig
from jaxnas.spaces.base import SearchSpace
from jaxnas.splitting.edges import EDGE_RULES
from jaxnas.splitting.objectives import OBJECTIVES
from jaxnas.splitting.stability import FEWEST
from jaxnas.splitting.ties import TIES
from jaxnas.types import UserError

SPLIT_PRESETS: dict[str, SplitConfig] = {
    # Ly-Manson et al. (2024), as their code does it: edges 1<-0, 2<-0, 2<-1 one after the other, one batch, the summed
    # cut without balance, and silently the first of ties: {none} against the rest. Their code splits 2<-1 also where
    # 1<-0 is {none} and 2<-1 changes nothing; such a node stays whole here.
    "original-study": SplitConfig(
        groups=(2, 2, 2),
        batches=1,
        background="uniform",
        objective="cross_sum",
        edges="fixed",
        order=(0, 1, 2),
        ties="lowest",
    ),
    # Hu et al. (2022) on NAS-Bench-201, as their code does it: 2 levels, 100 batches, groups of 2 and 3, and among the
    # edges that are still whole the cheapest cut. The background is that of its gradient-based searches.
    "gm-nas": SplitConfig(
        groups=(2, 2),
        batches=100,
        background="uniform",
        objective="cross_sum",
        edges="cheapest_cut",
        ties="lowest",
        min_size=2,
    ),
}


def check_groups(space: SearchSpace, groups: tuple[int, ...], leaves: int | None = None) -> int:
    """K, the number of leaves. Raises UserError for groups that no edge allows, or another K than they give."""
    most = len(space.ops)
    wrong = [k for k in groups if not 2 <= k <= most]
    if wrong or not groups:
        raise UserError(f"split.groups must be numbers of groups from 2 to {most} (operations), not {list(groups)}")
    product = math.prod(groups)
    if leaves is not None and leaves != product:
        raise UserError(
            f"split.groups {list(groups)} give K = {product} leaves, not {leaves}; allowed: {product} with these "
            f"groups, or groups whose product is {leaves}: {_groups_with_product(leaves, most) or 'there are none'}"
        )
    return product


def check_settings(space: SearchSpace, settings: SplitConfig) -> None:
    """Raises UserError for an unknown rule, groups that no edge is large enough for, an order that is too short, or a
    stability that is no share or has too few batches."""
    for name, registry in (("objective", OBJECTIVES), ("edges", EDGE_RULES), ("ties", TIES)):
        if getattr(settings, name) not in registry:
            raise UserError(f"unknown split.{name} {getattr(settings, name)!r}; allowed: {sorted(registry)}")
    check_groups(space, settings.groups, settings.leaves)
    (edges, most), largest = space.shape, max(settings.groups)
    if not 1 <= settings.min_size <= most // largest:
        raise UserError(
            f"split.min_size must be from 1 to {most // largest}, as {largest} groups of {most} operations allow, "
            f"not {settings.min_size}"
        )
    level, batches = settings.stability, settings.batches
    if level is not None and not 0 < level <= 1:
        raise UserError(f"split.stability must lie in (0, 1], a share of resamplings, or be left out, not {level:g}")
    if level is not None and (batches < 2 * FEWEST or batches % FEWEST):
        raise UserError(
            f"split.batches must be a multiple of {FEWEST}, from {2 * FEWEST} on, where split.stability is given: they "
            f"are scored {FEWEST} at a time until two looks agree; it is {batches}"
        )
    order, levels = settings.order, len(settings.groups)
    if settings.edges == "fixed" and (len(set(order)) < levels or not set(order) <= set(range(edges))):
        raise UserError(
            f"split.order must name {levels} different edges from 0 to {edges - 1}, one for each level, "
            f"not {list(order)}"
        )


def _groups_with_product(leaves: int, most: int) -> list[list[int]]:
    found = []
    for length in range(1, max(leaves, 1).bit_length() + 1):
        options = itertools.combinations_with_replacement(range(2, most + 1), length)
        found += [list(option) for option in options if math.prod(option) == leaves]
    return found
