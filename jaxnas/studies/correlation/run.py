"""How well metrics of untrained networks rank architectures: each scored alone, from weights of its own."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.analysis.ranks import rank_correlation
from jaxnas.data import Dataset, build_pipeline
from jaxnas.few_shot.validation import scalar_metrics, tiny_network
from jaxnas.metrics import METRICS, Metric, architecture_scores
from jaxnas.metrics.base import refusal
from jaxnas.nets import build_network
from jaxnas.spaces import SPACES, Architecture, SearchSpace
from jaxnas.studies.correlation.config import CorrelationConfig
from jaxnas.types import Array, UserError

DRAW, BATCH, WEIGHTS, SCORE = range(4)  # what a key is for
SMALLEST = 8  # images of a batch: ZiCo cuts it into four, and a norm needs two
NASLIB = "Krishnakumar et al., NAS-Bench-Suite-Zero (NeurIPS 2022): CIFAR-10, 1,000 architectures, validation accuracy"
PUBLISHED = {
    **{"naswot": 0.77, "jacob_cov": 0.75, "synflow": 0.73, "parameters": 0.72, "epe_nas": 0.70, "multiply_adds": 0.69},
    **{"l2_norm": 0.68, "grad_norm": 0.58, "snip": 0.58, "grasp": 0.51, "fisher": 0.50, "zen": 0.35, "plain": -0.26},
}
"""Spearman's rho of NASLIB, with the sign that the source scores by"""


class Scorer(NamedTuple):
    """The jitted programs of a run."""

    names: tuple[str, ...]
    run: Callable[[int, np.ndarray], dict[str, float]]
    """(number of the architecture, op_ids [E]) -> score by metric"""


def validate_correlation(config: CorrelationConfig) -> SearchSpace:
    """The space of a config. Raises UserError for an unknown space or metric, or a metric that scores nothing."""
    if config.net.space not in SPACES:
        raise UserError(f"unknown space {config.net.space!r}; allowed: {sorted(SPACES)}")
    space, known = SPACES[config.net.space], scalar_metrics()
    wrong = [name for name in config.metrics if name not in known]
    if wrong or len(set(config.metrics)) != len(config.metrics):
        raise UserError(f"metrics must be different ones of {known}, which score an architecture, not {config.metrics}")
    if not 5 <= config.architectures <= space.size:
        raise UserError(f"architectures must lie in 5 .. {space.size}, it is {config.architectures}")
    return space


def metrics_of(config: CorrelationConfig) -> tuple[str, ...]:
    """Names of the metrics that are compared."""
    return config.metrics or tuple(scalar_metrics())


def drawn_architectures(config: CorrelationConfig) -> np.ndarray:
    """The architectures to score, op_ids [A, E]: from the whole space, disconnected ones included, each once."""
    every = SPACES[config.net.space].enumerate()
    rng = np.random.default_rng([config.seed, DRAW])
    return every[rng.choice(len(every), config.architectures, replace=False)]


def build_scorer(config: CorrelationConfig, dataset: Dataset) -> Scorer:
    """Programs that draw weights for an architecture and score it on one batch, the same for all.

    Metrics of one module are one program, so that what they share is computed once. Raises UserError for a batch that
    the images cannot fill or that is too small to be cut, and, when run, for a score that is not finite.
    """
    space = validate_correlation(config)
    if not SMALLEST <= config.data.batch <= len(dataset.train):
        raise UserError(f"data.batch must lie in {SMALLEST} .. {len(dataset.train)} images, it is {config.data.batch}")
    shape, key = dataset.train.images.shape[1:], jax.random.key(config.seed)
    network = build_network(
        space,
        channels=config.net.channels,
        cells=config.net.cells,
        classes=dataset.train.classes,
        image_shape=shape,
        laid_out=0,  # many programs that run a few hundred times each
    )
    order = jax.random.permutation(jax.random.fold_in(key, BATCH), len(dataset.train))[: config.data.batch]
    raw, labels = dataset.train.images[np.asarray(order)], jnp.asarray(dataset.train.labels[np.asarray(order)])
    images = build_pipeline(config.data, dataset.colours).normalise(jnp.asarray(raw))
    names = metrics_of(config)
    families: dict[str, dict[str, Metric]] = {}
    for name in names:
        families.setdefault(METRICS[name].__module__, {})[name] = METRICS[name](network, space)
    programs = [jax.jit(architecture_scores(family, space)) for family in families.values()]
    init = jax.jit(network.init)

    def run(number: int, op_ids: np.ndarray) -> dict[str, float]:
        params = init(jax.random.fold_in(jax.random.fold_in(key, WEIGHTS), number))
        score_key = jax.random.fold_in(jax.random.fold_in(key, SCORE), number)
        found: dict[str, Array] = {}
        for program in programs:
            found |= program(score_key, params, jnp.asarray(op_ids), images, labels)
        scores = {name: float(found[name]) for name in names}
        bad = [name for name, value in scores.items() if not np.isfinite(value)]
        if bad:
            text = space.encode(Architecture(tuple(op_ids.tolist())))
            reason = refusal(METRICS[bad[0]](network, space))
            raise UserError(f"metric {bad[0]} is not finite ({scores[bad[0]]}) for architecture {text}{reason}")
        return scores

    return Scorer(names, run)


def correlations(scores: Sequence[dict[str, float]], truth: np.ndarray) -> list[dict[str, Any]]:
    """A row for each metric: Spearman and Kendall with their intervals, signed so that positive means good ranking."""
    network, space = tiny_network()
    rows = []
    for name in scores[0]:
        sign = 1 if METRICS[name](network, space).larger_is_better else -1
        found = rank_correlation(sign * np.array([row[name] for row in scores]), truth)
        row: dict[str, Any] = {"metric": name, "n": found.n}
        for kind, interval in (("spearman", found.spearman), ("kendall", found.kendall)):
            of = (None, None, None) if interval is None else interval[:3]
            row |= dict(zip((kind, f"{kind}_low", f"{kind}_high"), of, strict=True))
        rows.append({**row, "published": PUBLISHED.get(name)})
    return sorted(rows, key=lambda row: -(row["spearman"] if row["spearman"] is not None else -2))
