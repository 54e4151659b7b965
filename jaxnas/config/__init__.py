"""The settings of a run: frozen dataclasses, one comment a field; unknown names are errors."""

from jaxnas.config.parts import DataConfig, NetConfig, OptimizerConfig, SearchConfig, SelectionConfig, SplitConfig
from jaxnas.config.plain import from_dict, to_dict
from jaxnas.config.runs import (
    CeilingsConfig,
    ControlConfig,
    CorrelationConfig,
    FewShotConfig,
    MetricAblationConfig,
    RegimeConfig,
    SplitAblationConfig,
    StudyConfig,
    TruthConfig,
)

__all__ = [
    "CeilingsConfig",
    "ControlConfig",
    "CorrelationConfig",
    "DataConfig",
    "FewShotConfig",
    "MetricAblationConfig",
    "NetConfig",
    "OptimizerConfig",
    "RegimeConfig",
    "SearchConfig",
    "SelectionConfig",
    "SplitAblationConfig",
    "SplitConfig",
    "StudyConfig",
    "TruthConfig",
    "from_dict",
    "to_dict",
]
