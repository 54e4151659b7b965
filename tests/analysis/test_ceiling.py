"""The best box of some edges, against trying every box, and published numbers."""

import itertools

import numpy as np
import pytest

from jaxnas.analysis import ceiling
from jaxnas.benchmarks import read_csv
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace, membership
from jaxnas.types import UserError

CUBE = SearchSpace("cube", ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"), ((1, 0), (2, 0), (2, 1)))


@pytest.mark.parametrize("edges", [(0,), (2,), (0, 1), (2, 0), (1, 2, 0)])
@pytest.mark.parametrize("n", [16, 24, 40])
def test_the_ceiling_is_the_best_of_all_boxes(edges, n) -> None:
    accuracies = np.random.default_rng(n).permutation(64).astype(float)
    top = np.argsort(-accuracies)[:13]  # round(.2 * 64)
    rows = [row for row in itertools.product((False, True), repeat=4) if any(row)]
    best = (-1.0, 0)
    for chosen in itertools.product(rows, repeat=len(edges)):
        mask = CUBE.full_mask()
        mask[list(edges)] = chosen
        inside = membership(CUBE, mask[None])[0]
        if inside.sum() <= n:
            best = max(best, (inside[top].sum() / 13, -int(inside.sum())))
    found = ceiling(CUBE, accuracies, edges, n, top=0.2)
    assert (found.share, -found.n_architectures) == pytest.approx(best)
    inside = membership(CUBE, found.mask[None])[0]
    assert inside.sum() == found.n_architectures and inside[top].sum() / 13 == pytest.approx(found.share)
    assert found.mask[[e for e in range(3) if e not in edges]].all()


def test_the_ceilings_of_the_published_edges_and_of_better_ones(data_folder) -> None:
    table = read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv").accuracies
    for edges, low, high in (((0, 1, 2), 0.42, 0.53), ((0, 3, 5), 0.78, 0.90)):
        shares = [ceiling(NAS_BENCH_201, values, edges, 1000).share for values in table.values()]
        assert (min(shares), max(shares)) == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize(
    ("edges", "n", "words"),
    [
        ((0, 2), 9, "edges must be 1 to 5 of 0 to 1, each once"),
        ((0, 0), 9, "each once"),
        ((), 9, "edges must be"),
        ((-1,), 9, "edges must be"),
        ((0,), 2, "has at least 3 architectures, not 2"),
    ],
)
def test_edges_and_sizes_that_do_not_exist_are_told(edges, n, words) -> None:
    with pytest.raises(UserError, match=words):
        ceiling(TOY, np.arange(9.0), edges, n)
