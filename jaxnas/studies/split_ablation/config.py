"""The settings of an ablation of splits."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxnas.config import SplitConfig
from jaxnas.studies.search.config import StudyConfig


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
