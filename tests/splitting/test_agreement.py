"""Agreement of groupings: hand-worked indices, ties as draws, chance, and what random similarities agree on."""

import numpy as np
import pytest

from jaxnas.config import SplitConfig
from jaxnas.spaces import NAS_BENCH_201
from jaxnas.splitting import chance, edges_by_rule, jackknife_values, pairwise, possible, rand_agreement, rank_edges
from jaxnas.testing import TRIANGLE

ONE, OTHER, THIRD = ((0, 1), (2,)), ((0, 2), (1,)), ((0,), (1, 2))


def random_runs(runs: int, space=NAS_BENCH_201) -> list:
    """Groupings of symmetric noise."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(runs):
        noise = rng.normal(size=(len(space.edges), 1, len(space.ops), len(space.ops)))
        grouped = rank_edges(space, space.full_mask(), noise + noise.swapaxes(2, 3), 2, SplitConfig(), rng)
        found.append([of.candidate.partition.tied for of in grouped])
    return found


def test_a_tie_counts_as_a_draw() -> None:
    assert rand_agreement([ONE], [ONE]) == 1 and rand_agreement([ONE], [OTHER]) == pytest.approx(-0.5)
    assert rand_agreement([ONE, OTHER], [ONE]) == pytest.approx(0.25)
    assert rand_agreement([ONE, OTHER], [ONE, OTHER]) == pytest.approx(0.25)


def test_pairs_are_means_over_edges_and_the_jackknife_keeps_their_mean() -> None:
    matrix = pairwise([[[ONE], [ONE]], [[ONE], [OTHER]], [[OTHER], [OTHER]]])
    np.testing.assert_allclose(matrix, [[1, 0.25, -0.5], [0.25, 1, 0.25], [-0.5, 0.25, 1]])
    # 3 * 0 - 2 * (the pair without run i)
    np.testing.assert_allclose(jackknife_values(matrix), [-0.5, 1.0, -0.5], atol=1e-12)
    assert jackknife_values(matrix[:2, :2]).tolist() == [0.25]


def test_random_similarities_agree_as_chance_does() -> None:
    space, mask = NAS_BENCH_201, NAS_BENCH_201.full_mask()
    runs = random_runs(40)
    found = jackknife_values(pairwise(runs)).mean()
    assert abs(found) < 0.03
    allowed = [possible(space, mask, edge, 2, 1) for edge in range(6)]
    assert [len(groups) for groups in allowed] == [15] * 6
    drawn = chance([[tied[0] for tied in run] for run in runs[:5]], allowed, np.random.default_rng(0), 4000)
    # 10 pairs of 6 edges; a pair has mean 0 over all groupings of two sizes.
    assert abs(drawn.mean()) < 0.01 and 0.03 < drawn.std() < 0.1


def test_chance_keeps_sizes_and_what_an_edge_allows() -> None:
    assert [possible(TRIANGLE, TRIANGLE.full_mask(), edge, 2, 1) for edge in range(3)] == [[ONE, OTHER, THIRD]] * 3
    bridge = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]], bool)  # without the direct edge, `none` cannot be compared
    assert [possible(TRIANGLE, bridge, edge, 2, 1) for edge in range(3)] == [[((1,), (2,))], [], [((1,), (2,))]]
    drawn = chance([[ONE, ONE]] * 2, [[ONE, OTHER]] * 2, np.random.default_rng(0), 4000)
    assert set(np.round(drawn, 9)) == {-0.5, 0.25, 1.0} and drawn.mean() == pytest.approx(0.25, abs=0.03)
    alone, even = ((0,), (1, 2, 3)), ((0, 1), (2, 3))
    sure = chance([[alone]] * 2, [[alone, even]], np.random.default_rng(0), 9)
    assert sure.tolist() == [1.0] * 9  # one grouping has these sizes


def test_rules_take_the_lowest_of_tied_edges() -> None:
    equal, rng, mask = np.zeros((3, 4, 3, 3)), np.random.default_rng(0), TRIANGLE.full_mask()
    found = rank_edges(TRIANGLE, mask, equal, 2, SplitConfig(edges="fixed", order=(1,)), rng)
    assert [of.candidate.edge for of in found] == [0, 1, 2]  # whatever the rule of the settings
    assert [of.trust.stability for of in found] == [0, 0, 0] and found[0].candidate.partition.ties == 3
    taken = edges_by_rule(TRIANGLE, mask, found, SplitConfig(order=(1, 0)), rng)
    assert {name: edge for name, edge in taken.items() if name != "random"} == {
        **{"best": 0, "fixed": 1, "cheapest_cut": 0, "cheapest_cut_inverted": 0}
    }
    assert set(edges_by_rule(TRIANGLE, mask, [], SplitConfig(), rng).values()) == {None}
