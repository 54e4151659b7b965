"""Several metrics as one."""

import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Probe, Signature, measure_together
from jaxnas.types import Array


def weighted(*parts: tuple[float, Metric], ranks: bool = False) -> Metric:
    """A weighted sum of similarities: (weight, metric), ... Each part is measured on the same probe.

    Measurements that are one number are standardised over the operations of the edge that count, so that weights mean
    the same in any unit; with `ranks` they are replaced by their ranks before. Raises ValueError without parts.
    """
    if not parts:
        raise ValueError("a weighted metric needs at least one (weight, metric)")

    def measure(probe: Probe) -> Signature:
        return tuple(measure_together([metric for _, metric in parts], probe))

    def normalise(signatures: Signature, alive: Array) -> Signature:
        found = []
        for (_, metric), part in zip(parts, signatures, strict=True):
            part = metric.normalise(part, alive)
            if metric.larger_is_better is not None:
                part = _standardised(_ranks(part, alive) if ranks else part, alive)
            found.append(part)
        return tuple(found)

    def compare(a: Signature, b: Signature) -> Array:
        of_parts = zip(parts, a, b, strict=True)
        return sum((weight * metric.compare(x, y) for (weight, metric), x, y in of_parts), start=jnp.zeros(()))

    dead = tuple(metric.dead for _, metric in parts)
    reasons = dict.fromkeys(metric.not_finite for _, metric in parts if metric.not_finite)
    return Metric(measure, compare, dead, None, normalise, not_finite="; or ".join(reasons))


def _standardised(values: Array, counted: Array) -> Array:
    """[O] less their mean, over their deviation, both of those that count; 0 where all are equal."""
    number = jnp.maximum(counted.sum(), 1)
    centred = values - jnp.sum(jnp.where(counted, values, 0.0)) / number
    deviation = jnp.sqrt(jnp.sum(jnp.where(counted, jnp.square(centred), 0.0)) / number)
    return jnp.where(deviation > 0, centred / jnp.where(deviation > 0, deviation, 1.0), 0.0)


def _ranks(values: Array, counted: Array) -> Array:
    """Ranks among those that count, ties at their mean."""
    below = (values[None, :] < values[:, None]) & counted[None, :]
    equal = (values[None, :] == values[:, None]) & counted[None, :]
    return below.sum(1) + 0.5 * (equal.sum(1) - 1)
