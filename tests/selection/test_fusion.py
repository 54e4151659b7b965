"""Ranks of scores and of free priors, added: by hand, and against the published strength of the priors."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.benchmarks import read_table
from jaxnas.selection.fusion import PRIORS, WEIGHT, fused, prior_ranks, share_below
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.spaces.counts import live_weights


def test_ranks_are_shares_with_ties_at_their_mean() -> None:
    assert share_below(np.array([1.0, 2.0, 2.5, 9.0]), np.array([2.0, 1.0, 2.0, 3.0])).tolist() == [
        *(0.125, 0.5, 0.75, 1.0),
    ]
    drawn = np.random.default_rng(0).integers(0, 9, 50).astype(float)
    np.testing.assert_allclose(share_below(drawn, drawn), (stats.rankdata(drawn) - 0.5) / 50)


def test_priors_and_their_fusion_by_hand() -> None:
    # Connected cells of the chain: (skip, skip), (skip, conv), (conv, skip), (conv, conv); 0, 1, 1, 2 convolutions.
    cells = np.array([[1, 1], [1, 2], [2, 1], [2, 2]])
    assert PRIORS["nonlinear"](TOY, cells).tolist() == [0, 1, 1, 2]
    assert live_weights(TOY, cells).tolist() == [0, 9, 9, 18]
    assert live_weights(TOY, np.array([[2, 0]])).tolist() == [0]  # nothing is live
    ranks = [0.125, 0.5, 0.5, 0.875]
    assert WEIGHT == 0.5
    np.testing.assert_allclose(prior_ranks(TOY, cells), ranks)  # .5 of each of two equal rankings
    # Scores 10 .. 40 among a reference of 5, 15, 25, 35: shares .25, .5, .75, 1.
    found = fused(np.array([40.0, 10.0, 30.0, 20.0]), np.array([35.0, 5.0, 15.0, 25.0]), prior_ranks(TOY, cells))
    np.testing.assert_allclose(found, np.add([1.0, 0.25, 0.75, 0.5], ranks))


def test_weights_that_nothing_reaches_or_that_lead_nowhere_do_not_count() -> None:
    texts = {
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|none~2|": 10,  # 2 ends
        "|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|none~0|nor_conv_3x3~1|nor_conv_1x1~2|": 2,  # nothing reaches 1
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|": 54,
        "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|nor_conv_3x3~1|nor_conv_3x3~2|": 0,
    }
    cells = np.array([NAS_BENCH_201.decode(text).op_ids for text in texts])
    assert live_weights(NAS_BENCH_201, cells).tolist() == [*texts.values()]


def test_the_priors_rank_nas_bench_201_as_published(data_folder) -> None:
    """tau-b .653 of live parameters and .565 of nonlinear functions, over all cells; ranked together they do better."""
    table = read_table(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv")
    cells = NAS_BENCH_201.enumerate()
    truth = table.query(cells, "cifar10")
    for name, tau in (("live_parameters", 0.653), ("nonlinear", 0.565)):
        assert stats.kendalltau(PRIORS[name](NAS_BENCH_201, cells), truth).statistic == pytest.approx(tau, abs=0.002)
