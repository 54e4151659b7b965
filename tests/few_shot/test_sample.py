"""The cells that judge rankings: the same for all, uniform, and of the best tenth where they should be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxnas.data import load
from jaxnas.few_shot.config import FewShotConfig, TruthConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.few_shot.run_context import RunContext, prepare
from jaxnas.few_shot.sample import best_tenth, leaf_cells, top_cells, uniform_cells
from jaxnas.spaces import NAS_BENCH_201
from jaxnas.splitting import at_random, grow

CONNECTED = NAS_BENCH_201.enumerate_connected()
TREES = [grow(NAS_BENCH_201, (2, 2, 2), at_random(NAS_BENCH_201, np.random.default_rng(i))) for i in range(2)]


@pytest.fixture(scope="module")
def digits() -> RunContext:
    config = replace(PRESETS["digits"], strategy="loop")
    return prepare(config, load(config.data, 0))


def with_truth(context: RunContext, seed: int = 0, **truth) -> RunContext:
    config: FewShotConfig = replace(context.config, truth=TruthConfig(**truth), seed=seed)
    return context._replace(config=config)


TABLE = {"table": Path("t.csv")}


def test_the_uniform_sample_is_the_same_for_every_seed_and_another_for_another_data_set(digits) -> None:
    cells = uniform_cells(with_truth(digits, **TABLE))
    assert cells.shape == (300, 6) and NAS_BENCH_201.connected(cells).all()
    assert len({tuple(row) for row in cells.tolist()}) == 300
    np.testing.assert_array_equal(cells, uniform_cells(with_truth(digits, seed=5, **TABLE)))
    np.testing.assert_array_equal(cells[:32], uniform_cells(with_truth(digits)))  # trained alone: the first of them
    named = digits._replace(config=replace(digits.config, data=replace(digits.config.data, name="cifar10")))
    assert (cells != uniform_cells(with_truth(named, **TABLE))).any()
    assert uniform_cells(with_truth(digits, alone=0)).shape == (0, 6)


def test_the_uniform_sample_has_the_shares_of_the_connected_cells(digits) -> None:
    cells = uniform_cells(with_truth(digits, queried=4000, **TABLE))
    for edge in range(6):
        wanted = np.bincount(CONNECTED[:, edge], minlength=5) / len(CONNECTED)
        found = np.bincount(cells[:, edge], minlength=5) / len(cells)
        np.testing.assert_allclose(found, wanted, atol=4 * 0.5 / 4000**0.5)


def test_top_cells_are_of_the_best_tenth_and_not_of_the_uniform_sample(digits) -> None:
    truth = np.random.default_rng(0).uniform(10, 90, len(CONNECTED))
    least = best_tenth(truth)
    assert (truth >= least).sum() == round(len(CONNECTED) / 10)
    place = {tuple(row): i for i, row in enumerate(CONNECTED.tolist())}
    drawn = uniform_cells(with_truth(digits, **TABLE))
    cells = top_cells(with_truth(digits, **TABLE), CONNECTED, truth, drawn)
    rows = [tuple(row) for row in cells.tolist()]
    assert len(set(rows)) == 100 and all(truth[place[row]] >= least for row in rows)
    assert not {*rows} & {tuple(row) for row in drawn.tolist()}
    np.testing.assert_array_equal(cells, top_cells(with_truth(digits, seed=3, **TABLE), CONNECTED, truth, drawn))
    # With the drawn ones all of the tenth, where as many are asked for.
    rest = top_cells(with_truth(digits, top=10_000, **TABLE), CONNECTED, truth, drawn)
    known = sum(truth[place[tuple(row)]] >= least for row in drawn.tolist())
    assert len(rest) + known == round(len(CONNECTED) / 10)
    assert len(top_cells(with_truth(digits, top=0, **TABLE), CONNECTED, truth, drawn)) == 0


def test_every_leaf_has_a_draw_of_its_own(digits) -> None:
    for tree in TREES:
        cells = leaf_cells(with_truth(digits, **TABLE), tree)
        again = leaf_cells(with_truth(digits, seed=1, **TABLE), tree)
        for leaf, (found, same) in enumerate(zip(cells, again, strict=True)):
            np.testing.assert_array_equal(found, same)
            assert len(found) == min(50, len(NAS_BENCH_201.enumerate_connected(tree.masks()[leaf])))
            assert (tree.route(found) == leaf).all() and NAS_BENCH_201.connected(found).all()
            assert len({tuple(row) for row in found.tolist()}) == len(found)


def test_a_space_that_is_smaller_than_the_sample_is_taken_whole(context, tree) -> None:
    cells = uniform_cells(with_truth(context, alone=32))
    assert sorted(map(tuple, cells.tolist())) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [sorted(map(tuple, of.tolist())) for of in leaf_cells(context, tree)] == [
        [(1, 1), (1, 2)],
        [(2, 1), (2, 2)],
    ]
