"""The images of a command, with what is to be said of them."""

from collections.abc import Iterable

from jaxnas.config import DataConfig
from jaxnas.console import print_line
from jaxnas.data import Dataset, load


def load_and_warn(config: DataConfig, seed: int, strict: bool = False) -> Dataset:
    """The data set, after a line on stderr for each of its warnings.

    strict: a file that is not as its distributor published it is an error. Raises UserError as `load` does.
    """
    dataset = load(config, seed, strict)
    warn(dataset.warnings)
    return dataset


def warn(sentences: Iterable[str]) -> None:
    """A line on stderr for each."""
    for sentence in sentences:
        print_line(f"warning: {sentence}", "yellow")
