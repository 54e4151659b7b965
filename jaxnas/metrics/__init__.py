"""Metrics by name. A metric of one's own is a factory (network, space) -> Metric and a line in METRICS."""

from collections.abc import Callable

from jaxnas.metrics.base import Metric, Probe
from jaxnas.metrics.gradient_matching import gradient_matching
from jaxnas.metrics.probes import edge_similarity
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace

METRICS: dict[str, Callable[[Network, SearchSpace], Metric]] = {"gradient_matching": gradient_matching}

__all__ = ["METRICS", "Metric", "Probe", "edge_similarity", "gradient_matching"]
