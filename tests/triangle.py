"""Three nodes, all joined: the smallest space in which every operation of every edge can be compared."""

from jaxnas.spaces import SearchSpace

TRIANGLE = SearchSpace("triangle", ("none", "skip_connect", "nor_conv_3x3"), ((1, 0), (2, 0), (2, 1)))
