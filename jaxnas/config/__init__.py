"""Settings that runs of several kinds share: frozen dataclasses, a sentence a field; unknown names are errors."""

from jaxnas.config.parts import DataConfig, NetConfig, OptimizerConfig, SearchConfig, SelectionConfig, SplitConfig
from jaxnas.config.plain import check_numbers, from_dict, to_dict

__all__ = [
    "DataConfig",
    "NetConfig",
    "OptimizerConfig",
    "SearchConfig",
    "SelectionConfig",
    "SplitConfig",
    "check_numbers",
    "from_dict",
    "to_dict",
]
