"""A space small enough to work by hand: a chain of two edges with three operations, 9 cells, 4 of them connected."""

from jaxnas.spaces.base import SearchSpace

TOY = SearchSpace(name="toy", ops=("none", "skip_connect", "nor_conv_3x3"), edges=((1, 0), (2, 1)))
