"""Metrics compared edge by edge: planted ones whose groupings are known, one that is never finite, a run that stops."""

import csv
import json
import re
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.metrics import METRICS, Metric, scalar
from jaxnas.spaces import SPACES
from jaxnas.spaces.tree import SplitTree
from jaxnas.splitting import EDGE_RULES
from jaxnas.studies.metric_ablation import command
from jaxnas.studies.metric_ablation.command import PRESETS, Command, main, run
from jaxnas.studies.metric_ablation.run import validate_metric_ablation
from jaxnas.studies.metric_ablation.tables import COLUMNS
from jaxnas.testing import TRIANGLE
from jaxnas.types import UserError
from jaxnas.workdir.journal import FILE

# Edge 1<-0 tells nor_conv_3x3 from the others, edge 2<-0 as well, by half as much, edge 2<-1 skip_connect, by twice.
WORTH = jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.5], [0.0, 2.0, 0.0]])
EDGES = ("1<-0", "2<-0", "2<-1")
CONV, SKIP = "none+skip_connect|nor_conv_3x3", "none+nor_conv_3x3|skip_connect"
GROUPS = dict(zip(EDGES, (CONV, CONV, SKIP), strict=True))
SCALES = dict(zip(EDGES, (1.0, 0.5, 2.0), strict=True))
CONFIG = replace(
    PRESETS["smoke"],
    net=replace(PRESETS["smoke"].net, space="triangle"),
    backgrounds=2,
    metrics=("planted", "lost", "opposite", "vector"),
    tree_metrics=("planted",),
    seeds=(0, 1, 2),
    strategy="loop",
)
FILES = ("scores.csv", "similarity.csv", "groupings.csv", "agreement.csv", "trees/planted-1.json")


def planted(worth):
    return lambda network, space: scalar(lambda probe: worth[probe.edge, probe.choice[probe.edge]], None)


def vector(network, space):
    """Two numbers that order nothing, and differ from image to image."""

    def measure(probe):
        noise = probe.images.reshape(-1)[:: 97 + probe.choice.shape[0]][:2]
        return noise + WORTH[probe.edge, probe.choice[probe.edge]]

    return Metric(measure, lambda a, b: -jnp.abs(a - b * b).sum() - jnp.abs(b - a * a).sum(), None)


def lost(network, space):
    return scalar(lambda probe: jnp.inf * probe.images.sum(), 0.0)._replace(not_finite="all is lost")


def quiet(stage: str, done: int, total: int, note: str) -> None:
    pass


def read(path: Path) -> list[dict[str, str]]:
    with open(path) as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module", autouse=True)
