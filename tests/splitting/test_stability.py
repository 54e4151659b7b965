"""Noise between batches: intervals and shares in closed form, agreement by hand, and when enough has been measured."""

import numpy as np
import pytest
from scipy import stats

from jaxnas.config import SplitConfig
from jaxnas.spaces import NAS_BENCH_201
from jaxnas.spaces.tree import LATER, Split, SplitTree
from jaxnas.splitting import (
    adjusted_rand_index,
    as_readings,
    best_partition,
    bootstrap,
    by_batches,
    by_similarity,
    cross_sum,
    grow,
    of_batches,
    passes,
    repeats_needed,
)
from jaxnas.splitting.choose import choose_split
from jaxnas.types import UserError

BLOCKS = ((0, 1), (2, 3, 4))
OTHER = ((0, 2), (1, 3, 4))


def planted(batches: int, noise: float, seed: int = 0, signal: float = 0.8) -> np.ndarray:
    """Similarities [R, 5, 5]: `signal` more inside 01 and 234 than between, and noise of each batch."""
    block = np.array([0, 0, 1, 1, 1])
    drawn = np.random.default_rng(seed).normal(size=(batches, 5, 5))
    return signal * (block[:, None] == block) + noise * (drawn + drawn.swapaxes(1, 2)) / 2**0.5


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def one_or_the_other(signs: list[float]) -> np.ndarray:
    """Batches [R, 5, 5] in each of which the summed cut of BLOCKS is by `sign` below that of OTHER, 1 and 4 apart."""
    batches = np.zeros((len(signs), 5, 5))
    batches[:, 0, 2] = batches[:, 2, 0] = signs  # cut by BLOCKS, not by OTHER
    return -batches


def test_the_share_of_resamplings_won_is_binomial() -> None:
    # Of 9 batches 6 prefer BLOCKS, by as much as 3 prefer OTHER: it wins where 5 or more of 9 draws are of the 6.
    trust = bootstrap(
        of_batches(one_or_the_other([-1, 1, 1] * 3)),
        range(5),
        BLOCKS,
        rng(),
        cross_sum,
        2,
        lambda groups: groups in (BLOCKS, OTHER),
    )
    assert trust.stability == pytest.approx(stats.binom.sf(4, 9, 6 / 9), abs=4 * 0.5 / 1000**0.5)
    assert not trust.stable and trust.margin_low < 0 < trust.margin_high
    share = stats.binom.ppf([0.025, 0.975], 9, 6 / 9)
    assert [trust.margin_low, trust.margin_high] == pytest.approx((2 * share - 9) / 9, abs=2 / 9 + 1e-9)


def test_the_interval_of_a_margin_is_the_normal_one_where_batches_are_many() -> None:
    preferred = np.random.default_rng(1).normal(0.3, 1, 200)
    trust = bootstrap(
        of_batches(one_or_the_other(preferred)),
        range(5),
        BLOCKS,
        rng(),
        cross_sum,
        2,
        lambda groups: groups in (BLOCKS, OTHER),
    )
    half = 1.96 * preferred.std() / 200**0.5
    assert trust.margin_low == pytest.approx(preferred.mean() - half, abs=0.15 * half)
    assert trust.margin_high == pytest.approx(preferred.mean() + half, abs=0.15 * half)
    assert [trust.value_low, trust.value_high] == pytest.approx([-trust.margin_high, -trust.margin_low])
    assert trust.stable and trust.stability > 0.99


def test_planted_blocks_are_stable_and_noise_is_flagged() -> None:
    for seed in range(2):
        trust = bootstrap(of_batches(planted(16, 0.2, seed)), range(5), BLOCKS, rng())
        assert trust.stable and trust.stability == 1
        assert -0.95 < trust.value_low < trust.value_high < -0.65  # -0.8 without the noise
    flagged = 0
    for seed in range(6):
        noise = planted(16, 1.0, seed, signal=0)
        found = best_partition(noise.mean(0), range(5), 2)
        trust = bootstrap(of_batches(noise), range(5), found.groups, rng())
        assert trust.margin_low <= found.margin <= trust.margin_high + 1e-12
        flagged += not trust.stable
    assert flagged == 6


