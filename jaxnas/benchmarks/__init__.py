"""True accuracies of architectures; used to judge, never to choose."""

from jaxnas.benchmarks.compact import write_compact
from jaxnas.benchmarks.csv_table import read_csv
from jaxnas.benchmarks.formats import READERS, read_table
from jaxnas.benchmarks.table import Table

__all__ = ["READERS", "Table", "read_csv", "read_table", "write_compact"]
