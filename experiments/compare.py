"""From a clone what `jaxnas compare` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("compare", sys.argv[1:], prog="python -m experiments.compare"))
