"""What a dry run says: the work of every stage by hand, and a forecast that is measured."""

from dataclasses import replace

import pytest

from experiments.presets import PRESETS
from jaxnas.config import ControlConfig, TruthConfig
from jaxnas.data import load
from jaxnas.methods import controls
from jaxnas.methods.forecast import forecast, works
from jaxnas.methods.problem import of_seed, prepare
from jaxnas.types import UserError

DIGITS = replace(PRESETS["digits"], strategy="loop")


def test_the_work_of_digits_by_hand() -> None:
    problem = prepare(DIGITS, load(DIGITS.data, 0))
    # 16 steps an epoch, 3 validation batches, 8 leaves; 7 nodes of 30 operations and 4 batches are 840 probes.
    expected = [
        ("warm_up", 1, 20 * 16, 0),
        ("split", 6, 140, 0),
        ("leaves", 8, 20 * 16, 0),
        ("search", 8, 0, 50 * 3),
        ("unsplit", 1, 8 * 320 + 840, 0),
        ("unsplit_search", 1, 0, 8 * 50 * 3),
        ("random_split_1", 8, 320 + 105, 0),
        ("random_split_1_search", 8, 0, 50 * 3),
        ("random_alone", 8, (320 + 8 * 320 + 840) // 8, 3),
        ("alone", 4 + 32, 30 * 16, 6),
        ("judge", 8, 0, 2 * 4 * 3),  # the sample of 32 by the leaves of both trees
        ("judge_unsplit", 1, 0, 32 * 3),
    ]
    assert list(map(tuple, works(problem, with_table=False))) == expected
    tabled = {work.stage: tuple(work) for work in works(problem, with_table=True)}
    # 300 of the table and 100 of its best, 50 in each leaf; and 50 of each leaf of the method.
    assert tabled["judge"] == ("judge", 8, 0, (2 * 50 + 50) * 3)
    assert tabled["judge_unsplit"] == ("judge_unsplit", 1, 0, 400 * 3)
    assert tabled["alone"] == ("alone", 4, 30 * 16, 6)
    search = replace(DIGITS.search, leaf_bias=True)  # the parent scores a generation of 25 for each leaf
    corrected = problem._replace(config=replace(problem.config, search=search))
    more = {work.stage: work.batches for work in works(corrected, with_table=False)}
    assert more["search"] == more["random_split_1_search"] == (50 + 25) * 3
    assert more["unsplit_search"] == 8 * 50 * 3
    # Looks after 3, 6, ..., 18 and 20 epochs; the unsplit supernet trains for 212, random leaves for 26.
    truth = replace(DIGITS.truth, every=3)
    followed = problem._replace(config=replace(problem.config, truth=truth))
    looks = {work.stage: work.batches for work in works(followed, with_table=False)}
    assert (looks["warm_up"], looks["leaves"]) == (7 * 32 * 3, 7 * 4 * 3)
    assert (looks["unsplit"], looks["random_split_1"]) == (71 * 32 * 3, 9 * 4 * 3)
    assert {work.stage: work.batches for work in works(followed, with_table=True)}["warm_up"] == 7 * 200 * 3


def test_stages_that_are_not_wanted_are_not_reckoned(problem) -> None:
    def stages(**control) -> dict[str, int]:
        other = problem._replace(config=replace(problem.config, control=ControlConfig(**control)))
        return {work.stage: work.networks for work in works(other, with_table=True)}

    none = stages(unsplit=False, random_splits=0, random_architectures=0)
    assert none == {"warm_up": 1, "split": 2, "leaves": 2, "search": 2, "alone": 1, "judge": 2}
    two = stages(unsplit=False, random_splits=2, random_architectures=5)
    assert (two["random_split_2"], two["random_alone"], two["alone"]) == (2, 5, 4)
    assert "unsplit" not in two


def test_a_forecast_refuses_a_control_that_cannot_be_of_any_seed(problem, monkeypatch) -> None:
    def check(of) -> None:
        if of.config.seed == 5:
            raise UserError("the random split of seed 5")

    monkeypatch.setattr(controls, "check", check)
    with pytest.raises(UserError, match="of seed 5"):
        forecast(problem, False, (1, 5))
    with pytest.raises(UserError, match="of seed 5"):
        forecast(of_seed(problem, 5), False)


def test_a_forecast_is_measured_here(problem) -> None:
    problem = problem._replace(config=replace(problem.config, truth=TruthConfig(alone=4)))  # no look at rankings
    found = forecast(problem, with_table=False)
    assert found.work == works(problem, with_table=False)
    assert len(found.seconds) == len(found.work) and all(0 < second < 600 for second in found.seconds)
    seconds = dict(zip([work.stage for work in found.work], found.seconds, strict=True))
    assert seconds["unsplit"] > seconds["warm_up"] > 0  # 28 steps beside 8
    assert seconds["leaves"] / seconds["warm_up"] == 2  # networks take turns
    assert found.compile_seconds > 0
    assert found.memory > 64 * (128 + 128)  # the images at least
