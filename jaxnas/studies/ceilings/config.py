"""The settings of ceilings."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxnas.few_shot.config import FewShotConfig


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
