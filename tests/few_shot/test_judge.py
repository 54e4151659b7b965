"""The judgement on a planted table and on networks trained alone, against numbers counted here."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.analysis import share_interval
from jaxnas.benchmarks import Table
from jaxnas.data import load
from jaxnas.distributed.parallel import item
from jaxnas.few_shot import judge as judgement
from jaxnas.few_shot.config import ControlConfig, TruthConfig
from jaxnas.few_shot.controls import Contender, Supernets
from jaxnas.few_shot.judge import architectures_to_train, judge
from jaxnas.few_shot.run_context import STANDALONE
from jaxnas.few_shot.stages import Chosen
from jaxnas.few_shot.standalone import train_standalone
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import SplitTree, root
from jaxnas.types import QUIET

PLANTED = np.array([11.0, 12, 13, 14, 50, 80, 15, 60, 90])  # in the order of TOY.enumerate()
TABLE = Table(TOY, "truth.csv", {"digits": PLANTED})
SAMPLE = np.array([[1, 1], [1, 2], [2, 1], [2, 2]], np.int32)  # 50, 80, 60, 90; leaves 0, 0, 1, 1
SCORES = np.array([20.0, 40.0, 30.0, 35.0])


def contender(name: str, op_ids: list[int], scores: np.ndarray | None) -> Contender:
    """A contender whose supernets give these scores to SAMPLE."""
    planted = None if scores is None else {tuple(row): s for row, s in zip(SAMPLE.tolist(), scores, strict=True)}
    supernets = None if planted is None else Supernets(None, planted, [])
    return Contender(name, name, Chosen(None, np.array(op_ids), 33.0), 100, 4, supernets)


@pytest.fixture(autouse=True)
def planted_scores(monkeypatch) -> None:
    def found(context, supernets, op_ids):
        return np.array([supernets.params[tuple(row)] for row in op_ids.tolist()])

    monkeypatch.setattr(judgement, "scores_of", found)


CONTENDERS = [
    contender("method", [2, 2], SCORES),
    contender("unsplit", [1, 1], -SCORES),
    contender("random_split", [2, 2], np.full(4, 7.0)),
    contender("random_alone", [2, 1], None),
]


def trained(context, op_ids):
    """Networks at their initial weights: what they say is as good a thing to count as any other."""
    return op_ids, train_standalone(context, op_ids, 1, STANDALONE, QUIET._replace(resume=lambda start: (1, start)))


@pytest.fixture(scope="module")
def count(context):
    """(op_ids, states, k, split) -> correct images, and how many there are."""
    forward = jax.jit(lambda *given: context.programs.alone.forward(*given[:3], "given", given[3])[0])

    def hits(op_ids, states, k, images, labels):
        inputs = context.programs.pipeline.normalise(jnp.asarray(images))
        logits = forward(item(states.params, k), inputs, jnp.asarray(op_ids[k]), item(states.stats, k))
        return int((np.asarray(logits).argmax(1) == labels).sum())

    return hits


@pytest.fixture(scope="module")
def test_images(context):
    return load(context.config.data, 0).test()


def test_everything_is_trained_once_the_chosen_first() -> None:
    found = architectures_to_train(CONTENDERS, SAMPLE)
    assert found.dtype == np.int32
    assert found.tolist() == [[2, 2], [1, 1], [2, 1], [1, 2]]
    assert architectures_to_train(CONTENDERS, SAMPLE[:0]).tolist() == [[2, 2], [1, 1], [2, 1]]


def test_verdicts_with_a_table(context, tree, count, test_images) -> None:
    op_ids, states = trained(context, architectures_to_train(CONTENDERS, SAMPLE[:0]))
    reads = []
    read = lambda: reads.append(1) or test_images  # noqa: E731
    verdicts, ranking = judge(context, CONTENDERS, tree, SAMPLE, (op_ids, states), read, TABLE)
    assert reads == [1]
    assert [verdict.true_accuracy for verdict in verdicts] == [90.0, 50.0, 90.0, 60.0]
    valid = context.valid.images.reshape(128, 8, 8, 1), np.asarray(context.valid.labels).reshape(128)
    for verdict, k in zip(verdicts, (0, 1, 0, 2), strict=True):
        hits = count(op_ids, states, k, test_images.images, test_images.labels)
        assert verdict.test == pytest.approx(share_interval(100 * hits / 389, 389), abs=1e-4)
        assert verdict.validation_accuracy == pytest.approx(100 * count(op_ids, states, k, *valid) / 128, abs=1e-4)
    # 20 < 30 < 35 < 40 beside 50 < 60 < 90 < 80: five of six pairs agree, tau is 4/6; ranks differ by 1 twice.
    first, second, third, fourth = [verdict.agreement for verdict in verdicts]
    assert first.whole.kendall == pytest.approx((4 / 6, None, None, 4))
    assert first.whole.spearman == pytest.approx((1 - 6 * 2 / (4 * 15), None, None, 4))
    assert second.whole.kendall.value == pytest.approx(-4 / 6)
    assert third.whole == (None, None, 4)  # all scores are equal
    assert fourth is None  # it has no supernet
    assert first.half.kendall == pytest.approx((-1, None, None, 2))  # of 80 and 90
    assert first.top == (None, None, 1)  # a tenth of four is one

    assert ranking.source == "table (truth.csv)"
    assert [part.kind for part in ranking.parts] == ["uniform", "top", "leaf"]
    assert ranking.parts[0].truth.tolist() == [50, 80, 60, 90] and not len(ranking.parts[1].op_ids)
    assert [*ranking.parts[0].scores] == ["method", "unsplit", "random_split"]
    assert [*ranking.parts[2].scores] == ["method"] and ranking.parts[2].leaf.tolist() == [0, 0, 1, 1]
    assert ranking.agreement == first
    assert [leaf.kendall.value for leaf in ranking.leaves] == [pytest.approx(1), pytest.approx(1)]
    assert ranking.random == (70, 70, 70, 4)  # all four connected architectures
    # The better of two drawn: 90 in 7 of 16 draws, 80 in 5, 60 in 3, 50 in 1.
    assert ranking.best_of == (2, pytest.approx((7 * 90 + 5 * 80 + 3 * 60 + 50) / 16))
    # Without a control to name the number it is that of leaves with nothing whole, the same for every seed.
    none = context._replace(config=replace(context.config, control=ControlConfig(random_architectures=0)))
    whole = SplitTree(TOY, (replace(root(TOY), unsplit_reason="all alike"),))
    again = judge(none, CONTENDERS, whole, SAMPLE, (op_ids, states), read, TABLE)[1]
    assert again.best_of == ranking.best_of and len(again.leaves) == 1


def test_without_a_table_the_truth_is_what_networks_reach_alone(context, tree, count, test_images) -> None:
    op_ids, states = trained(context, architectures_to_train(CONTENDERS, SAMPLE))
    verdicts, ranking = judge(context, CONTENDERS, tree, SAMPLE, (op_ids, states), lambda: test_images, None)
    reached = {
        tuple(row): 100 * count(op_ids, states, k, test_images.images, test_images.labels) / 389
        for k, row in enumerate(op_ids.tolist())
    }
    assert [verdict.true_accuracy for verdict in verdicts] == [None] * 4
    assert ranking.source == "stand-alone (4, 2 epochs)"
    assert [part.kind for part in ranking.parts] == ["uniform"]
    assert ranking.parts[0].truth.tolist() == pytest.approx([reached[tuple(row)] for row in SAMPLE.tolist()], abs=1e-4)
    mean = sum(reached.values()) / 4
    assert ranking.random == pytest.approx((mean, mean, mean, 4), abs=1e-4)  # the sample is the population
    assert ranking.best_of is None


def test_more_of_the_best_tenth_counts_there_and_nowhere_else(context, tree, test_images) -> None:
    op_ids, states = trained(context, architectures_to_train(CONTENDERS, SAMPLE[:0]))
    _, ranking = judge(context, CONTENDERS, tree, SAMPLE[:3], (op_ids, states), lambda: test_images, TABLE)
    assert ranking.parts[1].op_ids.tolist() == [[2, 2]] and ranking.parts[1].truth.tolist() == [90]
    assert ranking.parts[1].scores["unsplit"].tolist() == [-35]
    # 50 < 60 < 80 have scores 20 < 30 < 40; the best, which would turn a pair around, is not among them.
    assert ranking.agreement.whole.kendall == pytest.approx((1, None, None, 3))
    assert (ranking.agreement.half.n, ranking.agreement.top.n) == (2, 1)


def test_a_leaf_without_a_cell_of_the_sample_has_no_correlation(context, tree, test_images) -> None:
    contenders = [contender("method", [2, 2], SCORES)]
    pair = trained(context, architectures_to_train(contenders, SAMPLE[2:]))
    _, ranking = judge(context, contenders, tree, SAMPLE[2:], pair, lambda: test_images, None)
    assert (ranking.random.n, ranking.best_of) == (2, None)
    assert [leaf.n for leaf in ranking.leaves] == [0, 2]


def test_without_a_sample_no_ranking_is_judged(context, tree, test_images) -> None:
    pair = trained(context, architectures_to_train(CONTENDERS, SAMPLE[:0]))
    none = context._replace(config=replace(context.config, truth=TruthConfig(alone=0)))
    verdicts, ranking = judge(none, CONTENDERS, tree, SAMPLE[:0], pair, lambda: test_images, None)
    assert ranking is None and [verdict.agreement for verdict in verdicts] == [None] * 4
