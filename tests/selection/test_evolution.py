"""Evolution: what may be proposed, how much, and that it finds more than chance where there is structure."""

import numpy as np
import pytest

from jaxnas.benchmarks.table import position
from jaxnas.config import SearchConfig
from jaxnas.selection import Evaluated, no_history, propose
from jaxnas.spaces import NAS_BENCH_201

FULL = NAS_BENCH_201.full_mask()
SMALL = SearchConfig(budget=40, population=12, parents=5)


def search(seed: int, mask: np.ndarray, config: SearchConfig, scores: np.ndarray) -> list[np.ndarray]:
    """Proposals of at most 20 generations, until nothing is proposed; scores [15625] in the order of enumeration."""
    rng = np.random.default_rng(seed)
    history, proposals = no_history(NAS_BENCH_201), []
    for _ in range(20):
        proposed = propose(rng, NAS_BENCH_201, mask, history, config)
        if not len(proposed):
            break
        proposals.append(proposed)
        op_ids = np.concatenate([history.op_ids, proposed])
        history = Evaluated(op_ids, scores[position(NAS_BENCH_201, op_ids)])
    return proposals


def only(*rows: tuple[int, ...]) -> np.ndarray:
    return np.array([[o in row for o in range(5)] for row in rows])


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=15_625)


def additive(seed: int) -> np.ndarray:
    """A score for every architecture that is a sum of one random weight for each edge and operation."""
    weights = np.random.default_rng(seed).normal(size=(6, 5))
    return weights[np.arange(6), NAS_BENCH_201.enumerate()].sum(1)


MASKS = {
    "full": FULL,
    "leaf": only((0, 1), (2, 3, 4), (0, 1, 2, 3, 4), (0, 3), (0, 1, 2, 3, 4), (0, 4)),
    "mostly disconnected": only((0, 1, 2), (0,), (0, 1, 2, 3, 4), (0,), (0,), (0, 1, 2, 3, 4)),
}
CONNECTED = {"full": 15_284, "leaf": 300 + 150 + 60, "mostly disconnected": 2 * 4 * 4}


@pytest.mark.parametrize("name", MASKS)
def test_proposals_are_connected_inside_the_mask_and_never_repeated(name):
    proposals = np.concatenate(search(0, MASKS[name], SMALL, additive(0)))
    assert proposals.dtype == np.int32 and proposals.shape[1] == 6
    assert NAS_BENCH_201.connected(proposals).all()
    assert MASKS[name][np.arange(6), proposals].all()
    assert len(set(map(tuple, proposals.tolist()))) == len(proposals) == min(40, CONNECTED[name])


@pytest.mark.parametrize(
    ("budget", "population", "sizes"),
    [(100, 30, [30, 30, 30, 10]), (24, 12, [12, 12]), (7, 25, [7]), (1, 1, [1]), (0, 5, [])],
)
def test_generations_are_as_large_as_the_population_and_the_last_fills_the_budget(budget, population, sizes):
    config = SearchConfig(budget=budget, population=population)
    assert [len(proposed) for proposed in search(1, FULL, config, noise(1))] == sizes


@pytest.mark.parametrize("budget", [32, 33, 100])
def test_a_mask_no_larger_than_the_budget_is_enumerated(budget):
    mask = MASKS["mostly disconnected"]
    inside = NAS_BENCH_201.enumerate(mask)
    expected = set(map(tuple, inside[(inside[:, [0, 2, 5]] != 0).all(1)].tolist()))
    proposals = search(2, mask, SearchConfig(budget=budget, population=12), noise(2))
    assert [len(proposed) for proposed in proposals] == [12, 12, 8]
    assert set(map(tuple, np.concatenate(proposals).tolist())) == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_hardly_larger_than_the_budget_is_filled_up_without_repeats(seed):
    config = SearchConfig(budget=31, population=12, parents=2)
    proposals = search(seed, MASKS["mostly disconnected"], config, noise(seed))
    assert [len(proposed) for proposed in proposals] == [12, 12, 7]
    assert len(set(map(tuple, np.concatenate(proposals).tolist()))) == 31


