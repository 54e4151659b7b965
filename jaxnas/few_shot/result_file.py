"""What a run's `result.json` says, as checked values: one place that knows the fields and what may be absent."""

from typing import Any, NamedTuple

from jaxnas.analysis import Interval
from jaxnas.report.format import LARGEST
from jaxnas.types import UserError, truncated_repr


class Contender(NamedTuple):
    """One way of finding an architecture, judged like every other; accuracies in percent.

    In the result of several seeds every estimate is a mean over seeds, and there is no single architecture.
    """

    name: str
    kind: str  # method, unsplit, random_split, random_alone
    architecture: str | None = None
    score: float | None = None  # validation accuracy that chose it
    images: int | None = None  # training images seen by the search
    evaluations: int | None = None
    test: Interval | None = None
    true: Interval | None = None
    kendall: Interval | None = None
    spearman: Interval | None = None
    kendall_half: Interval | None = None  # in the better half by truth
    kendall_top: Interval | None = None  # in the best tenth by truth
    kendall_difference: Interval | None = None  # the method's tau minus this one, paired by seed and cell
    reliability: Interval | None = None  # tau between the scores of two seeds
    difference: Interval | None = None  # test accuracy of the method minus this one, paired by seed


class RandomDraw(NamedTuple):
    """What an architecture drawn at random gets, in the units of the truth."""

    accuracy: Interval
    best_of: int | None
    best: float | None  # expected best of `best_of`


class Agreement(NamedTuple):
    """How supernet scores rank architectures, over all of them (leaf None) or inside one leaf."""

    leaf: int | None
    n: int
    kendall: Interval | None
    spearman: Interval | None


class Ranking(NamedTuple):
    """Agreement of the method's scores with the truth."""

    truth: str
    whole: Agreement
    leaves: tuple[Agreement, ...]
    half: Agreement | None  # in the better half by truth
    top: Agreement | None  # among the best 10 % by truth


class Result(NamedTuple):
    """The result of one seed (seeds = 1), or of several."""

    seeds: tuple[int, ...]
    architecture: str | None
    leaf: int | None
    validation: float | None
    test: Interval | None
    test_images: int | None
    true: float | None
    contenders: tuple[Contender, ...]
    random: RandomDraw | None
    ranking: Ranking | None
    seconds: dict[str, float]
    warnings: tuple[str, ...] = ()  # on the test images


def column_of(name: str, kind: str) -> str:
    """The column of a contender in `ranking.csv`."""
    return kind if kind in ("method", "unsplit") else name.replace(" ", "_")


def read_result(data: dict[str, Any], where: str) -> Result:
    """The values of a `result.json`, of any version. Raises UserError naming a field of the wrong kind."""
    several = "table" in data
    seconds = _object(data.get("seconds"), f"{where}: seconds")
    random = _object(data.get("random_architecture"), f"{where}: random_architecture")
    rows = _list(data.get("table" if several else "contenders"), f"{where}: contenders")
    seeds = _list(data.get("seeds"), f"{where}: seeds") if several else [0]
    test, interval = _number(data, "test_accuracy", where), data.get("test_interval")
    return Result(
        seeds=tuple(_whole({"seed": seed}, "seed", where) or 0 for seed in seeds),
        architecture=_text(data, "architecture", where),
        leaf=_whole(data, "leaf", where),
        validation=_number(data, "validation_accuracy", where),
        test=None if test is None else _with_interval(test, interval, where),
        test_images=_whole(data, "test_images", where),
        true=_number(data, "true_accuracy", where),
        contenders=tuple(_contender(row, f"{where}: contender {i}") for i, row in enumerate(rows)),
        random=_random(random, f"{where}: random_architecture") if random else None,
        ranking=_ranking(data.get("rank_correlation"), f"{where}: rank_correlation"),
        seconds={stage: _number(seconds, stage, where) or 0.0 for stage in seconds},
        warnings=tuple(str(said) for said in _list(data.get("warnings"), f"{where}: warnings")),
    )


