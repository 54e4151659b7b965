"""What a metric is: two pure functions, what is measured of one probe and how two measurements compare."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnas.types import Array, Choice, Key, Params

Signature = Any  # whatever a metric measures: any pytree


class Probe(NamedTuple):
    """One operation alone on one edge, over a background: what a metric is told. Every field may be traced."""

    key: Key  # consumed by the metric
    params: Params
    choice: Choice  # float [E, O] or int [E]; the row of `edge` is one operation with weight 1
    mask: Array  # bool [E, O]: the sub-space
    edge: Array  # int []
    images: Array  # float [B, H, W, C], normalised
    labels: Array  # int [B]


class Metric(NamedTuple):
    """How alike two operations are."""

    measure: Callable[[Probe], Signature]
    compare: Callable[[Signature, Signature], Array]
    """(signature, signature) -> similarity []; larger = more alike"""
    dead: float
    """similarity to a disconnected network, applied by connectivity and not by what was measured"""
