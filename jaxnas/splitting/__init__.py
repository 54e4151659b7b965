"""From the similarity of operations to a split tree; numpy only."""

from jaxnas.splitting.partition import Partition, best_partition, size_normalised_cut
from jaxnas.splitting.plan import at_random, by_similarity, check_groups, grow

__all__ = [
    "Partition",
    "at_random",
    "best_partition",
    "by_similarity",
    "check_groups",
    "grow",
    "size_normalised_cut",
]
