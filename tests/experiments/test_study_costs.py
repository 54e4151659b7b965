"""Epochs at equal cost: worked by hand, and counted multiply-adds against a sum over layers."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnas.arithmetic import minimum
from jaxnas.data import load
from jaxnas.spaces import TOY, Architecture
from jaxnas.studies.search.cells import Scope, prepare_study
from jaxnas.studies.search.costs import Costs, costs_of, epochs_of, random_epochs
from jaxnas.studies.search.presets import STUDIES

CONFIG = replace(STUDIES["smoke"], algorithms=("uniform", "darts"), strategy="loop")
LEAF = Scope("leaf", np.array([[False, False, True], [False, True, True]]))  # a convolution, then a skip or another


@pytest.fixture(scope="module")
def counted():
    context = prepare_study(CONFIG, load(CONFIG.data, 0))
    return costs_of(context, CONFIG, [Scope("whole", TOY.full_mask()), LEAF])


def made_up(**passes: int) -> Costs:
    """128 images an epoch and pass; multiply-adds of an epoch alone by the operation that is on every edge."""
    return Costs({name: 128 * each for name, each in passes.items()}, {}, 128, np.array([2.0, 4.0, 12.0]))


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(12, (12, 6, 2)), (20, (20, 10, 3)), (2, (2, 1, 1))],  # of passes 1, 2 and 6: 20 / 6 is 3.3; never none
)
def test_equal_images_are_epochs_by_passes(epochs: int, expected: tuple[int, int, int]) -> None:
    names = ("one", "two", "six")
    config = replace(CONFIG, algorithms=names, epochs=epochs)
    costs = made_up(one=1, two=2, six=6)
    assert epochs_of(config, costs, "images") == dict(zip(names, expected, strict=True))
    assert epochs_of(config, costs, "epochs") == dict.fromkeys(names, epochs)
    # Without one of a single pass, the one of the fewest has all epochs.
    rest = replace(config, algorithms=names[1:])
    assert epochs_of(rest, costs, "images") == {"two": epochs, "six": max(1, round(epochs / 3))}


def test_random_search_has_the_images_or_the_multiply_adds_of_its_algorithm() -> None:
    config = replace(CONFIG, algorithms=("one", "six"), epochs=12)
    costs = made_up(one=1, six=6)._replace(products={("one", "whole"): 10.0, ("six", "whole"): 40.0})
    drawn = np.array([[0, 1], [2, 2]])  # an epoch of each alone is (2 + 4) / 2 and 12 multiply-adds
    assert costs.alone(drawn) == 15
    # 12 epochs of 6 passes for two architectures; at equal images 2 epochs of 6.
    given = [random_epochs(config, costs, *of, "whole", drawn) for of in (("epochs", "six"), ("images", "six"))]
    assert given == [36, 6]
    # At equal arithmetic six trains 3 epochs, 120 multiply-adds, and so do both: 120 / 15.
    assert epochs_of(config, costs, "arithmetic") == {"one": 12, "six": 3}
    assert [random_epochs(config, costs, "arithmetic", name, "whole", drawn) for name in ("one", "six")] == [8, 8]


def test_counted_costs_are_a_sum_over_layers(counted) -> None:
    """The least that a step needs; on a CPU a convolution of 8, 4 or 2 columns also computes one of zeros."""
    sizes = (CONFIG.net.channels, CONFIG.net.cells, 10, (8, 8, 3), CONFIG.data.batch)
    steps = CONFIG.data.train // CONFIG.data.batch
    mixed = steps * minimum(TOY, *sizes)

    def mean(op_ids: np.ndarray) -> float:
        return float(np.mean([steps * minimum(TOY, *sizes, Architecture(tuple(row))) for row in op_ids.tolist()]))

    paths = mean(TOY.enumerate_connected())
    uniform, darts = (counted.products[name, "whole"] for name in CONFIG.algorithms)
    assert 1 <= uniform / paths < 1.5
    # A pass of DARTS for its logits has no gradient on weights: two of the three products of a step. Columns of zeros
    # are a larger part of the convolutions of cells, of which the mixed form has more.
    assert darts / uniform == pytest.approx(5 / 3 * mixed / paths, rel=0.1)
    # A path inside the leaf has more convolutions; the mixed form runs all operations everywhere.
    assert counted.products["darts", "leaf"] == darts
    within = mean(TOY.enumerate_connected(LEAF.mask)) / paths
    assert counted.products["uniform", "leaf"] / uniform == pytest.approx(within, rel=0.05) and within > 1.2
    # Trained alone, architectures cost what a supernet on their paths costs.
    assert counted.alone(TOY.enumerate_connected()) / 4 == pytest.approx(uniform, rel=1e-6)


def test_equal_arithmetic_is_met_to_half_an_epoch(counted) -> None:
    config = replace(CONFIG, epochs=20)
    each = {name: sum(counted.products[name, scope] for scope in ("whole", "leaf")) for name in config.algorithms}
    epochs = epochs_of(config, counted, "arithmetic")
    assert epochs["uniform"] == 20 and 1 < epochs["darts"] < 20
    assert abs(epochs["uniform"] * each["uniform"] - epochs["darts"] * each["darts"]) <= each["darts"] / 2
