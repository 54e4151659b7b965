"""NAS-Bench-201, the topology space of NATS-Bench: 4 nodes, 6 edges, 5 operations, 15,625 cells.

Dong & Yang, ICLR 2020.
"""

import random
from functools import lru_cache

import numpy as np

from jaxnas.spaces.base import SearchSpace

NAS_BENCH_201 = SearchSpace(
    name="nas-bench-201",
    ops=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    edges=((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)),
)
"""The `SearchSpace` of NAS-Bench-201, the topology space of NATS-Bench: 4 nodes, 6 edges, 5 operations, 15,625 cells.

Source:
    Dong & Yang, ICLR 2020.

Example:
    >>> from jaxnas import NAS_BENCH_201
    >>> cell = NAS_BENCH_201.decode("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|")
    >>> cell.op_ids
    (3, 0, 3, 1, 0, 4)
"""


@lru_cache(maxsize=1)
def benchmark_order() -> np.ndarray:
    """op_ids of every cell by the benchmark's own index, int32 [15625, 6]. Read-only.

    The benchmark numbered the cells by enumerating them, last edge fastest, and shuffling that list with
    Python's generator seeded 88; the same two steps give the same numbers here.
    """
    order = list(range(NAS_BENCH_201.size))
    random.Random(88).shuffle(order)
    table = NAS_BENCH_201.enumerate()[order]
    table.flags.writeable = False
    return table
