"""Several metrics as one."""

import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Probe, Signature, measure_together
from jaxnas.types import Array


def weighted(*parts: tuple[float, Metric], ranks: bool = False) -> Metric:
    """A weighted sum of similarities: (weight, metric), ... Each part is measured on the same probe.

    Measurements that are one number are averaged over batches and then standardised over the operations of the edge
    that take part, so that weights mean the same in any unit; with `ranks` they are replaced by their ranks before.
    Raises ValueError without parts.
    """
    if not parts:
        raise ValueError("a weighted metric needs at least one (weight, metric)")

    def measure(probe: Probe) -> Signature:
        return tuple(measure_together([metric for _, metric in parts], probe))

    def compare(a: Signature, b: Signature) -> Array:  # of two probes; operations of an edge are compared by `pooled`
        of_parts = zip(parts, a, b, strict=True)
        return sum((weight * metric.compare(x, y) for (weight, metric), x, y in of_parts), start=jnp.zeros(()))

    dead = tuple(metric.disconnected_value for _, metric in parts)
    reasons = dict.fromkeys(metric.not_finite for _, metric in parts if metric.not_finite)
    return Metric(measure, compare, dead, parts=parts, ranks=ranks, not_finite="; or ".join(reasons))
