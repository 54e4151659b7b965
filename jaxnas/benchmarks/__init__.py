"""True accuracies of architectures; used to judge, never to choose."""

from jaxnas.benchmarks.table import Table, read_csv

__all__ = ["Table", "read_csv"]
