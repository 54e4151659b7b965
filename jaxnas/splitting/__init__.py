"""From the similarity of operations to a split tree; numpy only."""

from jaxnas.splitting.choose import at_random, by_batches, by_similarity, choose_split
from jaxnas.splitting.edges import EDGE_RULES, looked_at, passes, scored_edges
from jaxnas.splitting.objectives import OBJECTIVES, cross_sum, normalised_cut, size_normalised_cut, within_sum
from jaxnas.splitting.partition import Partition, best_partition
from jaxnas.splitting.plan import by_count, grow
from jaxnas.splitting.settings import SPLIT_PRESETS, check_groups, check_settings
from jaxnas.splitting.ties import TIES
from jaxnas.splitting.trust import FEWEST, Repeats, Trust, agreement, bootstrap, repeats_needed

__all__ = [
    "EDGE_RULES",
    "FEWEST",
    "OBJECTIVES",
    "SPLIT_PRESETS",
    "TIES",
    "Partition",
    "Repeats",
    "Trust",
    "agreement",
    "at_random",
    "best_partition",
    "bootstrap",
    "by_batches",
    "by_count",
    "by_similarity",
    "check_groups",
    "check_settings",
    "choose_split",
    "cross_sum",
    "grow",
    "looked_at",
    "normalised_cut",
    "passes",
    "repeats_needed",
    "scored_edges",
    "size_normalised_cut",
    "within_sum",
]
