"""From the similarity of operations to a split tree; numpy only."""

from jaxnas.splitting.choose import at_random, by_batches, by_similarity, choose_split
from jaxnas.splitting.concord import Tied, chance, concord, pair_values, pairwise
from jaxnas.splitting.edges import EDGE_RULES, looked_at, passes, scored_edges
from jaxnas.splitting.objectives import OBJECTIVES, cross_sum, normalised_cut, size_normalised_cut, within_sum
from jaxnas.splitting.partition import Partition, best_partition
from jaxnas.splitting.plan import by_count, grow
from jaxnas.splitting.reading import EdgeReading, Readings, as_readings, of_batches
from jaxnas.splitting.settings import SPLIT_PRESETS, check_groups, check_settings
from jaxnas.splitting.survey import Grouped, edges_taken, possible, survey
from jaxnas.splitting.ties import TIES
from jaxnas.splitting.trust import FEWEST, Repeats, Trust, agreement, bootstrap, repeats_needed

__all__ = [
    "EDGE_RULES",
    "FEWEST",
    "OBJECTIVES",
    "SPLIT_PRESETS",
    "TIES",
    "EdgeReading",
    "Grouped",
    "Partition",
    "Readings",
    "Repeats",
    "Tied",
    "Trust",
    "agreement",
    "as_readings",
    "at_random",
    "best_partition",
    "bootstrap",
    "by_batches",
    "by_count",
    "by_similarity",
    "chance",
    "check_groups",
    "check_settings",
    "choose_split",
    "concord",
    "cross_sum",
    "edges_taken",
    "grow",
    "looked_at",
    "normalised_cut",
    "of_batches",
    "pair_values",
    "pairwise",
    "passes",
    "possible",
    "repeats_needed",
    "scored_edges",
    "size_normalised_cut",
    "survey",
    "within_sum",
]
