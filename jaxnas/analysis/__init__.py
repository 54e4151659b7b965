"""Statistics of rankings; no jax."""

from jaxnas.analysis.ranks import RankCorrelation, rank_correlation

__all__ = ["RankCorrelation", "rank_correlation"]
