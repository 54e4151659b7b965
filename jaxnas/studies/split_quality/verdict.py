"""What the analysis of splits says in sentences; every number is counted from it."""

from collections.abc import Sequence

import numpy as np

from jaxnas.analysis import Worth, edge_share, identical
from jaxnas.report.format import listed

FIELDS = {  # statistics in words, the most telling first
    "kl_top1_bits": "concentration of the top 1 % beyond size, bits",
    "one_per_sub": "expected best of one cell of each, %",
    "max_share_top1": "largest share of the top 1 %",
    "max_enrichment_top1": "largest enrichment of the top 1 %",
    "eta2": "share of variance between sub-supernets",
    "entropy_top1_bits": "entropy of the top 1 %, bits",
    "subs_with_top1": "sub-supernets with top-1 % cells",
    "regret_by_mean": "regret of choosing by mean, points",
    "regret_by_expected_best_10": "regret of choosing by best of 10, points",
}
ENDS = (2.5, 97.5)  # percentiles between which chance explains a split

TELLING = ("kl_top1_bits", "one_per_sub")  # of which sentences speak


def datasets_of(worths: Sequence[Worth]) -> list[str]:
    """The data sets, in the order in which they come."""
    return list(dict.fromkeys(worth.dataset for worth in worths))


def distinct(worths: Sequence[Worth]) -> list[Worth]:
    """One of each group of identical splits on each data set."""
    return [group[0] for name in datasets_of(worths) for group in identical([w for w in worths if w.dataset == name])]


def about_metric(worths: Sequence[Worth]) -> list[str]:
    """Whether the splits differ from random ones on the same edges."""
    different = distinct(worths)
    said = [
        f"Of {len(different)} different splits, by chance {0.025 * len(different):.1f} would lie above and as many "
    ]
    said[0] += "below the central 95 % of random trees with the same group sizes on the same edges."
    for field in TELLING:
        places = [float(getattr(worth.percentiles["same_edges"], field)) for worth in different]
        above = [worth for worth, place in zip(different, places, strict=True) if place > ENDS[1]]
        below = [worth for worth, place in zip(different, places, strict=True) if place < ENDS[0]]
        said.append(f"In {_plain(field)}, {_counted(above)} above and {_counted(below)} below.")
    several = sum(worth.statistics.subs_with_top1 > 1 for worth in worths)
    trees = np.concatenate([np.asarray(w.nulls["same_edges"].statistics.subs_with_top1) for w in worths])
    everywhere = f"In {several} of {len(worths)} splits the top 1 % lies in several sub-supernets; "
    return [" ".join(said), f"{everywhere}so it does in {100 * np.mean(trees > 1):.1f} % of the random trees."]


def about_edges(worths: Sequence[Worth]) -> str:
    """How much of the difference between random trees the choice of edges makes."""
    said = []
    for field in TELLING:
        shares = []
        for name in datasets_of(worths):
            values = [float(getattr(edge_share(w.nulls["random_edges"]), field)) for w in worths if w.dataset == name]
            shares.append(f"{100 * np.median(values):.0f} % ({name})")
        said.append(f"of the {_plain(field)}, {listed(shares)}")
    start = "How much of the variance among random trees comes from which edges they split, median over splits: "
    return f"{start}{'; '.join(said)}. The rest comes from how operations are grouped."


def about_choice(worths: Sequence[Worth]) -> str:
    """How far choosing a sub-supernet by its true mean, and by its true upper tail, goes."""
    said = []
    for name, rule in (("regret_by_mean", "mean"), ("regret_by_expected_best_10", "expected best of 10")):
        regrets = np.array([getattr(worth.statistics, name) for worth in worths])
        right = f"in {int((regrets == 0).sum())} of {len(regrets)}"
        said.append(f"by its true {rule} {right} (mean regret {regrets.mean():.2f} points)")
    return f"The sub-supernet that holds the optimum is found {listed(said)}."


def _counted(worths: Sequence[Worth]) -> str:
    names = sorted({worth.metric for worth in worths})
    return f"{len(worths)} ({listed(names)}) lie" if names else "none lies"


def _plain(field: str) -> str:
    return FIELDS[field].rsplit(",", 1)[0]
