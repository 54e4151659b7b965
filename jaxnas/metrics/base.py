"""What a metric is: two pure functions, what is measured of one probe and how two measurements compare."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.types import Array, Choice, Key, Params

Signature = Any  # whatever a metric measures: any pytree


class Probe(NamedTuple):
    """What a metric is told: one operation alone on one edge over a background, or one architecture (`edge` -1).

    Every field may be traced.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jaxnas import METRICS, SPACES, Probe, build_network
        >>> network = build_network(SPACES["toy"], channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
        >>> mask, images, labels = np.ones((2, 3), bool), np.zeros((4, 8, 8, 3), np.float32), np.zeros(4, int)
        >>> probe = Probe(jax.random.key(0), None, np.array([2, 2]), mask, -1, images, labels)  # two convolutions
        >>> float(METRICS["nonlinear"](network, SPACES["toy"]).measure(probe))  # which reads no weights
        2.0
    """

    key: Key  # consumed by the metric
    params: Params
    choice: Choice  # float [E, O] or int [E]; the row of `edge` is one operation with weight 1
    mask: Array  # bool [E, O]: the sub-space
    edge: Array  # int []; -1: no edge is probed, `choice` is the architecture that is scored
    images: Array  # float [B, H, W, C], normalised
    labels: Array  # int [B]


class Metric(NamedTuple):
    """How alike two operations are and, where the measurement is one number, how good an architecture is.

    Two pure functions: what is measured of one probe, and how two measurements compare.

    Example:
        >>> from jaxnas import Metric
        >>> metric = Metric(lambda probe: probe.images.mean(), lambda a, b: -abs(a - b), disconnected_value=0.0)
        >>> metric.compare(3.0, 5.0)  # what two operations measured
        -2.0
    """

    measure: Callable[[Probe], Signature]
    compare: Callable[[Signature, Signature], Array]
    """(signature, signature) -> similarity []; larger = more alike. Of one number it is given means over batches, numpy
    or traced, and works element by element"""
    disconnected_value: Any
    """what is measured of a disconnected network: a number for every entry of the signature, or for every entry of
    each of its parts; put there by connectivity, and `measure` is not asked. None: measured like any other. It scores
    architectures; operations are compared where they are connected"""
    larger_is_better: bool | None = None
    """of a measurement that is one number; None: a signature that orders nothing"""
    parts: tuple[tuple[float, "Metric"], ...] = ()
    """weights and metrics of a weighted sum, whose signature is the tuple of theirs"""
    ranks: bool = False
    """whether scores of a weighted sum are replaced by their ranks"""
    shared_stage: tuple[Callable[[Probe], Any], Callable[[Probe, Any], Signature]] | None = None
    """`measure` as two steps, if other metrics can share the first, which they then name by the same function"""
    not_finite: str = ""
    """why a measurement of a connected network is not finite, and what helps: the end of the message that refuses it"""


def refusal(metric: Metric) -> str:
    """What follows the sentence that a measurement is not finite."""
    return f": {metric.not_finite}" if metric.not_finite else ""


def scalar(
    measure: Callable[[Probe], Array], disconnected_value: float | None, larger_is_better: bool = True
) -> Metric:
    """The metric of one number []: two operations are the more alike, the less their means over batches differ."""
    return Metric(measure, lambda a, b: -abs(a - b), disconnected_value, larger_is_better)


def halved(
    first: Callable[[Probe], Any],
    second: Callable[[Probe, Any], Array],
    disconnected_value: float | None,
    larger_is_better: bool = True,
) -> Metric:
    """The metric of one number that `second(probe, shared)` makes of what `first(probe)` computes for several."""
    metric = scalar(lambda probe: second(probe, first(probe)), disconnected_value, larger_is_better)
    return metric._replace(shared_stage=(first, second))


def measure_together(metrics: Sequence[Metric], probe: Probe) -> list[Signature]:
    """What each measures of one probe; shared stages that are the same function run once."""
    shared: dict[Callable[[Probe], Any], Any] = {}
    found = []
    for metric in metrics:
        if metric.shared_stage is None:
            found.append(metric.measure(probe))
            continue
        first, second = metric.shared_stage
        if first not in shared:
            shared[first] = first(probe)
        found.append(second(probe, shared[first]))
    return found


def settle(metric: Metric, signature: Signature, connected: Array) -> Signature:
    """The signature, or the declared value in its place unless the probe is connected, bool []."""

    def fill(value: float | None, part: Signature) -> Signature:
        if value is None:
            return part
        return jax.tree.map(lambda leaf: jnp.where(connected, leaf, jnp.asarray(value, leaf.dtype)), part)

    return jax.tree.map(fill, metric.disconnected_value, signature, is_leaf=lambda value: value is None)
