"""Statistics of rankings and of splits, intervals and what random choice gives; no jax."""

from jaxnas.analysis.ceiling import Ceiling, ceiling
from jaxnas.analysis.comparisons import Comparison, against, compare
from jaxnas.analysis.crossed import Crossed, crossed_difference, crossed_kendall, reliability
from jaxnas.analysis.intervals import (
    Interval,
    best_of_random,
    draws_worth,
    expected_best,
    mean_interval,
    sample_mean,
    share_interval,
)
from jaxnas.analysis.nulls import Null, Shape, edge_share, null, percentiles, random_trees, shape_of
from jaxnas.analysis.power import power_of, seeds_needed
from jaxnas.analysis.ranks import (
    RankCorrelation,
    SplitKendall,
    kendall,
    kendall_tau,
    pearson,
    rank_correlation,
    sparse_kendall,
    spearman,
    split_kendall,
    top_kendall,
    top_share,
)
from jaxnas.analysis.splits import (
    SplitStatistics,
    SubSupernet,
    is_partition,
    leaf_of,
    split_statistics,
    statistics_of_leaves,
    sub_supernets,
)
from jaxnas.analysis.top_k import TopK, top_k
from jaxnas.analysis.worth import Worth, identical, weigh

__all__ = [
    "Ceiling",
    "Comparison",
    "Crossed",
    "Interval",
    "Null",
    "RankCorrelation",
    "Shape",
    "SplitKendall",
    "SplitStatistics",
    "SubSupernet",
    "TopK",
    "Worth",
    "against",
    "best_of_random",
    "ceiling",
    "compare",
    "crossed_difference",
    "crossed_kendall",
    "draws_worth",
    "edge_share",
    "expected_best",
    "identical",
    "is_partition",
    "kendall",
    "kendall_tau",
    "leaf_of",
    "mean_interval",
    "null",
    "pearson",
    "percentiles",
    "power_of",
    "random_trees",
    "rank_correlation",
    "reliability",
    "sample_mean",
    "seeds_needed",
    "shape_of",
    "share_interval",
    "sparse_kendall",
    "spearman",
    "split_kendall",
    "split_statistics",
    "statistics_of_leaves",
    "sub_supernets",
    "top_k",
    "top_kendall",
    "top_share",
    "weigh",
]
