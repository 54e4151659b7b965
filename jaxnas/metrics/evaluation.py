"""Scores that look at nothing but the outputs, and the control that looks at nothing."""

import jax

from jaxnas.metrics.base import Metric, Probe, scalar
from jaxnas.metrics.weights import build_loss
from jaxnas.nets.cells import is_path
from jaxnas.nets.losses import percent_correct
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array


def loss(network: Network, space: SearchSpace) -> Metric:
    """Cross-entropy on the probe's images with batch statistics, in nats: a validation loss on validation images."""
    of = build_loss(network)
    measure = lambda probe: of(probe.params, probe.images, probe.labels, probe.choice)  # noqa: E731
    return scalar(measure, disconnected_value=None, larger_is_better=False)


def accuracy(network: Network, space: SearchSpace) -> Metric:
    """Accuracy on the probe's images with batch statistics, percent."""

    def measure(probe: Probe) -> Array:
        return percent_correct(network.forward(probe.params, probe.images, probe.choice)[0], probe.labels)

    return scalar(measure, disconnected_value=None)


def random(network: Network, space: SearchSpace) -> Metric:
    """A standard normal number for each probe: the control of a metric."""

    def measure(probe: Probe) -> Array:
        ids = probe.choice if is_path(probe.choice) else probe.choice.argmax(-1)
        key = probe.key
        for e in range(len(space.edges)):  # probes of one background share a key
            key = jax.random.fold_in(key, ids[e])
        return jax.random.normal(key)

    return scalar(measure, disconnected_value=None)
