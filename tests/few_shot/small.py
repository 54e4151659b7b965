"""The smallest config of a whole run, the smoke preset with four steps an epoch, and its flags."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jaxnas.config import SearchConfig
from jaxnas.few_shot.config import FewShotConfig, TruthConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.types import QUIET, Stage

SMALL: FewShotConfig = replace(
    PRESETS["smoke"],
    data=replace(PRESETS["smoke"].data, train=128, batch=32),
    search=SearchConfig(budget=4, population=2, parents=2),
    truth=TruthConfig(alone=4, every=2),
    strategy="loop",
    alone_epochs=2,
)
FLAGS = (
    *("--strategy", "loop", "--data.train", "128", "--data.batch", "32", "--search.population", "2"),
    *("--truth.alone", "4", "--truth.every", "2", "--alone-epochs", "2"),
)


def keeping(units: dict[tuple[str | int, ...], Any]) -> Stage:
    """A stage that keeps its units here."""

    def once(unit: Sequence[str | int], compute: Callable[[], Any]) -> Any:
        if tuple(unit) not in units:
            units[tuple(unit)] = compute()
        return units[tuple(unit)]

    return QUIET._replace(once=once)