def _contender(row: Any, where: str) -> Contender:
    row = _object(row, where)
    test = row.get("test_accuracy")
    single = isinstance(test, int | float)
    return Contender(
        name=_text(row, "name", where) or "unnamed",
        kind=_text(row, "kind", where) or "",
        architecture=_text(row, "architecture", where),
        score=_number(row, "score", where),
        images=_whole(row, "images", where),
        evaluations=_whole(row, "evaluations", where),
        test=_with_interval(test, row.get("test_interval"), where)
        if single
        else _estimate(row, "test_accuracy", where),
        true=_estimate(row, "true_accuracy", where),
        kendall=_estimate(row, "kendall", where),
        spearman=_estimate(row, "spearman", where),
        kendall_half=_estimate(row, "kendall_half", where),
        kendall_top=_estimate(row, "kendall_top", where),
        kendall_difference=_estimate(row, "kendall_difference", where),
        reliability=_estimate(row, "reliability", where),
        difference=_estimate(row, "difference", where),
    )


def _random(data: dict[str, Any], where: str) -> RandomDraw | None:
    value = _number(data, "accuracy", where)
    if value is None:
        return None
    accuracy = Interval(value, _number(data, "low", where), _number(data, "high", where), _whole(data, "n", where))
    return RandomDraw(accuracy, _whole(data, "best_of", where), _number(data, "best", where))


def _ranking(data: Any, where: str) -> Ranking | None:
    if data is None:
        return None
    data = _object(data, where)
    leaves = _list(data.get("leaves"), f"{where}: leaves")
    half, top = data.get("half"), data.get("top10")
    return Ranking(
        truth=_text(data, "truth", where) or "not named",
        whole=_agreement(data, where),
        leaves=tuple(_agreement(_object(leaf, where), where) for leaf in leaves),
        half=None if half is None else _agreement(_object(half, where), where),
        top=None if top is None else _agreement(_object(top, where), where),
    )


def _agreement(data: dict[str, Any], where: str) -> Agreement:
    kendall, spearman = _estimate(data, "kendall", where), _estimate(data, "spearman", where)
    return Agreement(_whole(data, "leaf", where), _whole(data, "n", where) or 0, kendall, spearman)


def _estimate(data: dict[str, Any], name: str, where: str) -> Interval | None:
    """A field that is a bare number, or an object of value (or mean), low, high, n."""
    value = data.get(name)
    if value is None or isinstance(value, int | float):
        number = _number(data, name, where)
        return None if number is None else Interval(number)
    value, where = _object(value, f"{where}: {name}"), f"{where}: {name}"
    middle = _number(value, "mean" if "mean" in value else "value", where)
    if middle is None:
        return None
    return Interval(middle, _number(value, "low", where), _number(value, "high", where), _whole(value, "n", where))


def _with_interval(value: float, interval: Any, where: str) -> Interval:
    ends = _list(interval, f"{where}: test_interval")
    if len(ends) not in (0, 2):
        raise UserError(f"{where}: test_interval must be [low, high], not {truncated_repr(interval)}")
    low, high = (_number({"test_interval": end}, "test_interval", where) for end in ends or (None, None))
    return Interval(_number({"test_accuracy": value}, "test_accuracy", where) or 0.0, low, high)


def _number(data: dict[str, Any], name: str, where: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise UserError(f"{where}: {name} must be null or a number of at most {LARGEST:g}, not {truncated_repr(value)}")
    return float(value)


def _whole(data: dict[str, Any], name: str, where: str) -> int | None:
    value = _number(data, name, where)
    if value is not None and value != int(value):
        raise UserError(f"{where}: {name} must be a whole number or null, not {truncated_repr(data[name])}")
    return None if value is None else int(value)


def _text(data: dict[str, Any], name: str, where: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {name} must be text or null, not {truncated_repr(value)}")
    return value


def _object(value: Any, where: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{where} must be an object or null, not {truncated_repr(value)}")
    return value or {}


def _list(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UserError(f"{where} must be a list or null, not {truncated_repr(value)}")
    return value or []
