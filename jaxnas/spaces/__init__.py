"""What can be built: numpy only, hashable, no weights."""

from jaxnas.spaces.base import Architecture, SearchSpace
from jaxnas.spaces.nas_bench_201 import NAS_BENCH_201
from jaxnas.spaces.split_file import NamedSplit, membership, read_splits, tree_of
from jaxnas.spaces.subspace import SubSpace, explicit, masked
from jaxnas.spaces.toy import TOY

SPACES: dict[str, SearchSpace] = {space.name: space for space in (NAS_BENCH_201, TOY)}
"""Search spaces by name: a `SearchSpace` each.

Example:
    >>> from jaxnas import SPACES
    >>> [(name, space.shape) for name, space in SPACES.items()]
    [('nas-bench-201', (6, 5)), ('toy', (2, 3))]
"""

__all__ = [
    "NAS_BENCH_201",
    "SPACES",
    "TOY",
    "Architecture",
    "NamedSplit",
    "SearchSpace",
    "SubSpace",
    "explicit",
    "masked",
    "membership",
    "read_splits",
    "tree_of",
]
