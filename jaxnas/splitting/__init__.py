"""From the similarity of operations to a split tree; numpy only."""

from jaxnas.splitting.agreement import Tied, chance, jackknife_values, pairwise, rand_agreement
from jaxnas.splitting.choose import at_random, by_batches, by_similarity, choose_split
from jaxnas.splitting.edge_ranking import Grouped, edges_by_rule, possible, rank_edges
from jaxnas.splitting.edges import EDGE_RULES, edges_read_by, passes, scored_edges
from jaxnas.splitting.growing import by_count, grow
from jaxnas.splitting.objectives import OBJECTIVES, cross_sum, normalised_cut, size_normalised_cut, within_sum
from jaxnas.splitting.partition import Partition, best_partition
from jaxnas.splitting.reading import EdgeReading, Readings, as_readings, of_batches
from jaxnas.splitting.settings import SPLIT_PRESETS, check_groups, check_settings
from jaxnas.splitting.stability import FEWEST, Repeats, Stability, adjusted_rand_index, bootstrap, repeats_needed
from jaxnas.splitting.ties import TIES

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
    "Stability",
    "Tied",
    "adjusted_rand_index",
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
    "cross_sum",
    "edges_by_rule",
    "edges_read_by",
    "grow",
    "jackknife_values",
    "normalised_cut",
    "of_batches",
    "pairwise",
    "passes",
    "possible",
    "rand_agreement",
    "rank_edges",
    "repeats_needed",
    "scored_edges",
    "size_normalised_cut",
    "within_sum",
]