def metrics():
    """The planted metrics, and the devices that tests have already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "4")
        patch.setitem(SPACES, "triangle", TRIANGLE)
        patch.setitem(METRICS, "planted", planted(WORTH))
        patch.setitem(METRICS, "opposite", planted(WORTH[:, jnp.array([0, 2, 1])]))
        patch.setitem(METRICS, "lost", lost)
        patch.setitem(METRICS, "vector", vector)
        yield


@pytest.fixture(scope="module")
def finished(metrics, tmp_path_factory) -> tuple[Path, list[str]]:
    workdir = tmp_path_factory.mktemp("ablation")
    return workdir, run(Command(workdir, CONFIG), quiet)[1]


def test_the_columns_are_those_that_are_named(finished) -> None:
    for name, columns in COLUMNS.items():
        with open(finished[0] / f"{name}.csv") as handle:
            assert tuple(next(csv.reader(handle))) == columns


def test_scores_and_similarities_are_the_planted_ones(finished) -> None:
    scores = read(finished[0] / "scores.csv")
    assert {row["metric"] for row in scores} == {"planted", "opposite"}  # two numbers are no score
    mine = [row for row in scores if row["metric"] == "planted"]
    assert len(mine) == 3 * 2 * 2 * 3 * 3 * 4  # seeds, warm-ups, backgrounds, edges, operations, batches
    for row in mine:
        assert float(row["value"]) == WORTH[EDGES.index(row["edge"]), TRIANGLE.ops.index(row["operation"])]
    alike = [row for row in read(finished[0] / "similarity.csv") if row["metric"] == "planted"]
    assert len(alike) == 3 * 2 * 2 * 3 * 3  # the last: pairs of operations
    for row in alike:
        a, b = (WORTH[EDGES.index(row["edge"]), TRIANGLE.ops.index(row[f"operation_{x}"])] for x in "ab")
        assert float(row["value"]) == -abs(a - b) and TRIANGLE.ops.index(row["operation_a"]) < TRIANGLE.ops.index(
            row["operation_b"]
        )
    others = [row for row in read(finished[0] / "similarity.csv") if row["metric"] == "vector"]
    assert len(others) == len(alike) and len({row["value"] for row in others}) > 10


def test_groupings_margins_and_rules_are_those_worked_out_by_hand(finished) -> None:
    rows = [row for row in read(finished[0] / "groupings.csv") if row["metric"] == "planted"]
    assert len(rows) == 3 * 2 * 2 * 3
    for row in rows:
        scale = SCALES[row["edge"]]
        assert row["counted"] == "4" and row["backgrounds"] in "1234"
        assert row["groups"] == GROUPS[row["edge"]] and row["ties"] == "1" and row["stability"] == "1.0"
        # Between groups all differ by the scale, within none does; of the other groupings one pair of two between and
        # the pair within differ.
        assert float(row["value"]) == -scale
        assert {float(row[f"margin{end}"]) for end in ("", "_low", "_high")} == {1.5 * scale}
        taken = {"1<-0": {"fixed"}, "2<-0": {"cheapest_cut_inverted"}, "2<-1": {"best", "cheapest_cut"}}[row["edge"]]
        assert set(row["chosen"].split()) - {"random"} == taken
    drawn = [row["edge"] for row in rows if "random" in row["chosen"].split()]
    assert len(drawn) == 3 * 2 * 2 and set(drawn) <= set(GROUPS)
    assert set(EDGE_RULES) == {"fixed", "cheapest_cut_inverted", "best", "cheapest_cut", "random"}


def test_agreement_is_whole_with_itself_and_that_of_other_groups_with_another(finished) -> None:
    rows = read(finished[0] / "agreement.csv")
    between = {(r["metric_a"], r["metric_b"]): r for r in rows if r["kind"] == "metrics" and r["warmup_a"] == "1"}
    assert set(between) == {
        *(("planted", "planted"), ("planted", "opposite"), ("planted", "vector"), ("opposite", "opposite")),
        *(("opposite", "vector"), ("vector", "vector")),
    }
    for (a, b), row in between.items():
        if a == b:
            assert float(row["value"]) == 1.0
    # Of three operations, {0, 1} | {2} and {0, 2} | {1}: adjusted Rand index (0 - 1/3) / (1 - 1/3).
    assert float(between["planted", "opposite"]["value"]) == pytest.approx(-0.5)
    for row in [row for row in rows if row["kind"] != "metrics" and row["metric_a"] == "planted"]:
        assert (float(row["value"]), row["low"], row["high"]) == (1.0, "", "")  # equal seeds tell no spread
    seeds = [row for row in rows if (row["kind"], row["metric_a"]) == ("seeds", "planted")]
    # An edge allows three groupings: two random ones are alike in a third of the cases, with the index 1, -.5 else.
    assert [float(row["chance"]) for row in seeds] == pytest.approx([0, 0], abs=0.06)
    assert {row["kind"] for row in rows if row["metric_a"] == "planted"} == {"metrics", "seeds", "warmups"}


def test_a_metric_that_sees_no_background_takes_its_edge_whatever_is_drawn(finished) -> None:
    rows = [row for row in read(finished[0] / "edges.csv") if row["metric_a"] in ("planted", "opposite")]
    assert {(row["kind"], row["metric_a"]) for row in rows} == {
        (kind, name) for kind in ("dice", "seeds") for name in ("planted", "opposite")
    }
    assert {(row["value"], row["low"], row["seeds"]) for row in rows} == {("1.0", "", "3")}
    assert {float(row["chance"]) for row in rows} == {1 / 3}


def test_a_metric_that_is_never_finite_is_on_record_and_stops_no_other(finished) -> None:
    workdir, said = finished
    cost = {row["metric"]: row for row in read(workdir / "cost.csv")}
    assert cost["lost"]["failed"] == cost["lost"]["units"] == "12" and cost["lost"]["error"].endswith(": all is lost")
    assert "metric lost is not finite for operation" in cost["lost"]["error"]
    assert [cost[name]["failed"] for name in ("planted", "opposite", "vector")] == ["0"] * 3
    assert float(cost["planted"]["node_seconds"]) >= 0 and cost["planted"]["passes"] == "36"
    assert said[-1] == "Not measured, or not wholly: lost (12 of 12); the reasons are below."


def test_trees_are_of_the_longest_warm_up_and_as_deep_as_asked(finished) -> None:
    folder = finished[0] / "trees"
    assert {path.name for path in folder.iterdir()} == {
        f"{name}-{seed}.json" for name in ("planted", "opposite", "vector") for seed in range(3)
    }
    tree = SplitTree.from_json(TRIANGLE, json.loads((folder / "planted-0.json").read_text()))
    assert (tree.nodes[0].split.edge, tree.nodes[0].split.groups, tree.nodes[0].split.margin) == (2, ((0, 2), (1,)), 3)
    assert [node.split.edge for node in tree.nodes[1:3]] == [0, 0] and len(tree.leaves) == 4
    assert len(json.loads((folder / "opposite-0.json").read_text())["nodes"]) == 3


def test_the_page_shows_what_the_tables_say(finished) -> None:
    text = (finished[0] / "report.html").read_text()
    for said in finished[1]:
        assert said in text
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == 1 + 1 + 3 + 3 * 3  # both agreements, margins of each metric, its edges
    for svg in drawings:
        xml.dom.minidom.parseString(svg)
    assert "planted and opposite -0.50" in text and "none and skip 0.00" in text
    assert "http" not in text and "<script" not in text and "all is lost" in text
    assert finished[1][0] == "3 metrics on 3 edges and 3 seeds, after 1 epoch of warm-up."


def test_a_killed_run_goes_on_to_the_same_files(finished, tmp_path) -> None:
    whole, _ = finished
    shown = []

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("score", 14):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Command(tmp_path, CONFIG), stop)
    kept = tmp_path / FILE
    assert len(kept.read_text().splitlines()) == 1 + 14  # and that the supernet is trained
    kept.write_bytes(kept.read_bytes()[:-9])  # killed while it wrote
    run(Command(tmp_path, CONFIG), lambda stage, done, total, note: shown.append((stage, done)))
    assert shown[0] == ("score", 13) and shown[-1] == ("score", 48)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_a_finished_run_is_not_measured_again(finished, monkeypatch) -> None:
    before = {name: (finished[0] / name).read_bytes() for name in (*FILES, "cost.csv", "report.html", FILE)}
    monkeypatch.setattr("jaxnas.studies.metric_ablation.run.warm_ups", None)
    assert run(Command(finished[0], CONFIG), quiet)[1] == finished[1]
    assert {name: (finished[0] / name).read_bytes() for name in before} == before


def test_metrics_are_added_and_left_out(finished, tmp_path) -> None:
    run(Command(tmp_path, replace(CONFIG, metrics=("vector", "planted"))), quiet)
    kept = (tmp_path / FILE).read_text()
    run(Command(tmp_path, CONFIG), quiet)
    assert (tmp_path / FILE).read_text().startswith(kept)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (finished[0] / name).read_bytes()
    fewer = run(Command(tmp_path, replace(CONFIG, metrics=("planted",))), quiet)[0]
    assert {row["metric"] for rows in (fewer.scores, fewer.groupings, fewer.cost) for row in rows} == {"planted"}
    with pytest.raises(UserError, match=r"seeds: \[0, 1, 2\] there, \[0\] now"):
        run(Command(tmp_path, replace(CONFIG, seeds=(0,))), quiet)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ("planted", "nope")}, "metrics must be different ones of"),
        ({"metrics": ("planted", "planted")}, "metrics must be different ones of"),
        ({"backgrounds": 0}, "backgrounds must be at least 1, it is 0"),
        ({"tree_metrics": ("random",)}, r"tree_metrics must be different ones of \['planted', "),
        ({"seeds": ()}, r"seeds must be different numbers from 0 on, at least one, not \[\]"),
        ({"seeds": (1, 1)}, "seeds must be different numbers"),
        ({"warmups": (-1,)}, "warmups must be different numbers"),
        ({"data": replace(CONFIG.data, batch=7)}, "data.batch must be at least 8"),
        ({"split": replace(CONFIG.split, stability=0.9)}, "are not read here"),
        ({"split": replace(CONFIG.split, objective="nope")}, "unknown split.objective"),
    ],
)
def test_bad_settings_are_told_before_work(changes, message) -> None:
    with pytest.raises(UserError, match=message):
        validate_metric_ablation(replace(CONFIG, **changes))


def test_the_command_line_tells_a_bad_name_in_one_line(tmp_path, capsys) -> None:
    assert main(["smoke", "--workdir", str(tmp_path), "--metrics", "nope", "--tree-metrics"]) == 2
    assert capsys.readouterr().err.startswith("error: metrics must be different ones of")
    assert not list(tmp_path.iterdir())


def test_the_presets_can_be(finished) -> None:
    for preset in PRESETS.values():
        validate_metric_ablation(preset)
    found = run(Command(finished[0], CONFIG), quiet)[0]
    assert len(command.shown(found, 1).rows) == 4
    assert np.isfinite([row["value"] for row in found.agreement]).all()
