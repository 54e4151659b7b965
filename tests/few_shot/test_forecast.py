"""What a dry run says: the work of every stage by hand, and a forecast that is measured."""

from dataclasses import replace

import pytest

from jaxnas.data import load
from jaxnas.few_shot import controls
from jaxnas.few_shot.config import ControlConfig, TruthConfig
from jaxnas.few_shot.forecast import forecast, works
from jaxnas.few_shot.presets import PRESETS
from jaxnas.few_shot.run_context import of_seed, prepare
from jaxnas.types import UserError

DIGITS = replace(PRESETS["digits"], strategy="loop")


def test_the_work_of_digits_by_hand() -> None:
    context = prepare(DIGITS, load(DIGITS.data, 0))
    # 5 steps an epoch, 8 validation batches, 4 leaves; 3 nodes of 30 operations and 4 batches are 360 probes.
    expected = [
        ("warm_up", 1, 200 * 5, 0),
        ("split", 6, 60, 0),
        ("leaves", 4, 200 * 5, 0),
        ("search", 4, 0, 50 * 8),
        ("unsplit", 1, 4 * 1000 + 360, 0),
        ("unsplit_search", 1, 0, 4 * 50 * 8),
        ("random_split_1", 4, 1000 + 90, 0),
        ("random_split_1_search", 4, 0, 50 * 8),
        ("random_alone", 8, (1000 + 4 * 1000 + 360) // 8, 8),
        ("alone", 4 + 64, 50 * 5, 16),
        ("judge", 4, 0, 2 * 16 * 8),  # the sample of 64 by the leaves of both trees
        ("judge_unsplit", 1, 0, 64 * 8),
    ]
    assert list(map(tuple, works(context, with_table=False))) == expected
    tabled = {work.stage: tuple(work) for work in works(context, with_table=True)}
    # 300 of the table and 100 of its best, 100 in each leaf; and 50 of each leaf of the method.
    assert tabled["judge"] == ("judge", 4, 0, (2 * 100 + 50) * 8)
    assert tabled["judge_unsplit"] == ("judge_unsplit", 1, 0, 400 * 8)
    assert tabled["alone"] == ("alone", 4, 50 * 5, 16)
    search = replace(DIGITS.search, leaf_bias=True)  # the parent scores a generation of 25 for each leaf
    corrected = context._replace(config=replace(context.config, search=search))
    more = {work.stage: work.batches for work in works(corrected, with_table=False)}
    assert more["search"] == more["random_split_1_search"] == (50 + 25) * 8
    assert more["unsplit_search"] == 4 * 50 * 8
    # Looks after 3, 6, ..., 198 and 200 epochs; the unsplit supernet trains for 872, random leaves for 218.
    truth = replace(DIGITS.truth, every=3)
    followed = context._replace(config=replace(context.config, truth=truth))
    looks = {work.stage: work.batches for work in works(followed, with_table=False)}
    assert (looks["warm_up"], looks["leaves"]) == (67 * 64 * 8, 67 * 16 * 8)
    assert (looks["unsplit"], looks["random_split_1"]) == (291 * 64 * 8, 73 * 16 * 8)
    assert {work.stage: work.batches for work in works(followed, with_table=True)}["warm_up"] == 67 * 200 * 8


def test_stages_that_are_not_wanted_are_not_reckoned(context) -> None:
    def stages(**control) -> dict[str, int]:
        other = context._replace(config=replace(context.config, control=ControlConfig(**control)))
        return {work.stage: work.networks for work in works(other, with_table=True)}

    none = stages(unsplit=False, random_splits=0, random_architectures=0)
    assert none == {"warm_up": 1, "split": 2, "leaves": 2, "search": 2, "alone": 1, "judge": 2}
    two = stages(unsplit=False, random_splits=2, random_architectures=5)
    assert (two["random_split_2"], two["random_alone"], two["alone"]) == (2, 5, 4)
    assert "unsplit" not in two


def test_a_forecast_refuses_a_control_that_cannot_be_of_any_seed(context, monkeypatch) -> None:
    def random_trees(of) -> list:
        if of.config.seed == 5:
            raise UserError("the random split of seed 5")
        return []

    monkeypatch.setattr(controls, "random_trees", random_trees)
    with pytest.raises(UserError, match="of seed 5"):
        forecast(context, False, (1, 5))
    with pytest.raises(UserError, match="of seed 5"):
        forecast(of_seed(context, 5), False)


def test_a_forecast_is_measured_here(context) -> None:
    context = context._replace(config=replace(context.config, truth=TruthConfig(alone=4)))  # no look at rankings
    found = forecast(context, with_table=False)
    assert found.work == works(context, with_table=False)
    assert len(found.seconds) == len(found.work) and all(0 < second < 600 for second in found.seconds)
    seconds = dict(zip([work.stage for work in found.work], found.seconds, strict=True))
    assert seconds["unsplit"] > seconds["warm_up"] > 0  # 28 steps beside 8
    assert seconds["leaves"] / seconds["warm_up"] == 2  # networks take turns
    assert found.compile_seconds > 0
    assert found.memory > 64 * (128 + 128)  # the images at least
