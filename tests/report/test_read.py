"""Damaged, truncated, hostile and wrong files are told in one sentence; what may be absent may be absent."""

import io
import json
import pickle

import numpy as np
import pytest

from jaxnas.analysis import Interval
from jaxnas.few_shot.read import read_metrics, read_run, seed_folders
from jaxnas.few_shot.result_file import read_result
from jaxnas.few_shot.summary import summary
from jaxnas.spaces.tree import LATER
from jaxnas.types import UserError
from tests.report import sample


def test_a_run_is_read_as_it_was_written(tmp_path) -> None:
    run = read_run(sample.write(tmp_path))
    assert run.result is not None and run.tree is not None and run.scores is not None
    assert run.result.contenders[0].kendall == Interval(0.375, 0.25, 0.5, 40)
    assert run.result.contenders[1].test == Interval(61.75, 60.75, 62.75)
    assert run.result.random == (Interval(87.0, 86.5, 87.5, 500), 8, 93.0)
    assert [node.split and node.split.margin for node in run.tree.nodes] == [0.125, None, None]
    assert run.similarities[0].shape == (2, 3, 3)
    assert run.scores.leaf.tolist() == [1, 0] and run.scores.columns["method"].tolist() == [40, 38]
    assert np.isnan(run.scores.columns["unsplit"]).tolist() == [False, True]
    assert [row["stage"] for row in run.metrics] == ["warm_up"] * 3 + ["search"] * 2


def test_the_noise_of_a_split_is_read_and_older_trees_have_none(tmp_path) -> None:
    older = read_run(sample.write(tmp_path)).tree.nodes
    assert LATER.keys() == {name for name in LATER if getattr(older[0].split, name) is None}
    assert older[0].split.joined == () and older[1].unsplit_reason is None
    noise = {"margin_low": -0.5, "margin_high": 0.25, "stability": 0.75, "decided": "random", "batches": 8}
    tree = sample.tree("all alike", **noise, settled=False, backgrounds=6, joined=[0])
    found = read_run(sample.write(tmp_path, split_tree__json=tree)).tree.nodes
    given = {**noise, "settled": False, "backgrounds": 6, "counted": None}
    assert {name: getattr(found[0].split, name) for name in LATER} == given and found[0].split.joined == (0,)
    assert [node.unsplit_reason for node in found] == [None, "all alike", None]


def test_seeds_come_in_the_order_of_their_number(tmp_path) -> None:
    for name in ("seed-10", "seed-2", "seed-x", "seed-", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "seed-3").write_text("a file")
    assert [folder.name for folder in seed_folders(tmp_path)] == ["seed-2", "seed-10"]


def test_rank_correlations_of_the_older_format_are_bare_numbers() -> None:
    found = read_result({"rank_correlation": {"kendall": -0.25, "spearman": None, "n": 8, "truth": "table"}}, "r")
    assert found.ranking is not None
    assert (found.ranking.whole.kendall, found.ranking.whole.spearman, found.ranking.whole.n) == (
        Interval(-0.25),
        None,
        8,
    )


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("config.json", "{", r"config.json is damaged: .*Expecting property name"),
        ("config.json", "[1]", r"config.json is damaged: it must hold a JSON object, not \[1\]"),
        ("config.json", "[" * 100_000, r"config.json is damaged"),
        ("config.json", '{"a":' * 30 + "{}" + "}" * 30, r"config.json is damaged: it is nested more than 20 deep"),
        ("environment.json", '{"a": NaN}', r"environment.json is damaged: 'NaN is no JSON'"),
        (
            "result.json",
            '{"test_accuracy": 1e999}',
            r"test_accuracy must be null or a number of at most 1e\+12, not inf",
        ),
        ("result.json", '{"test_accuracy": "62"}', r"test_accuracy must be null or a number .* not '62'"),
        (
            "result.json",
            '{"test_accuracy": 1, "test_interval": [1]}',
            r"test_interval must be \[low, high\], not \[1\]",
        ),
        ("result.json", '{"leaf": 1.5}', r"leaf must be a whole number or null, not 1.5"),
        ("result.json", '{"architecture": 3}', r"architecture must be text or null, not 3"),
        ("result.json", '{"contenders": {}}', r"contenders must be a list or null, not \{\}"),
        ("result.json", '{"contenders": [7]}', r"contender 0 must be an object or null, not 7"),
        (
            "result.json",
            '{"contenders": [{"kendall": "x"}]}',
            r"contender 0: kendall must be an object or null, not 'x'",
        ),
        ("split_tree.json", "{}", r"split_tree.json is damaged: KeyError 'ops'|split_tree.json is damaged"),
        ("split_tree.json", {**sample.TREE, "edges": ["1<-0"]}, r"a mask has shape \(2, 3\), not \(1, 3\)"),
        (
            "split_tree.json",
            {**sample.TREE, "nodes": sample.TREE["nodes"][:2]},
            r"children of node 0 do not partition it",
        ),
        ("split_tree.json", {**sample.TREE, "nodes": sample.TREE["nodes"][1:]}, r"nodes must be numbered from 0"),
        ("split_tree.json", {**sample.TREE, "edges": ["<b>", "2<-1"]}, r"split_tree.json is damaged: ValueError"),
        ("split_tree.json", sample.tree(margin_low="x"), r"split_tree.json is damaged: ValueError"),
        ("split_tree.json", sample.tree(stability={}), r"split_tree.json is damaged: TypeError"),
        ("metrics.jsonl", '{"stage": "a"}\n{"sta\n', r"metrics.jsonl is damaged in line 2"),
        ("metrics.jsonl", "3\n", r"line 1: it must be an object with a stage, not 3"),
        ("curves.csv", "contender,stage\nall,warm_up\n", r"curves.csv is damaged: KeyError"),
        ("curves.csv", "contender,stage,epoch,images,kendall\nall\n", r"curves.csv is damaged: .*too short"),
        ("ranking.csv", "architecture,leaf\na,0\n", r"ranking.csv is damaged: KeyError .*truth"),
        ("ranking.csv", "architecture,leaf,truth,m\na,0,91,nan\n", r"nan is no accuracy"),
        ("ranking.csv", "architecture,leaf,truth,m\na,x,91,1\n", r"ranking.csv is damaged: ValueError"),
        ("ranking.csv", 'architecture,leaf,truth,m\n"a,0,91,1\n', r"ranking.csv is damaged: Error"),
    ],
)
def test_damage_is_told_with_the_file_and_what_is_wrong(name, text, told, tmp_path) -> None:
    sample.write(tmp_path)
    (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(UserError, match=told) as error:
        read_run(tmp_path)
    assert name in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_group_of_an_unknown_operation_is_refused(tmp_path) -> None:
    split = {**sample.TREE["nodes"][0]["split"], "groups": [[0, 1], [3]]}
    nodes = [{**sample.TREE["nodes"][0], "split": split}, *sample.TREE["nodes"][1:]]
    sample.write(tmp_path, split_tree__json={**sample.TREE, "nodes": nodes})
    with pytest.raises(UserError, match=r"split_tree.json is damaged: ValueError .*edge 1 into"):
        read_run(tmp_path)


def _pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, node_0=np.array([{"a": 1}], object))
    return buffer.getvalue()


