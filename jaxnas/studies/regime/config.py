"""The settings of a point of a regime."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from jaxnas.few_shot.config import FewShotConfig


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
