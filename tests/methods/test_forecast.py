"""What a dry run says: the work of every stage by hand, and a forecast that is measured."""

from dataclasses import replace

from experiments.presets import PRESETS
from jaxnas.config import ControlConfig
from jaxnas.data import load
from jaxnas.methods.forecast import forecast, works
from jaxnas.methods.problem import prepare

DIGITS = replace(PRESETS["digits"], strategy="loop")


def test_the_work_of_digits_by_hand() -> None:
    problem = prepare(DIGITS, load(DIGITS.data, 0))
    # 16 steps an epoch, 3 validation batches, 8 leaves; 7 nodes of 30 operations and 4 batches are 840 probes.
    expected = [
        ("warm_up", 1, 20 * 16, 0),
        ("split", 6, 140, 0),
        ("leaves", 8, 20 * 16, 0),
        ("search", 8, 0, (50 + 4) * 3),
        ("unsplit", 1, 8 * 320 + 840, 0),
        ("unsplit_search", 1, 0, (8 * 50 + 32) * 3),
        ("random_split_1", 8, 320 + 105, 0),
        ("random_split_1_search", 8, 0, (50 + 4) * 3),
        ("random_alone", 8, (320 + 8 * 320 + 840) // 8, 3),
        ("alone", 4 + 32, 30 * 16, 6),
    ]
    assert list(map(tuple, works(problem, with_table=False))) == expected
    tabled = {work.stage: tuple(work) for work in works(problem, with_table=True)}
    assert tabled["search"] == ("search", 8, 0, (50 + 25) * 3)  # 200 of the table, 25 in each leaf
    assert tabled["unsplit_search"] == ("unsplit_search", 1, 0, (8 * 50 + 200) * 3)
    assert tabled["alone"] == ("alone", 4, 30 * 16, 6)
    search = replace(DIGITS.search, leaf_bias=True)  # the parent scores a generation of 25 for each leaf
    corrected = problem._replace(config=replace(problem.config, search=search))
    more = {work.stage: work.batches for work in works(corrected, with_table=False)}
    assert more["search"] == more["random_split_1_search"] == (50 + 25 + 4) * 3
    assert more["unsplit_search"] == (8 * 50 + 32) * 3


def test_stages_that_are_not_wanted_are_not_reckoned(problem) -> None:
    def stages(**control) -> dict[str, int]:
        other = problem._replace(config=replace(problem.config, control=ControlConfig(**control)))
        return {work.stage: work.networks for work in works(other, with_table=True)}

    none = stages(unsplit=False, random_splits=0, random_architectures=0)
    assert none == {"warm_up": 1, "split": 2, "leaves": 2, "search": 2, "alone": 1}
    two = stages(unsplit=False, random_splits=2, random_architectures=5)
    assert (two["random_split_2"], two["random_alone"], two["alone"]) == (2, 5, 4)
    assert "unsplit" not in two


def test_a_forecast_is_measured_here(problem) -> None:
    found = forecast(problem, with_table=False)
    assert found.work == works(problem, with_table=False)
    assert len(found.seconds) == len(found.work) and all(0 < second < 600 for second in found.seconds)
    seconds = dict(zip([work.stage for work in found.work], found.seconds, strict=True))
    assert seconds["unsplit"] > seconds["warm_up"] > 0  # 28 steps beside 8
    assert seconds["leaves"] / seconds["warm_up"] == 2  # networks take turns
    assert found.compile_seconds > 0
    assert found.memory > 64 * (128 + 128)  # the images at least
