"""From a clone what `jaxnas report` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("report", sys.argv[1:], prog="python -m experiments.report"))
