"""All leaves of an ablation as one stacked state: the numbers of each leaf alone, one program for each algorithm."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from jaxnas.data import load
from jaxnas.few_shot.one_shot import single
from jaxnas.selection import Trained
from jaxnas.spaces import TOY
from jaxnas.studies.search.cells import kept_rows, prepare_study
from jaxnas.studies.split_ablation import leaves as split_ablation
from jaxnas.studies.split_ablation.leaves import (
    LEAF,
    Leaf,
    Row,
    _taken,
    leaves_of,
    random_masks,
    run_leaves,
    warm_up,
)
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.types import QUIET
from jaxnas.workdir import open_journal
from tests.distributed.test_parallel import data_of

SMOKE = SPLITS["smoke"]


@contextmanager
def stages(name: str):
    yield QUIET


@pytest.fixture(scope="module")
def setting():
    """Config, problem, leaves, warmed-up weights, and the judges of all algorithms."""
    data = replace(SMOKE.study.data, train=32)  # an epoch is one step
    config = replace(SMOKE, study=replace(SMOKE.study, data=data, strategy="map"), splits=("random:2", "none"))
    context = prepare_study(config.study, load(data, 0))
    leaves, _ = leaves_of(config, TOY, lambda name, seed: random_masks(TOY, config.split.groups, name, seed))
    base = context.programs
    judges = split_ablation.build_evaluators(base, context.config, base.network, config.study.score)
    return config, context, leaves, warm_up(context, config, stages), judges


# Given paths, mixtures, and paths drawn by logits.
@pytest.mark.parametrize(("algorithm", "strategy"), [("uniform", "map"), ("darts", "vmap"), ("dsnas", "map")])
def test_a_stack_is_its_leaves_one_by_one_and_one_program(
    setting, algorithm: str, strategy: str, monkeypatch, tmp_path
) -> None:
    config, context, leaves, parents, judges = setting
    context = context._replace(config=replace(context.config, strategy=strategy))
    config = replace(config, study=replace(config.study, algorithms=(algorithm,)))
    made, trained = [], []
    build, train_on = split_ablation.build_search_programs, split_ablation.train_on

    def once(*given):
        made.extend([] if made else [build(*given)])
        return made[0]

    def kept(*given):
        trained.append(train_on(*given))
        return trained[-1]

    monkeypatch.setattr(split_ablation, "build_evaluators", lambda *_: judges)
    monkeypatch.setattr(split_ablation, "build_search_programs", once)
    monkeypatch.setattr(split_ablation, "train_on", kept)

    def run(name: str, some: list[Leaf]) -> list[Row]:
        (tmp_path / name).mkdir()
        journal = open_journal(tmp_path / name)
        run_leaves(context, config, journal, some, parents, stages)
        return kept_rows(journal, LEAF)

    together = run("all", leaves)
    assert made[0].epoch._cache_size() == made[0].start._cache_size() == 1
    assert [int(step) for step in trained[0].subnet.step] == [1] * len(leaves)
    assert len({(row["split"], row["seed"], row["leaf"]) for row in together}) == len(leaves) > 8
    for number, (leaf, row) in enumerate(zip(leaves, together, strict=True)):
        (alone,) = run(str(number), [leaf])
        for a, b in zip(data_of(single(trained[0], number)), data_of(trained[-1]), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
        assert row["op_ids"] and {**row, "seconds": 0} == {**alone, "seconds": 0}


def test_unsplit_supernets_of_a_seed_each_try_their_own(setting) -> None:
    config, context, leaves, _, _ = setting
    study, tried = replace(config.study, selectors=("best_of_sampled",), budget=2), []

    def accuracy(choices: np.ndarray) -> np.ndarray:
        tried.append(choices.tolist())
        return np.zeros(len(choices))

    view = Trained(TOY, np.full(TOY.shape, 1 / 3), accuracy, accuracy, None, None, None)
    leaf = next(leaf for leaf in leaves if leaf.split == "none")
    for number in (0, 1, 2, 0):
        assert not _taken(context, study, view, "", leaf._replace(number=number))["error"]
    drawn, judged = tried[::2], tried[1::2]
    assert drawn[0] == drawn[3] and len({str(of) for of in drawn}) > 1
    assert len({str(of[1:]) for of in judged}) == 1  # one random sample judges all of them
