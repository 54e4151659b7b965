"""The settings of each kind of run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxnas.config.parts import DataConfig, NetConfig, OptimizerConfig, SearchConfig, SelectionConfig, SplitConfig


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
    """Few-shot NAS with its controls: warm-up, split, train the leaves, search, select, judge."""

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


@dataclass(frozen=True)
class StudyConfig:
    """One-shot search: every algorithm trains a supernet, from which every selector takes an architecture."""

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed; validation images also move the algorithm's logits"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated"""
    algorithms: tuple[str, ...] = ("uniform", "darts", "snas", "dsnas", "drnas")
    """how the supernet is trained"""
    selectors: tuple[str, ...] = ("magnitude", "perturbation", "best_of_sampled", "evolution")
    """how an architecture is taken from it"""
    seeds: tuple[int, ...] = (0, 1, 2)
    """supernets of each algorithm; all see the same images"""
    epochs: int = 50
    """epochs of a supernet; of that of the cheapest algorithm, where costs are equal"""
    equal: tuple[str, ...] = ("epochs",)
    """what all algorithms have the same of, one comparison each: epochs, images that are sent through the supernet,
    arithmetic, which is counted multiply-adds"""
    tune_epochs: int = 0
    """epochs between two decisions of a selector that decides edge by edge, at a tenth of the learning rate"""
    budget: int = 100
    """most evaluations of a selector"""
    recalibrate: int = 0
    """training batches whose statistics normalise what is validated; 0: those of each validation batch"""
    score: str = "naswot"
    """metric of the selectors that need no accuracy"""
    ranked: int = 200
    """random architectures of each supernet, by which it is compared with the truth or with others; 0: none"""
    random: int = 8
    """architectures of the random search: trained alone, together at the cost of the supernet they stand beside"""
    alone_epochs: int = 200
    """epochs of architectures that are trained alone for the truth, where there is no table"""
    table: Path | None = None
    """benchmark table of true accuracies; None: what is chosen is trained alone"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard", "mesh"] = "auto"
    """how supernets of one algorithm run: one after the other, as one program, vectorised, or over the devices"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""


@dataclass(frozen=True)
class SplitAblationConfig:
    """Splits crossed with search algorithms and seeds, beside unsplit supernets and random architectures."""

    study: Annotated[StudyConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: StudyConfig(
            algorithms=("uniform", "darts", "dsnas"), selectors=("best_of_sampled",), ranked=25
        )
    )
    """how sub-supernets are trained and searched, by one selector; `random`: trained on as many images as a split"""
    splits: tuple[str, ...] = ("random:2", "none")
    """names in the file of splits; metric:NAME, a tree by that metric on each seed's own warmed-up weights; random:N,
    so many random trees; none, as many unsplit supernets"""
    split: SplitConfig = field(default_factory=SplitConfig)
    """how trees of metric:NAME are scored and grown; `groups` is that of random trees too, `metric` is not read"""
    warmup_epochs: int = 50
    """epochs of the full supernet on uniform paths, from which all sub-supernets of a seed start"""


@dataclass(frozen=True)
class CorrelationConfig:
    """Metrics of untrained networks against true accuracies."""

    data: DataConfig = field(default_factory=DataConfig)
    """images; one batch of data.batch training images, not augmented, is scored on"""
    net: NetConfig = field(default_factory=lambda: NetConfig(channels=8))
    """the networks"""
    metrics: tuple[str, ...] = ()
    """metrics to compare; none: all that score an architecture"""
    architectures: int = 300
    """architectures, drawn from the whole space"""
    seed: int = 0
    """one seed for everything"""


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


@dataclass(frozen=True)
class CeilingsConfig:
    """How far rankings agree at best: networks trained alone with the table, supernets with their other seeds."""

    run: Annotated[FewShotConfig, tyro.conf.arg(name="")] = field(default_factory=FewShotConfig)
    """the setting of a few-shot run; its seed draws architectures and images, and is the first seed of all networks"""
    alone: int = 32
    """architectures that are trained alone, the first of those that supernets rank"""
    alone_seeds: int = 2
    """seeds with which each of them is trained"""
    ranked: int = 300
    """connected architectures, drawn at random, that every supernet ranks"""
    supernet_seeds: int = 3
    """supernets that are not split"""
    epochs: int | None = None
    """epochs of a supernet after its warm-up; None: as many as all leaves of the run have together"""


@dataclass(frozen=True)
class RegimeConfig:
    """How well unsplit supernets rank in one setting, how far their seeds agree, and what that takes."""

    run: Annotated[FewShotConfig, tyro.conf.arg(name="")] = field(default_factory=FewShotConfig)
    """the setting of a few-shot run with its table; its splits, leaves, selection, controls and seed are not read"""
    phases: tuple[int, ...] = (100,)
    """epochs of the learning-rate schedules that the supernet is trained on, one after the other"""
    seeds: tuple[int, ...] = (100, 101, 102)
    """supernets; other seeds than those of the runs that the setting is for, so that these do not choose it"""
    varied: tuple[str, ...] = ("weights", "images", "draws")
    """what differs between seeds: initial weights; images that train and validate; draws, of paths, batches and
    augmentation"""
    looks: int = 4
    """how often the ranking is read along training, at equal distances"""
    recalibrate: int = 8
    """training batches whose statistics normalise one of the readings at the end; 0: no such reading"""
    average: float = 0.8
    """share of the former mean in the mean of weights over epochs, by which one of the readings is made; 0: none"""