def test_what_all_pairs_of_a_batch_share_is_no_noise_of_their_difference() -> None:
    level = np.random.default_rng(2).normal(0, 10, (12, 1, 1))
    trust = bootstrap(of_batches(planted(12, 0) + level), range(5), BLOCKS, rng())
    assert [trust.value_low, trust.value_high] == pytest.approx([-0.8, -0.8])
    assert trust.margin_low == pytest.approx(trust.margin_high) and trust.stable


def test_operations_are_rows_by_id() -> None:
    wide = np.full((8, 7, 7), np.nan)
    wide[np.ix_(range(8), [0, 1, 3, 5, 6], [0, 1, 3, 5, 6])] = planted(8, 0.5)
    there = bootstrap(of_batches(wide), [0, 1, 3, 5, 6], ((0, 1), (3, 5, 6)), rng())
    assert there == bootstrap(of_batches(planted(8, 0.5)), range(5), BLOCKS, rng())


def test_equal_similarities_never_win() -> None:
    trust = bootstrap(of_batches(np.full((8, 5, 5), 0.3)), range(5), BLOCKS, rng())
    assert trust == (0, 0, 0, 0, 0) and not trust.stable


def test_nothing_is_said_of_few_batches_or_of_a_grouping_without_another() -> None:
    assert bootstrap(of_batches(planted(3, 0.1)), range(5), BLOCKS, rng()) is None
    assert bootstrap(of_batches(planted(4, 0.1)), range(5), BLOCKS, rng()) is not None
    assert bootstrap(of_batches(planted(8, 0.1)), [1, 4], ((1,), (4,)), rng()) is None
    assert (
        bootstrap(of_batches(planted(8, 0.1)), range(5), BLOCKS, rng(), allowed=lambda groups: groups == BLOCKS) is None
    )


def test_agreement_by_hand() -> None:
    # 4 pairs inside 01 | 234, 6 inside 0 | 1234, 3 inside both, of 10: (3 - 2.4) / ((4 + 6) / 2 - 2.4).
    apart = ((0,), (1, 2, 3, 4))
    assert adjusted_rand_index([BLOCKS, apart]) == pytest.approx(0.6 / 2.6)
    assert adjusted_rand_index([BLOCKS, BLOCKS, apart]) == pytest.approx((1 + 2 * 0.6 / 2.6) / 3)
    assert adjusted_rand_index([BLOCKS, BLOCKS[::-1]]) == 1
    assert adjusted_rand_index([((1, 7), (4,)), ((1,), (4, 7))]) == pytest.approx((0 - 1 / 3) / (1 - 1 / 3))


@pytest.mark.parametrize("partitions", [[], [BLOCKS], [BLOCKS, ((0, 1), (2, 3))]])
def test_agreement_is_refused_where_there_is_nothing_to_compare(partitions) -> None:
    with pytest.raises(UserError, match="two or more groupings of the same operations"):
        adjusted_rand_index(partitions)


def looks(batches: np.ndarray, operations=range(5), groups: int = 2, **settings):
    """Repeats of one edge, batches [R, O, O], decided by its best grouping, and what was asked for."""
    asked = []

    def measure(count: int) -> np.ndarray:
        asked.append(count)
        return batches[None, :count]

    def decide(so_far: np.ndarray) -> Split:
        found = best_partition(so_far[0].mean(0), operations, groups)
        trust = bootstrap(of_batches(so_far[0]), operations, found.groups, rng())
        return Split(0, found.groups, found.value, found.margin, 1, stability=trust and trust.stability)

    return repeats_needed(measure, decide, **settings), asked


