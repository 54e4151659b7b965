"""Metrics by name. A metric of one's own is a factory (network, space) -> Metric and a line in METRICS."""

from collections.abc import Callable

from jaxnas.metrics.base import Metric, Probe, scalar
from jaxnas.metrics.evaluation import accuracy, loss, random
from jaxnas.metrics.features import intrinsic_dimension, zen
from jaxnas.metrics.gradient_matching import gradient_distance, gradient_matching, gradient_matching_by_filter
from jaxnas.metrics.gradients import fisher, grad_norm, grasp, l2_norm, plain, sigeo, snip, zico
from jaxnas.metrics.hybrids import weighted
from jaxnas.metrics.jacobians import epe_nas, jacob_cov, ntk_condition, ntk_smallest
from jaxnas.metrics.patterns import linear_regions, naswot
from jaxnas.metrics.probes import (
    BACKGROUNDS,
    Readings,
    architecture_score,
    architecture_scores,
    counted,
    edge_readings,
    edge_similarity,
)
from jaxnas.metrics.structure import live_parameters, multiply_adds, nonlinear, parameters
from jaxnas.metrics.synflow import synflow
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace

METRICS: dict[str, Callable[[Network, SearchSpace], Metric]] = {
    metric.__name__: metric
    for metric in (
        gradient_matching,
        gradient_matching_by_filter,
        gradient_distance,
        grad_norm,
        snip,
        grasp,
        synflow,
        jacob_cov,
        ntk_condition,
        linear_regions,
        parameters,
        live_parameters,
        random,
        fisher,
        plain,
        l2_norm,
        naswot,
        epe_nas,
        zen,
        ntk_smallest,
        zico,
        sigeo,
        multiply_adds,
        nonlinear,
        intrinsic_dimension,
        loss,
        accuracy,
    )
}
"""Metrics by name: factories `(network, space) -> Metric`.

Example:
    >>> from jaxnas import METRICS, SPACES, build_network
    >>> network = build_network(SPACES["toy"], channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
    >>> metric = METRICS["loss"](network, SPACES["toy"])
    >>> metric.larger_is_better
    False
"""

__all__ = [
    "BACKGROUNDS",
    "METRICS",
    "Metric",
    "Probe",
    "Readings",
    "architecture_score",
    "architecture_scores",
    "counted",
    "edge_readings",
    "edge_similarity",
    "gradient_matching",
    "scalar",
    "weighted",
]
