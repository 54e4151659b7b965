"""The settings of a few-shot run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jaxnas.config import DataConfig, NetConfig, OptimizerConfig, SearchConfig, SelectionConfig, SplitConfig


@dataclass(frozen=True)
class ControlConfig:
    """What the method is compared with; every control sees as many training images as the method."""

    unsplit: bool = True
    """one supernet that is not split, trained and searched as long as all leaves together"""
    random_splits: int = 1
    """trees with the same numbers of groups, drawn at random instead of by the metric"""
    random_architectures: int = 8
    """architectures drawn at random and trained alone, of which the best on validation images is taken; 0: none"""


@dataclass(frozen=True)
class TruthConfig:
    """True accuracies, by which rankings are judged and nothing is chosen."""

    table: Path | None = None
    """benchmark table: CSV, or a file written by experiments.import_benchmark; None: train architectures alone"""
    alone: int = 32
    """architectures of the ranking sample where there is no table, each trained alone; 0: no ranking is judged"""
    queried: int = 300
    """architectures of the ranking sample where there is a table"""
    top: int = 100
    """more architectures of the true best tenth, for the ranking among these alone, where there is a table"""
    every: int = 0
    """epochs between two looks at how supernets rank a part of the sample while they train; 0: they are not followed"""


@dataclass(frozen=True)
class FewShotConfig:
    """Few-shot NAS with its controls: warm-up, split, train the leaves, search, select, judge.

    What cannot be is refused when a run begins, and not here.

    Example:
        >>> from dataclasses import replace
        >>> from jaxnas import PRESETS
        >>> config = replace(PRESETS["digits"], seed=1, leaf_epochs=100)
        >>> config.net.space, config.split.groups, config.leaf_epochs
        ('nas-bench-201', (2, 2), 100)
    """

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated, in every phase"""
    split: SplitConfig = field(default_factory=SplitConfig)
    """scoring and splitting"""
    search: SearchConfig = field(default_factory=SearchConfig)
    """how leaves are trained and searched"""
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    """how an architecture is taken from each leaf"""
    control: ControlConfig = field(default_factory=ControlConfig)
    """what the method is compared with"""
    truth: TruthConfig = field(default_factory=TruthConfig)
    """true accuracies, by which rankings are judged"""
    fusion: int = 0
    """cells of the reference sample by which scores are ranked and fused with free priors; 0: no fusion"""
    warmup_epochs: int = 50
    """epochs of the full supernet before it is scored and split"""
    leaf_epochs: int = 50
    """epochs of each leaf"""
    leaf_weights: Literal["parent", "new"] = "parent"
    """weights that leaves start from: the warmed-up ones, or new ones, the same for all leaves and controls"""
    alone_epochs: int = 200
    """epochs of the chosen architecture trained alone, from new weights"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard", "mesh"] = "auto"
    """how the K leaves run: one after the other, as one program, vectorised, spread over the devices, or so spread and
    their batches divided among devices that are left over"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""
    seed: int = 0
    """one seed for everything"""
