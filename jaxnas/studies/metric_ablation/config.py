"""The settings of an ablation of metrics."""

from dataclasses import dataclass, field
from typing import Literal

from jaxnas.config import DataConfig, NetConfig, OptimizerConfig, SplitConfig


@dataclass(frozen=True)
class MetricAblationConfig:
    """What every metric says of every edge of a supernet, over seeds and lengths of the warm-up."""

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated in the warm-up"""
    split: SplitConfig = field(default_factory=lambda: SplitConfig(batches=4))
    """scoring and splitting, but for `metric` and `stability`"""
    metrics: tuple[str, ...] = ()
    """metrics to compare; none: all"""
    tree_metrics: tuple[str, ...] = ()
    """those whose nodes below the root are scored too, for a tree of all levels; trees of the others have one level"""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """supernets, each with batches of its own; all see the same images"""
    warmups: tuple[int, ...] = (0, 10)
    """epochs after which weights are scored; a supernet is trained once, on the schedule of the longest"""
    backgrounds: int = 1
    """how often the same weights are scored on the same images, each time over other random backgrounds"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard", "mesh"] = "auto"
    """how supernets and edges run: one after the other, as one program, vectorised, or over the devices"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""