def test_batches_are_added_until_the_split_is_settled() -> None:
    found, asked = looks(planted(64, 0.2))
    assert (found.decision.groups, found.decision.stability, found.batches, found.settled) == (BLOCKS, 1.0, 8, True)
    assert asked == [4, 8]


def test_noise_ends_with_the_cap_and_is_not_settled() -> None:
    noise = planted(10, 1.0, signal=0)
    found, asked = looks(noise, most=10)
    assert found.decision.groups == best_partition(noise.mean(0), range(5), 2).groups
    assert (found.batches, found.settled, asked) == (10, False, [4, 8, 10]) and found.decision.stability < 0.95


def test_a_weak_signal_takes_more_batches_than_a_strong_one() -> None:
    def needed(noise: float) -> int:
        return looks(planted(96, noise), step=16, most=96)[0].batches

    assert needed(0.3) == 32 < needed(3.0)


def test_the_same_grouping_must_have_won_before_and_the_level_be_reached() -> None:
    clear, _ = looks(planted(8, 0.2), level=1.1, most=8)
    assert (clear.batches, clear.settled, clear.decision.stability) == (8, False, 1.0)
    turned = np.concatenate([planted(4, 0)[:, [0, 2, 1, 3, 4]][:, :, [0, 2, 1, 3, 4]], 9 * planted(20, 0)])
    found, _ = looks(turned, level=0.5, most=24)
    assert (found.decision.groups, found.batches) == (BLOCKS, 12)  # 02 | 134 won the first look


@pytest.mark.parametrize(
    ("decisions", "batches", "settled"),
    [
        ([(0, 1.0), (1, 1.0), (1, 1.0)], 6, True),  # the edge changed once
        ([(0, 1.0), "tied", (0, 1.0), (0, 1.0)], 8, True),
        ([(0, 1.0), (0, 0.9), (0, 0.95)], 6, True),
        (["tied"] * 4, 8, False),  # a tie is never settled
        ([None], 2, True),  # nothing can be split, whatever the batches say
        ([(0, None)] * 4, 8, False),
    ],
)
def test_settled_is_the_same_edge_twice_with_enough_stability(decisions, batches, settled) -> None:
    told = iter(decisions)

    def decide(similarity: np.ndarray) -> Split | str | None:
        told_now = next(told)
        return Split(told_now[0], BLOCKS, 0, 1, 1, stability=told_now[1]) if isinstance(told_now, tuple) else told_now

    found = repeats_needed(lambda count: np.zeros((1, count, 5, 5)), decide, 0.95, most=8, step=2)
    assert (found.batches, found.settled) == (batches, settled)


def test_a_single_grouping_is_settled_when_its_edge_comes_twice() -> None:
    found, _ = looks(planted(12, 0.1), [0, 3])
    assert (found.decision.groups, found.decision.stability) == (((0,), (3,)), None)
    assert (found.batches, found.settled) == (8, True)


def test_steps_and_caps_that_cannot_be_are_refused() -> None:
    for sizes in ({"step": 0}, {"most": 0}):
        with pytest.raises(UserError, match="at least 1 batch"):
            looks(planted(8, 0.1), **sizes)


def test_passes_are_open_operations_of_the_scored_edges_times_batches() -> None:
    mask = NAS_BENCH_201.full_mask()
    assert passes(NAS_BENCH_201, mask, SplitConfig(), 100) == 6 * 5 * 100  # GM-NAS's budget of the root
    assert passes(NAS_BENCH_201, mask, SplitConfig(edges="fixed", order=(2, 0, 1)), 100) == 5 * 100
    mask[0, 2:] = False
    assert passes(NAS_BENCH_201, mask, SplitConfig(), 8) == 27 * 8
    mask[0, 0] = False
    assert passes(NAS_BENCH_201, mask, SplitConfig(), 8) == 25 * 8  # a single operation has none to compare with
    mask[0] = [True, False, False, False, False]  # nothing reaches node 1: what leaves it changes nothing
    assert passes(NAS_BENCH_201, mask, SplitConfig(), 8) == 15 * 8


