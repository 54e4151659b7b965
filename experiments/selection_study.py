"""From a clone what `jaxnas selection-study` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("selection-study", sys.argv[1:], prog="python -m experiments.selection_study"))
