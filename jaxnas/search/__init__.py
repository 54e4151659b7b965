"""One-shot search: how architectures are drawn and weighed while a sub-supernet is trained."""

from collections.abc import Callable
from functools import partial

from jaxnas.search.alpha import Logits
from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext
from jaxnas.search.cross_path import cross_path
from jaxnas.search.darts import darts
from jaxnas.search.dirichlet import drnas
from jaxnas.search.enas import enas
from jaxnas.search.greedynas import greedynas
from jaxnas.search.gumbel import gdas, snas
from jaxnas.search.one_shot import one_shot
from jaxnas.search.pc_darts import pc_darts
from jaxnas.search.proxyless import proxyless
from jaxnas.search.sampling import sample_connected
from jaxnas.search.scored_paths import dsnas, reinforce
from jaxnas.search.setn import setn
from jaxnas.search.uniform import fairnas, uniform

ALGORITHMS: dict[str, Callable[..., SearchAlgorithm]] = {
    "uniform": uniform,
    "fairnas": fairnas,
    "darts": darts,
    "darts2": partial(darts, order="second"),
    "pc_darts": pc_darts,
    "snas": snas,
    "gdas": gdas,
    "dsnas": dsnas,
    "reinforce": reinforce,
    "drnas": drnas,
    "proxyless": proxyless,
    "proxyless2": partial(proxyless, gates="two"),
    "setn": setn,
    "one_shot": one_shot,
    "greedynas": greedynas,
    "enas": enas,
    "cross_path": cross_path,
}
"""Search algorithms by name: factories `space -> SearchAlgorithm`, with keyword settings.

Example:
    >>> import jax
    >>> from jaxnas import ALGORITHMS, SPACES
    >>> algorithm, mask = ALGORITHMS["fairnas"](SPACES["toy"]), SPACES["toy"].full_mask()
    >>> state = algorithm.init(jax.random.key(0), mask, None)  # what it learns: nothing, whatever the weights
    >>> algorithm.probabilities(state, mask).shape
    (2, 3)
"""

__all__ = ["ALGORITHMS", "Forwards", "Logits", "SearchAlgorithm", "StepContext", "darts", "sample_connected"]