def test_batches_are_measured_until_a_node_is_settled_and_all_of_them_without_a_level() -> None:
    clear, noisy = batches_of_a_node(8, 0.2), batches_of_a_node(8, 3.0)
    asked = []

    def grown(values: list[np.ndarray], groups: tuple[int, ...], **settings) -> SplitTree:
        def measure(node, end: int):
            asked.append((node.id, end))
            return as_readings(values[node.id][:, :end])

        asked.clear()
        config = SplitConfig(groups=groups, batches=8, **settings)
        return grow(NAS_BENCH_201, groups, by_batches(NAS_BENCH_201, measure, config, rng()))

    whole = grown([clear], (2,))
    assert asked == [(0, 8)]
    assert whole == grow(NAS_BENCH_201, (2,), by_similarity(NAS_BENCH_201, lambda node: clear, None, rng()))
    tree = grown([clear, noisy, clear], (2, 2), stability=0.95)
    assert [(node.split.batches, node.split.settled) for node in tree.nodes[:2]] == [(8, True), (8, False)]
    assert asked == [(node, end) for node in range(3) for end in (4, 8)]
    # A random edge is drawn once for a node, or no two looks would agree.
    everywhere = np.stack([planted(8, 0.2, seed=edge) for edge in range(6)])
    assert grown([everywhere], (2,), stability=0.95, edges="random").nodes[0].split.settled


def batches_of_a_node(batches: int, noise: float) -> np.ndarray:
    """[6, R, 5, 5]: blocks on edge 3, noise on all."""
    return np.stack([planted(batches, noise, seed=edge, signal=0.8 * (edge == 3)) for edge in range(6)])


def test_a_split_records_how_far_the_noise_reaches() -> None:
    for noise, stable in ((0.2, True), (3.0, False)):
        values = batches_of_a_node(16, noise)
        split = choose_split(NAS_BENCH_201, NAS_BENCH_201.full_mask(), values, 2, SplitConfig(), rng())
        plain = choose_split(NAS_BENCH_201, NAS_BENCH_201.full_mask(), values.mean(1), 2, SplitConfig(), rng())
        assert (split.edge, split.groups, split.value, split.margin) == plain_fields(plain)
        assert (plain.margin_low, plain.margin_high, plain.stability) == (None, None, None)
        assert (split.margin_low > 0) == stable and (split.stability > 0.95) == stable
        trust = bootstrap(of_batches(values[split.edge]), range(5), split.groups, rng())
        assert (split.margin_low, split.margin_high) == (trust.margin_low, trust.margin_high)


def plain_fields(split) -> tuple:
    return split.edge, split.groups, split.value, split.margin


def test_what_is_recorded_survives_json_and_older_trees_are_read() -> None:
    tree = grow(NAS_BENCH_201, (2, 2), by_similarity(NAS_BENCH_201, lambda node: batches_of_a_node(8, 0.5)))
    data = tree.to_json()
    assert data["nodes"][0]["split"]["margin_low"] == tree.nodes[0].split.margin_low is not None
    assert SplitTree.from_json(NAS_BENCH_201, data) == tree
    assert {node["split"]["batches"] for node in data["nodes"] if "split" in node} == {8}
    for node in data["nodes"]:
        for name in (*LATER, "joined"):
            node.get("split", {}).pop(name, None)
    older = SplitTree.from_json(NAS_BENCH_201, data)
    splits = [node.split for node in older.nodes if node.split]
    assert {getattr(split, name) for split in splits for name in LATER} == {None}
    assert {split.joined for split in splits} == {()}
    assert [plain_fields(s) for s in splits] == [plain_fields(n.split) for n in tree.nodes if n.split]
