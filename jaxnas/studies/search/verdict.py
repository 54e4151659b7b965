"""What a study lets one say: which differences the intervals over seeds allow, and which they do not."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxnas.analysis import Interval
from jaxnas.report.format import UNSURE, listed, mean_of, sign

Values = Mapping[str, Mapping[str, float]]  # name -> seed -> value
MOST_NAMED = 6  # of more, their number is said


def difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Interval | None:
    """Mean of ours minus theirs over the seeds that both have, with Student's interval; None if there is none."""
    return mean_of(ours[seed] - theirs[seed] for seed in ours if seed in theirs)


def best_of(groups: Values) -> str | None:
    """The name with the largest mean, of those with the most seeds: a lucky one of few seeds does not lead."""
    most = max((len(values) for values in groups.values()), default=0)
    means = {name: float(np.mean([*v.values()])) for name, v in groups.items() if most and len(v) == most}
    return max(means, key=lambda name: means[name], default=None)


def against_best(groups: Values, what: str, unit: str = "", behind: Mapping[str, Interval | None] | None = None) -> str:
    """The best by its mean, and from which of the others it is told: by the differences seed by seed, or by how far
    each is `behind`, where that was estimated otherwise."""
    best = best_of(groups)
    if best is None:
        return f"No {what} is known."
    values = [*groups[best].values()]
    if len(groups) == 1:
        return f"{best}: mean {what} {np.mean(values):.2f}{unit}, alone."
    start = f"{best} has the largest mean {what}, {np.mean(values):.2f}{unit}"
    if len(values) == 1:
        return f"{start}; one seed gives no interval, so {UNSURE}."
    if behind is None:
        behind = {name: difference(groups[best], theirs) for name, theirs in groups.items()}
    found = _sorted({name: behind.get(name) for name in groups if name != best})
    words = {1: "better than ", -1: "worse than ", 0: f"{UNSURE} from "}
    return f"{start}: {'; '.join(words[side] + _named(names) for side, names in found.items() if names)}."


def against_control(groups: Values, name: str, control: Mapping[str, float] | float) -> str:
    """How many are better and worse than a control: one value for each seed, or one that is known exactly."""
    if isinstance(control, float):
        start, differences = f"{name}, {control:.2f} %", {}
        for ours, values in groups.items():
            differences[ours] = difference(values, dict.fromkeys(values, control))
    else:
        start = f"{name}, mean {np.mean([*control.values()]):.2f} %"
        differences = {ours: difference(values, control) for ours, values in groups.items()}
    found = _sorted(differences)
    said = []
    for side, word in ((1, "better"), (-1, "worse")):
        names = f" ({listed(found[side])})" if len(found[side]) <= MOST_NAMED else ""
        said += [f"{len(found[side])} {word}{names}"] if found[side] else []
    if found[0]:
        said.append(f"of {len(found[0])} {UNSURE}")
    return f"Against {start}: {'; '.join(said)}."


def _sorted(differences: Mapping[str, Interval | None]) -> dict[int, list[str]]:
    """Names by the side of zero on which the interval lies; 0 where it holds zero or there is none."""
    return {side: [name for name, found in differences.items() if (sign(found) or 0) == side] for side in (1, -1, 0)}


def _named(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} others"
