"""Which split, with which search, and whether it helps beyond its controls."""
