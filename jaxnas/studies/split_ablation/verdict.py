"""What an ablation of splits lets one say: of splitting, of metrics, and of what an oracle adds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.report.format import UNSURE, Row, estimated, listed, mean_of, number, plain, several, sign

NONE, RANDOM = "none", "random "  # the name of unsplit supernets, and how those of random splits start
ORACLE, MEAN, HONEST = "oracle", "any leaf", "validation"
MOST_NAMED = 6  # of more that cannot be told apart, their number and range is said
Values = Mapping[tuple[str, str, str], Mapping[str, float]]  # (split, algorithm, rule) -> seed -> true accuracy


def values_of(cells: Sequence[Row]) -> Values:
    """What each rule picked (`picked_by`) of the splits whose leaves all gave an architecture, and any leaf's mean."""
    leaves: dict[tuple[str, str, str], list[Row]] = {}
    for row in cells:
        leaves.setdefault((str(row["split"]), str(row["algorithm"]), str(row["seed"])), []).append(row)
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for (split, algorithm, seed), rows in leaves.items():
        true = [number(row["true_accuracy"]) for row in rows]
        known = [value for value in true if value is not None]
        if len(known) < len(rows):
            continue
        found.setdefault((split, algorithm, MEAN), {})[seed] = float(np.mean(known))
        for row, value in zip(rows, known, strict=True):
            for rule in str(row["picked_by"]).split():
                found.setdefault((split, algorithm, rule), {})[seed] = value
    return found


def unsplit(cells: Sequence[Row]) -> str:
    """`8 unsplit runs`, where every seed has as many."""
    runs = Counter((row["algorithm"], str(row["seed"])) for row in cells if row["split"] == NONE)
    return several(min(runs.values()), "unsplit run") if len({*runs.values()}) == 1 else "the unsplit runs"


def same(cells: Sequence[Row]) -> dict[tuple[str, str], list[str]]:
    """(split, the one that it is the same as) -> seeds."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in cells:
        if row["same_as"]:
            found.setdefault((str(row["split"]), str(row["same_as"])), {})[str(row["seed"])] = None
    return {names: [*seeds] for names, seeds in found.items()}


def different(cells: Sequence[Row]) -> list[str]:
    """Splits, without those that are another one in every seed."""
    seeds = {str(row["seed"]) for row in cells}
    again = {split for (split, _), of in same(cells).items() if set(of) == seeds}
    return [split for split in dict.fromkeys(str(row["split"]) for row in cells) if split not in again]


def less(values: Values, algorithm: str, rule: str, split: str, others: Sequence[str]) -> dict[str, float]:
    """Seed -> true accuracy of a split minus the mean of others, of the seeds that all have."""
    own = values.get((split, algorithm, rule), {})
    of = [values.get((other, algorithm, rule), {}) for other in others]
    there = [seed for seed in own if of and all(seed in other for other in of)]
    return {seed: own[seed] - float(np.mean([other[seed] for other in of])) for seed in there}


def mean_less(values: Values, algorithm: str, splits: Sequence[str], others: Sequence[str]) -> Interval | None:
    """The mean of `less` over splits and seeds, what validation picks, of the seeds that all have."""
    found = [less(values, algorithm, HONEST, split, others) for split in splits]
    seeds = [seed for seed in found[0] if all(seed in of for of in found)] if found else []
    return paired(float(np.mean([of[seed] for of in found])) for seed in seeds)


def paired(differences: Iterable[float]) -> Interval | None:
    """Their mean with Student's interval over seeds; equal differences say nothing of their spread."""
    found = [*differences]
    mean = mean_of(found)
    return mean if mean is None or np.ptp(found) > 1e-9 else Interval(mean.value, n=mean.n)


def points(value: Interval) -> str:
    """`+1.50 [0.25, 2.75]`."""
    ends = "" if value.low is None or value.high is None else f" [{value.low:z.2f}, {value.high:z.2f}]"
    return f"{value.value:+z.2f}{ends}"


def told(found: Mapping[str, Interval | None]) -> str:
    """Differences by the side of zero on which their intervals lie: `better: a +1.50 [0.25, 2.75]; not known: b`."""
    known = {name: value for name, value in found.items() if value is not None}
    said = []
    for side, word in ((1, "better"), (-1, "worse"), (0, UNSURE)):
        of = {name: value for name, value in known.items() if (sign(value) or 0) == side}
        if side == 0 and len(of) > MOST_NAMED:
            low, high = (end(value.value for value in of.values()) for end in (min, max))
            said.append(f"{word} for {len(of)} (means of {low:+.2f} to {high:+.2f})")
        elif of:
            said.append(f"{word}: {listed([f'{name} {points(value)}' for name, value in of.items()])}")
    unknown = [name for name in found if name not in known]
    return "; ".join([*said, *([f"not known: {listed(unknown)}"] if unknown else [])]) + "."


def counted(found: Sequence[Interval | None]) -> str:
    """How many differences are told: `Of 3 comparisons, 1 is better and 0 are worse; of 2 no difference can ...`"""
    sides = [sign(value) or 0 for value in found if value is not None]
    if not sides:
        return "Not known: no seed has both."
    better, worse, rest = (sides.count(side) for side in (1, -1, 0))
    verbs = ["is" if count == 1 else "are" for count in (better, worse)]
    said = f"Of {several(len(sides), 'comparison')}, {better} {verbs[0]} better and {worse} {verbs[1]} worse"
    return f"{said}; of {rest} {UNSURE}."


def oracle_gap(values: Values, algorithm: str, splits: Sequence[str]) -> Interval | None:
    """How far the best leaf by the truth lies above the one that validation picks: mean over splits, then seeds."""
    by_seed: dict[str, list[float]] = {}
    for split in splits:
        best, picked = (values.get((split, algorithm, rule), {}) for rule in (ORACLE, HONEST))
        for seed in best:
            if seed in picked:
                by_seed.setdefault(seed, []).append(best[seed] - picked[seed])
    return paired(float(np.mean(of)) for of in by_seed.values())


def differences(table: Sequence[Row], algorithm: str, column: str, splits: Sequence[str]) -> dict[str, Interval | None]:
    """A column of differences of what validation picks, by the names of splits."""
    rows = {str(r["split"]): r for r in table if r["algorithm"] == algorithm and r["rule"] == HONEST}
    return {plain(split): estimated(rows.get(split, {}), column) for split in splits}
