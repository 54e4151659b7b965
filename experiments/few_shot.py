"""From a clone what `jaxnas few-shot` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("few-shot", sys.argv[1:], prog="python -m experiments.few_shot"))
