"""From the similarity of operations to a split tree; numpy only."""

from jaxnas.splitting.partition import Partition, best_partition, size_normalised_cut
from jaxnas.splitting.plan import check_groups, grow

__all__ = ["Partition", "best_partition", "check_groups", "grow", "size_normalised_cut"]
