"""The smoke preset end to end, the secrecy of test images and true accuracies, and the command line."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import few_shot as experiment
from experiments.presets import PRESETS
from jaxnas import config as configs
from jaxnas.analysis import rank_correlation
from jaxnas.benchmarks import Table
from jaxnas.config import SearchConfig
from jaxnas.data import load
from jaxnas.methods import few_shot
from jaxnas.methods.problem import check, prepare
from jaxnas.selection import Evaluated
from jaxnas.spaces import TOY
from jaxnas.spaces.tree import SplitTree
from jaxnas.splitting import size_normalised_cut
from jaxnas.types import UserError

SMOKE = replace(PRESETS["smoke"], strategy="loop")
TRUTH = np.arange(9.0) * 10  # accuracy of each toy architecture, in the order of TOY.enumerate()


class Recorder:
    """A table and a test set that must not be touched before the stage `alone` has ended."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.similarities: dict = {}

    def show(self, stage: str, done: int, total: int, note: str) -> None:
        if done == total:
            self.stages.append(stage)

    def table(self) -> Table:
        recorder = self

        class Guarded(Table):
            def query(self, op_ids, dataset):
                assert "alone" in recorder.stages, "true accuracies were read before the judgement"
                return super().query(op_ids, dataset)

        return Guarded(TOY, "truth.csv", {"digits": TRUTH})

    def dataset(self):
        dataset = load(SMOKE.data, SMOKE.seed)

        def test():
            assert "alone" in self.stages, "test images were read before the judgement"
            self.stages.append("test read")
            return dataset.test()

        return dataset._replace(test=test)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir, recorder = tmp_path_factory.mktemp("smoke"), Recorder()
    result = experiment.run(SMOKE, workdir, recorder.dataset(), recorder.table(), recorder.show)
    return workdir, result, recorder


def test_stages_come_in_order_and_the_test_set_is_read_once(finished) -> None:
    assert finished[2].stages == ["warm-up", "split", "leaves", "search", "alone", "test read"]


def test_the_result_names_a_connected_architecture_of_its_leaf(finished) -> None:
    workdir, result, _ = finished
    assert json.loads((workdir / "result.json").read_text()) == result
    architecture = TOY.decode(result["architecture"])
    assert TOY.connected(np.array(architecture.op_ids))
    tree = SplitTree.from_json(TOY, json.loads((workdir / "split_tree.json").read_text()))
    assert tree.route(np.array([architecture.op_ids])).tolist() == [result["leaf"]]
    assert len(tree.leaves) == 2
    assert result["true_accuracy"] == TRUTH[np.ravel_multi_index(architecture.op_ids, (3, 3))]
    for name in ("supernet_validation_accuracy", "validation_accuracy", "test_accuracy"):
        assert 0 <= result[name] <= 100
    assert set(result["seconds"]) == {"warm_up", "split", "train_leaves", "search", "judge"}


def test_architectures_and_correlation_are_of_everything_evaluated(finished) -> None:
    workdir, result, _ = finished
    rows = list(csv.DictReader((workdir / "architectures.csv").read_text().splitlines()))
    ids = [TOY.decode(row["architecture"]).op_ids for row in rows]
    assert sorted(ids) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    truth = np.array([float(row["truth"]) for row in rows])
    np.testing.assert_array_equal(truth, TRUTH[[np.ravel_multi_index(i, (3, 3)) for i in ids]])
    scores = np.array([float(row["supernet_validation_accuracy"]) for row in rows])
    assert max(scores) == round(result["supernet_validation_accuracy"], 4)
    expected = rank_correlation(scores, truth)
    assert result["rank_correlation"] == {**expected._asdict(), "truth": "table (truth.csv)"}
    assert {row["truth_source"] for row in rows} == {"table (truth.csv)"}


def test_metrics_have_a_line_for_each_epoch_and_leaf(finished) -> None:
    rows = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    counted = {stage: sum(row["stage"] == stage for row in rows) for stage in ("warm-up", "leaves", "alone")}
    assert counted == {"warm-up": 2, "leaves": 2 * 2, "alone": 2}
    assert {(row["epoch"], row["leaf"]) for row in rows if row["stage"] == "leaves"} == {(1, 0), (1, 1), (2, 0), (2, 1)}