def _array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, node_0=values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "similarities.npz is damaged"),
        (b"no zip", "similarities.npz is damaged"),
        (_array(np.zeros((2, 3, 3)))[:200], "similarities.npz is damaged"),
        (_pickled(), "similarities.npz is damaged: 'Object arrays cannot be loaded when allow_pickle=False'"),
        (pickle.dumps([1, 2]), "similarities.npz is damaged"),
        (_array(np.zeros((2, 2, 3, 3))), r"node_0 must be \[2, 3, 3\], not \(2, 2, 3, 3\)"),
        (_array(np.zeros((2, 3))), r"node_0 must be \[2, 3, 3\], not \(2, 3\)"),
        (_array(np.full((2, 3, 3), 1e300)), r"node_0 holds numbers above 1e\+12"),
    ],
)
def test_similarities_are_arrays_of_the_right_shape_and_never_code(content, told, tmp_path) -> None:
    sample.write(tmp_path)
    (tmp_path / "similarities.npz").write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_run(tmp_path)


def test_a_file_that_is_no_text_is_told(tmp_path) -> None:
    (sample.write(tmp_path) / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"cannot read .*config.json"):
        read_run(tmp_path)


def test_a_line_that_is_being_written_is_not_there_yet(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"stage": "warm_up", "epoch": 1}\n{"stage": "warm')
    assert read_metrics(path) == [{"stage": "warm_up", "epoch": 1}]


def test_every_file_but_the_result_may_be_absent(tmp_path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(sample.result()))
    run = read_run(tmp_path)
    assert (run.config, run.tree, run.similarities, run.scores, run.metrics) == ({}, None, {}, None, [])


def test_the_summary_of_several_seeds_tells_differences_of_tau_and_how_seeds_agree() -> None:
    from rich.console import Console

    console = Console(width=80, file=io.StringIO(), color_system=None)
    taus = {"kendall_difference": sample.estimate(0.25, 0.125, name="mean")}
    taus |= {"reliability": sample.estimate(0.5, 0.0625, name="mean")}
    rows = [
        sample.seed_row("ours", "method", 62, None),
        {**sample.seed_row("not split", "unsplit", 61, (1, 2)), **taus},
    ]
    console.print(summary({"seeds": [0, 1, 2], "table": rows}))
    shown = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "not split 0.250 [0.125, 0.375] 0.500 [0.438, 0.562]" in shown and "between two seeds" in shown


def test_the_summary_of_the_terminal_has_the_table_first_then_the_answer() -> None:
    from rich.console import Console

    console = Console(width=100, file=io.StringIO(), color_system=None)
    result = sample.result(architecture="[bold]|x~0|")
    console.print(summary(result))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    order = ["few-shot NAS beside", "[61.25, 63.25]", "Chosen architecture: [bold]|x~0|", "One seed", "together 120"]
    assert [shown.index(text) for text in order] == sorted(shown.index(text) for text in order)
    assert "12,345" in shown
