"""From a clone what `jaxnas correlate-metrics` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("correlate-metrics", sys.argv[1:], prog="python -m experiments.correlate_metrics"))
