"""From what R batches measured to one similarity: scores are averaged before they are compared, similarities after.

The mean over batches of |a - b| grows with the noise of a batch, whatever the operations; |mean(a - b)| does not.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.metrics.base import Metric, Signature
from jaxnas.types import Array

Values = Any
"""what is kept of R batches: of a metric that is one number its scores [R, O], of another its similarities [R, O, O],
of a weighted sum a tuple of those of its parts"""


def gathered(metric: Metric, signatures: Signature, open_ops: Array) -> Values:
    """What is kept of one batch, from the signatures [O, ...] of all operations; 0 for closed ones, bool [O]."""
    if metric.parts:
        of_parts = zip(metric.parts, signatures, strict=True)
        return tuple(gathered(part, of, open_ops) for (_, part), of in of_parts)
    if metric.larger_is_better is not None:
        return jnp.where(open_ops, signatures, 0.0)
    values = jax.vmap(jax.vmap(metric.compare, (None, 0)), (0, None))(signatures, signatures)
    return jnp.where(open_ops[:, None] & open_ops[None, :], values, 0.0)


def pooled(metric: Metric, values: Values, shares: Array, compared: Array) -> Array:
    """The similarity [..., O, O] of batches that count by `shares` [..., R], which sum to 1; numpy or traced arrays.

    compared bool [O]: the operations that take part; rows of the others mean nothing. Scores in a weighted sum are
    standardised over those that take part (or their ranks are), after the mean over batches.
    """
    if metric.parts:
        found = 0.0
        for (weight, part), of in zip(metric.parts, values, strict=True):
            if part.larger_is_better is None:
                found = found + weight * pooled(part, of, shares, compared)
            else:
                scores = _mean(of, shares)
                scores = _standardised(_ranks(scores, compared) if metric.ranks else scores, compared)
                found = found - weight * abs(scores[..., :, None] - scores[..., None, :])
        return found
    mean = _mean(values, shares)
    return mean if metric.larger_is_better is None else metric.compare(mean[..., :, None], mean[..., None, :])


def _mean(values: Array, shares: Array) -> Array:
    """Of values [R, ...]; equal entries in every batch have equal means."""
    within = values.ndim - 1
    weights = shares.reshape(*shares.shape, *(1,) * within)
    return (weights * values.reshape(*(1,) * (shares.ndim - 1), *values.shape)).sum(shares.ndim - 1)


def _standardised(values: Array, compared: Array) -> Array:
    """[..., O] less their mean, over their deviation, both of those that take part; 0 where all are equal."""
    counted = compared.reshape(*(1,) * (values.ndim - 1), -1).astype(values.dtype)
    number = counted.sum().clip(1)
    centred = values - (values * counted).sum(-1, keepdims=True) / number
    deviation = ((centred**2 * counted).sum(-1, keepdims=True) / number) ** 0.5
    return centred / (deviation + (deviation == 0).astype(values.dtype))


def _ranks(values: Array, compared: Array) -> Array:
    """Ranks among those that take part, ties at their mean."""
    counted = compared.reshape(*(1,) * values.ndim, -1)
    below = (values[..., None, :] < values[..., :, None]) & counted
    equal = (values[..., None, :] == values[..., :, None]) & counted
    return below.sum(-1).astype(values.dtype) + 0.5 * (equal.sum(-1) - 1).astype(values.dtype)
