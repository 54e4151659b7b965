"""Real images: readers, leak-free splits, and the on-device pipeline."""

from jaxnas.data.pipeline import Images, Pipeline, build_pipeline, epoch_order, fixed_batches, on_device
from jaxnas.data.sources import SOURCES, Dataset, load
from jaxnas.data.split import Split, divide

__all__ = [
    "SOURCES",
    "Dataset",
    "Images",
    "Pipeline",
    "Split",
    "build_pipeline",
    "divide",
    "epoch_order",
    "fixed_batches",
    "load",
    "on_device",
]
