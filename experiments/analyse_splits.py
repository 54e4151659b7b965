"""From a clone what `jaxnas analyse-splits` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("analyse-splits", sys.argv[1:], prog="python -m experiments.analyse_splits"))