def test_a_mask_of_one_architecture_gives_that_one():
    mask = only((1,), (0,), (4,), (0,), (2,), (3,))
    proposals = search(0, mask, SMALL, noise(0))
    assert [proposed.tolist() for proposed in proposals] == [[[1, 0, 4, 0, 2, 3]]]


def test_the_same_seed_proposes_the_same_and_another_seed_does_not():
    first, again, other = (np.concatenate(search(seed, FULL, SMALL, additive(3))) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_history_is_not_changed():
    history = Evaluated(NAS_BENCH_201.enumerate()[-20:].copy(), np.arange(20.0))
    propose(np.random.default_rng(0), NAS_BENCH_201, FULL, history, SMALL)
    np.testing.assert_array_equal(history.op_ids, NAS_BENCH_201.enumerate()[-20:])
    np.testing.assert_array_equal(history.scores, np.arange(20.0))


def test_without_mutation_children_mix_the_best_parents_only():
    best = only((1, 2), (3, 4), (1, 3), (2, 4), (1, 4), (2, 3))
    good = NAS_BENCH_201.enumerate(best)[[0, 63, 20, 43]]
    bad = np.zeros((30, 6), np.int32)
    bad[:, 3] = 1 + np.arange(30) % 4
    bad[:, 4] = np.arange(30) % 5
    bad[:, 5] = np.arange(30) % 3
    bad = np.unique(bad, axis=0)
    history = Evaluated(
        np.concatenate([bad[:10], good, bad[10:]]),
        np.concatenate([np.full(10, -1.0), np.ones(4), np.full(len(bad) - 10, -1.0)]),
    )
    config = SearchConfig(budget=200, population=12, parents=4, mutation=0.0)
    children = propose(np.random.default_rng(0), NAS_BENCH_201, FULL, history, config)
    assert len(children) == 12
    for e in range(6):
        assert set(children[:, e].tolist()) <= set(good[:, e].tolist())


def test_mutants_stay_close_to_their_parents():
    parent = np.array([[3, 3, 3, 3, 3, 3]], np.int32)
    config = SearchConfig(budget=100, population=20, parents=1, mutation=0.1)
    history = Evaluated(parent, np.ones(1))
    children = propose(np.random.default_rng(0), NAS_BENCH_201, FULL, history, config)
    changed = (children[:10] != parent).sum(1)
    assert changed.min() >= 1
    assert changed.mean() < 2.5  # architectures drawn at random change 4.8 edges


def best_of_twenty(score_of) -> tuple[float, float]:
    """Mean best score of evolution and of random search, both of 100 architectures, over 20 seeds.

    Among the cells without pooling; scores in standard deviations.
    """
    config = SearchConfig(budget=100, population=25, parents=10, mutation=0.1)
    mask = only(*[(0, 1, 2, 3)] * 6)
    inside = NAS_BENCH_201.enumerate(mask)
    connected = position(NAS_BENCH_201, inside[NAS_BENCH_201.connected(inside)])
    evolved, drawn = [], []
    for seed in range(20):
        scores = score_of(seed)
        scores = (scores - scores[connected].mean()) / scores[connected].std()
        found = np.concatenate(search(seed, mask, config, scores))
        assert len(found) == 100
        evolved.append(scores[position(NAS_BENCH_201, found)].max())
        drawn.append(scores[np.random.default_rng(1000 + seed).choice(connected, 100, replace=False)].max())
    return float(np.mean(evolved)), float(np.mean(drawn))


def test_evolution_beats_random_search_where_scores_have_structure():
    evolved, drawn = best_of_twenty(additive)
    assert evolved > drawn + 0.3


def test_evolution_is_random_search_where_scores_have_none():
    evolved, drawn = best_of_twenty(lambda seed: np.random.default_rng(500 + seed).permutation(additive(seed)))
    assert abs(evolved - drawn) < 0.3
