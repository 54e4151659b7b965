"""From a clone what `jaxnas ablate-metrics` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("ablate-metrics", sys.argv[1:], prog="python -m experiments.ablate_metrics"))
