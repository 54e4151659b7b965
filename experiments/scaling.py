"""`python -m experiments.scaling`: what experiments/bench/scaling.py says."""

import sys

from experiments.bench.scaling import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