def test_the_split_is_the_size_normalised_cut_of_the_mean_over_batches(finished) -> None:
    problem = prepare(SMOKE, load(SMOKE.data, SMOKE.seed))
    quiet = lambda *args: None  # noqa: E731
    params = few_shot.warm_up(problem, quiet)
    tree, similarities = few_shot.split(problem, params, quiet)
    assert tree.to_json() == json.loads((finished[0] / "split_tree.json").read_text())
    assert similarities[0].shape == (2, SMOKE.split.batches, 3, 3)
    chosen = tree.nodes[0].split
    mean = np.mean([similarities[0][chosen.edge, r] for r in range(SMOKE.split.batches)], axis=0)
    assert chosen.value == pytest.approx(size_normalised_cut(mean, chosen.groups), abs=1e-6)
    assert -2 <= chosen.value <= 0


def test_the_same_seed_gives_the_same_bits(finished, tmp_path) -> None:
    recorder = Recorder()
    again = experiment.run(SMOKE, tmp_path / "again", recorder.dataset(), recorder.table(), recorder.show)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in finished[1].items() if k != "seconds"
    }
    for name in ("architectures.csv", "split_tree.json", "metrics.jsonl", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (finished[0] / name).read_bytes()


def test_a_used_directory_refuses_another_config(finished) -> None:
    other = replace(SMOKE, leaf_epochs=3)
    with pytest.raises(UserError, match=r"leaf_epochs: 2 there, 3 now"):
        experiment.run(other, finished[0], Recorder().dataset(), None, lambda *args: None)


def test_selection_takes_the_best_validation_score_of_any_leaf() -> None:
    histories = [
        Evaluated(np.array([[1, 1], [2, 1]]), np.array([50.0, 60.0])),
        Evaluated(np.array([[1, 2], [2, 2]]), np.array([60.0, 61.0])),
    ]
    chosen = few_shot.select(histories)
    assert (chosen.leaf, chosen.op_ids.tolist(), chosen.score) == (1, [2, 2], 61.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": {"space": "darts"}}, r"unknown search space 'darts'; allowed: \['nas-bench-201', 'toy'\]"),
        ({"split": {"metric": "snop"}}, r"unknown metric 'snop'; allowed: \['gradient_matching'\]"),
        ({"split": {"leaves": 6}}, r"give K = 8 leaves, not 6; allowed: 8 .* \[\[2, 3\]\]"),
        ({"data": {"eval_batch": 64}}, "at least 128"),
        ({"data": {"train": 10}}, "at least one batch"),
        ({"search": {"budget": 0}}, "search.budget must be at least 1, it is 0"),
        ({"optimizer": {"final_rate": 1.0}}, "optimizer.final_rate"),
    ],
)
def test_impossible_configs_are_refused_before_work(change, message) -> None:
    values = configs.to_dict(PRESETS["digits"])
    for section, fields in change.items():
        values[section].update(fields)
    with pytest.raises(UserError, match=message):
        check(configs.from_dict(type(SMOKE), values))


def test_every_preset_passes_the_checks() -> None:
    for preset in PRESETS.values():
        check(preset)


def test_dotted_flags_override_a_preset_and_a_former_config_is_one(tmp_path: Path) -> None:
    command = experiment.parse(["digits", "--workdir", "w", "--data.batch", "32", "--split.groups", "2", "3"])
    assert (command.workdir, command.config.data.batch, command.config.split.groups) == (Path("w"), 32, (2, 3))
    assert replace(command.config, data=PRESETS["digits"].data, split=PRESETS["digits"].split) == PRESETS["digits"]
    file = tmp_path / "config.json"
    file.write_text(json.dumps(configs.to_dict(SMOKE)))
    assert experiment.parse([str(file), "--workdir", "w", "--seed", "3"]).config == replace(SMOKE, seed=3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["digitz", "--workdir", "w"], "digits"),
        (["digits", "--workdir", "w", "--data.bach", "3"], "--data.batch"),
        (["digits"], "--workdir"),
    ],
)
def test_unknown_names_on_the_command_line_say_what_is_allowed(arguments, told, capsys) -> None:
    with pytest.raises(SystemExit):
        experiment.parse(arguments)
    assert told in "".join(capsys.readouterr())


def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path, capsys) -> None:
    arguments = ["cifar10-small", "--workdir", str(tmp_path / "w"), "--data.root", str(tmp_path)]
    assert experiment.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no cifar10 found at") and error.count("\n") == 1
    assert not (tmp_path / "w").exists()


def test_the_search_budget_bounds_what_a_leaf_evaluates() -> None:
    problem = prepare(replace(SMOKE, search=SearchConfig(budget=1, population=4)), load(SMOKE.data, SMOKE.seed))
    params = problem.network.init(jax.random.key(0))
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)
    masks = np.stack([TOY.full_mask(), TOY.full_mask()])
    histories = few_shot.search(problem, stacked, masks, lambda *args: None)
    assert [len(history.scores) for history in histories] == [1, 1]
