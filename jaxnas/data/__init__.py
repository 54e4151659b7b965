"""Real images: readers, leak-free splits, and the on-device pipeline."""

from jaxnas.data.images import read_images
from jaxnas.data.pipeline import (
    Colours,
    Images,
    Pipeline,
    build_pipeline,
    colours_of,
    epoch_order,
    fixed_batches,
    on_device,
)
from jaxnas.data.sources import SOURCES, Dataset, load
from jaxnas.data.split import Split, divide

__all__ = [
    "SOURCES",
    "Colours",
    "Dataset",
    "Images",
    "Pipeline",
    "Split",
    "build_pipeline",
    "colours_of",
    "divide",
    "epoch_order",
    "fixed_batches",
    "load",
    "on_device",
    "read_images",
]
