"""Which search algorithm, with which selector: all pairs, over seeds."""
