"""The settings of correlations of metrics with true accuracies."""

from dataclasses import dataclass, field

from jaxnas.config import DataConfig, NetConfig


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
