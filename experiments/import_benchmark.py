"""From a clone what `jaxnas import-benchmark` is where the package is installed."""

import sys

from jaxnas.cli import run

if __name__ == "__main__":
    sys.exit(run("import-benchmark", sys.argv[1:], prog="python -m experiments.import_benchmark"))
