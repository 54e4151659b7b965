"""`python -m experiments.benchmark`: what experiments/bench/command.py says."""

import sys

from experiments.bench.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
