"""Regularised evolution: a search traced by hand, and that it finds more than chance where there is structure."""

import numpy as np

from jaxnas.selection import SELECTORS
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.testing.selectors import MASKS, additive, index, only, planted
from tests.selection.planted import connected, dirichlet, uniform


class Script:
    """A generator that answers what it is told, of what may be answered."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)

    def integers(self, most: int, size: int) -> list[int]:
        answer = self.answers.pop(0)
        assert len(answer) == size and max(answer) < most
        return answer

    def choice(self, of, n=None, replace=True):
        answer = self.answers.pop(0)
        rows = np.asarray(of).tolist()
        assert all(row in rows for row in (answer if n is not None else [answer]))
        return np.array(answer, np.int32)


def test_a_search_traced_by_hand() -> None:
    mask = only((1, 2), (1, 2), ops=3)
    table = np.zeros(9)
    for cell, accuracy in {(1, 2): 20, (1, 1): 20, (2, 1): 30, (2, 2): 5}.items():
        table[index(TOY, np.array(cell))] = accuracy
    trained, calls = planted(TOY, table, uniform(mask))
    script = Script(
        *([[1, 2], [1, 1]],),  # the first queue, oldest first
        *([1, 0], 0, [2, 1]),  # equals drawn, so the first drawn is the parent, (1, 1); (1, 2) dies, the oldest
        *([0, 0], 1, [1, 2]),  # of (1, 1), which the death of the worst would have spared too: (1, 2) is known
        *([1, 0], 1, [2, 2]),  # (1, 2) and (2, 1) are drawn, the latter is better
    )
    chosen = SELECTORS["regularised_evolution"](population=2, tournament=2)(script, trained, mask, 9)
    assert [choices.tolist() for choices in calls.choices] == [[[1, 2], [1, 1]], [[2, 1]], [[2, 2]]]
    assert (chosen.op_ids.tolist(), chosen.score, chosen.evaluations) == ([2, 1], 30.0, 4)
    assert not script.answers


def test_children_differ_in_one_edge_from_a_living_parent() -> None:
    space, mask = MASKS["leaf"]
    trained, calls = planted(space, additive(space, 0), uniform(mask))
    SELECTORS["regularised_evolution"](population=1, tournament=3)(np.random.default_rng(0), trained, mask, 60)
    walk = np.concatenate(calls.choices)  # a queue of one: every child's parent is the one before it
    assert len(walk) == len({tuple(row) for row in walk.tolist()}) == 60
    # Known cells are stepped over without evaluation, so that some steps change more than one edge.
    assert ((walk[1:] != walk[:-1]).sum(1) == 1).mean() > 0.5
    neighbours = [(np.abs(row - walk[:i]) > 0).sum(1).min() for i, row in enumerate(walk) if i]
    assert max(neighbours) == 1


def test_a_small_mask_is_known_whole_and_one_without_neighbours_ends() -> None:
    for where in ("mostly disconnected", "one connected cell"):
        space, mask = MASKS[where]
        trained, calls = planted(space, additive(space, 1), dirichlet(mask, 0))
        SELECTORS["regularised_evolution"]()(np.random.default_rng(0), trained, mask, 100)
        assert calls.evaluations == len(connected(space, mask))
    apart = only((1,), (0,), (0, 1), (0,), (0,), (2,))  # through edges 0, 2, 5 only: one cell, whose child is dead
    trained, calls = planted(space, additive(space, 1), uniform(apart))
    assert SELECTORS["regularised_evolution"]()(np.random.default_rng(0), trained, apart, 5).evaluations == 1


def test_it_beats_random_search_where_scores_have_structure_and_not_where_they_have_none() -> None:
    space, full = NAS_BENCH_201, NAS_BENCH_201.full_mask()
    ahead, shuffled = [], []
    for seed in range(12):
        for scores, gains in ((additive(space, seed), ahead), (None, shuffled)):
            table = np.random.default_rng(seed).permutation(additive(space, seed)) if scores is None else scores
            trained, _ = planted(space, table, uniform(full))
            evolved, drawn = (
                SELECTORS[name]()(np.random.default_rng(seed), trained, full, 100).score
                for name in ("regularised_evolution", "best_of_sampled")
            )
            gains.append((evolved - drawn) / table.std())
    assert np.mean(ahead) > 0.3 > abs(np.mean(shuffled))
