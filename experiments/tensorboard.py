"""From a clone what `jaxnas tensorboard` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("tensorboard", sys.argv[1:], prog="python -m experiments.tensorboard"))
