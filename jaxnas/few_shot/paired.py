"""Contenders of one run against one of another run: differences paired by seed, and by cell where they rank alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnas.analysis import Interval, crossed_difference, mean_interval
from jaxnas.few_shot.read import Run
from jaxnas.few_shot.result_file import Contender, column_of
from jaxnas.few_shot.seeds import EQUAL

Ranked = tuple[np.ndarray, np.ndarray] | None  # scores and truth [A]
TESTED = ("name", "test", "downsample", "distort", "size", "grey")  # settings of data that say what the test images are


class Differences(NamedTuple):
    """A contender less the reference, each None where the two cannot be paired."""

    test: Interval | None  # accuracies in points
    true: Interval | None
    kendall: Interval | None


def differences(runs: dict[int, Run], name: str, others: dict[int, Run], reference: str) -> Differences:
    """Of contender `name` of the seeds `runs` less contender `reference` of `others`, both by seed.

    Nothing is paired unless both have the same seeds; of one seed there is a value for accuracies, and no interval.
    Test accuracies are paired where every seed has the same test images, true ones where it has the same data set, and
    taus where it ranks cells of the same truth.
    """
    seeds = sorted(runs)
    if not seeds or seeds != sorted(others):
        return Differences(None, None, None)
    pairs = [(_contender(runs[seed], name), _contender(others[seed], reference)) for seed in seeds]
    found = [(_ranked(runs[s], pair[0]), _ranked(others[s], pair[1])) for s, pair in zip(seeds, pairs, strict=True)]
    tested = [(a and a.test, b and b.test) for a, b in pairs]
    true = [(a and a.true, b and b.true) for a, b in pairs]
    same, alike = (
        all(_data(runs[s], names) == _data(others[s], names) for s in seeds) for names in (TESTED, TESTED[:1])
    )
    return Differences(_gain(tested) if same else None, _gain(true) if alike else None, _kendall(found))


def _data(run: Run, names: Sequence[str]) -> list[Any]:
    """So many settings of the data of a run; what is not on record is None."""
    data = run.config.get("data")
    return [data.get(name) if isinstance(data, dict) else None for name in names]


def _contender(run: Run, name: str) -> Contender | None:
    rows = () if run.result is None else run.result.contenders
    return next((row for row in rows if row.name == name), None)


def _gain(pairs: Sequence[tuple[Interval | None, Interval | None]]) -> Interval | None:
    gains = [a.value - b.value for a, b in pairs if a and b]
    if len(gains) < len(pairs):
        return None
    found = mean_interval(np.array(gains))
    spread = len(gains) > 1 and np.ptp(gains) > EQUAL  # equal gains say nothing of their spread
    return Interval(found.value, *((found.low, found.high) if spread else (None, None)), found.n)


def _ranked(run: Run, contender: Contender | None) -> Ranked:
    """None if the contender ranked nothing."""
    if run.scores is None or contender is None:
        return None
    column = run.scores.columns.get(column_of(contender.name, contender.kind))
    return None if column is None or np.isnan(column).any() else (column, run.scores.truth)


def _kendall(pairs: Sequence[tuple[Ranked, Ranked]]) -> Interval | None:
    known = [(a, b) for a, b in pairs if a and b and np.array_equal(a[1], b[1])]
    if len(known) < len(pairs) or len({len(a[1]) for a, _ in known}) > 1:
        return None
    scores, others, truth = (np.stack(of) for of in zip(*((a[0], b[0], a[1]) for a, b in known), strict=True))
    found = crossed_difference(scores, others, truth)
    return None if found is None else Interval(found.value, found.low, found.high, found.n)
