"""The settings of a study of one-shot search."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jaxnas.config import DataConfig, NetConfig, OptimizerConfig


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
