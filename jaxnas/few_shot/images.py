"""The images of a command, with what is to be said of them."""

from jaxnas.config import DataConfig
from jaxnas.console import print_line
from jaxnas.data import Dataset, load


def load_and_warn(config: DataConfig, seed: int, strict: bool = False) -> Dataset:
    """The data set, after a line on stderr for each file that is not as its distributor published it.

    strict: such a file is an error. Raises UserError as `load` does.
    """
    dataset = load(config, seed, strict)
    for warning in dataset.warnings:
        print_line(f"warning: {warning}", "yellow")
    return dataset
