"""Tables 1 to 3 of Ly-Manson et al., Automated Machine Learning 2024 (PMLR 256): what splitting by each metric reached.

Test accuracy in percent of the best of 8 searches, one in each sub-supernet, best by that same test accuracy; the row
`none` is one search without splitting. `+-` is printed there for the spread over three seeds; DARTS was run once.
"""

from typing import NamedTuple

SEARCHES = ("DARTS-1", "DARTS-2", "SNAS", "DSNAS")
UNSPLIT, RANDOM = "none", "random"
SEEDS = 3  # of SNAS and DSNAS; by the published settings two of the three of DSNAS are the same
SUB_SUPERNETS = 8


class Entry(NamedTuple):
    """One number of the tables."""

    accuracy: float
    spread: float | None  # standard deviation over seeds; None: one run


_TABLES = {
    "cifar10": """
        none   70.92 91.52 93.66 .08 92.10 .13
        random 88.71 92.96 93.74 .03 93.88 .34
        gm     92.04 93.31 94.13 .30 94.22 .00
        gn     91.89 93.66 93.61 .11 93.34 .19
        jc     91.86 93.34 93.61 .11 93.91 .05
        snip   92.17 93.36 93.92 .32 93.28 .13
        grasp  92.17 92.69 93.57 .09 93.46 .21
        sf     86.51 92.84 93.76 .00 93.86 .27
        ntk    90.44 93.59 93.71 .00 93.53 .26
        lr     86.51 92.94 93.76 .00 94.36 .00
        params 91.88 92.71 93.91 .32 94.30 .09
    """,
    "cifar100": """
        none   38.97 55.70 70.91 .00 58.20 .25
        random 61.29 68.42 71.56 1.07 71.75 1.25
        gm     68.55 72.75 71.59 1.05 73.51 .00
        gn     67.63 70.59 70.87 .40 68.47 .00
        jc     68.10 69.43 70.84 .43 71.15 .00
        snip   69.24 69.52 71.15 .00 68.07 .28
        grasp  67.89 69.95 70.84 .43 68.47 .00
        sf     67.16 70.35 71.60 .35 73.26 .35
        ntk    67.89 71.42 70.54 .43 71.15 .00
        lr     67.75 69.39 71.85 .00 73.51 .00
        params 58.31 69.60 70.37 .49 72.23 .86
    """,
    "imagenet16-120": """
        none   18.41 38.39 46.34 .00 28.26 .35
        random 39.08 43.23 46.74 .40 45.35 .84
        gm     40.02 45.48 47.31 .00 46.07 .19
        gn     39.90 44.60 44.23 .00 43.25 1.71
        jc     41.00 43.03 44.60 .26 44.23 .00
        snip   36.60 43.77 44.23 .00 43.99 1.76
        grasp  39.90 44.17 44.23 .00 45.23 .00
        sf     27.88 39.33 46.85 .00 46.68 .24
        ntk    41.00 42.90 44.41 .26 44.23 .00
        lr     27.88 42.77 46.85 .00 46.85 .00
        params 39.08 43.72 46.85 .00 46.34 .00
    """,
}


def _entries(line: str) -> tuple[str, dict[str, Entry]]:
    name, *texts = line.split()
    a, b, c, c_spread, d, d_spread = map(float, texts)
    entries = Entry(a, None), Entry(b, None), Entry(c, c_spread), Entry(d, d_spread)
    return name, dict(zip(SEARCHES, entries, strict=True))


PUBLISHED: dict[str, dict[str, dict[str, Entry]]] = {
    dataset: dict(map(_entries, text.strip().splitlines())) for dataset, text in _TABLES.items()
}
"""data set -> split -> search -> entry"""
