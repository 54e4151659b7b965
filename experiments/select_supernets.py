"""From a clone what `jaxnas select-supernets` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("select-supernets", sys.argv[1:], prog="python -m experiments.select_supernets"))
