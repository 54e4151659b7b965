"""Statistics of rankings, intervals and what random choice gives; no jax."""

from jaxnas.analysis.intervals import Interval, expected_best, mean_interval, share_interval, stratified_mean
from jaxnas.analysis.ranks import RankCorrelation, rank_correlation, top_share

__all__ = [
    "Interval",
    "RankCorrelation",
    "expected_best",
    "mean_interval",
    "rank_correlation",
    "share_interval",
    "stratified_mean",
    "top_share",
]
