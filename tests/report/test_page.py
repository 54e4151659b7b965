"""The page: well-formed, on its own, true to the files, safe with foreign text, the same for the same files."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from jaxnas.few_shot.page import write_report
from jaxnas.few_shot.ranking_sections import _lines
from jaxnas.few_shot.read import read_run
from jaxnas.types import UserError
from tests.report import sample

ROOT = Path(__file__).parent.parent.parent
HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e\ud800"


class Page(HTMLParser):
    """Checks that elements nest; keeps texts, attributes and the cells of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "wbr"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.tags[-1:] == ["wbr"]:  # a place where a word may break is inside the word
            self.texts[-1] += data
        else:
            self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def page(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_the_page_stands_alone(tmp_path) -> None:
    seeds = sample.seeds(tmp_path / "many", [sample.seed_row("ours", "method", 62, None)])
    for folder in (sample.write(tmp_path / "one"), seeds):
        found = page(folder)
        assert not {"script", "link", "img", "iframe", "object", "use", "image", "base"} & set(found.tags)
        targets = [value for name, value in found.attributes if name in ("href", "src", "xlink:href", "srcset")]
        assert all(re.fullmatch(r"seed-\d/report\.html", target or "") for target in targets)
        assert not [name for name, _ in found.attributes if name.startswith("on")]
        text = (folder / "report.html").read_text()
        assert "://" not in text and "@import" not in text and "url(" not in text
        pictures = [value for name, value in found.attributes if name == "role" and value == "img"]
        assert len(pictures) == sum(name == "aria-label" and value is not None for name, value in found.attributes) - (
            sum(value == "region" for name, value in found.attributes)
        )


def test_the_answer_comes_first_and_the_table_holds_the_numbers_of_the_file(tmp_path) -> None:
    found = page(sample.write(tmp_path))
    text = found.text
    order = [
        text.index(s) for s in ("Few-shot architecture search on digits, seed 5", "One seed cannot tell", "Beside its")
    ]
    assert order == sorted(order)
    rows = {row[0]: row[1:] for row in found.rows if row}
    ours = "split by gradient_matching"
    assert found.rows[:3] == [
        ["found by", "test accuracy", "true accuracy", "images seen", "evaluations", "score"],
        [ours, "62.25 [61.25, 63.25]", "91.50", "12,345", "67", "41.50"],
        ["not split", "61.75 [60.75, 62.75]", "-", "12,345", "67", "41.50"],
    ]
    assert found.rows[4:6] == [["found by", "Kendall tau"], [ours, "0.375 [0.250, 0.500]"]]
    assert rows["all"] == ["4", "0.375 [0.250, 0.500]", "-"]
    assert rows["best 10 % by truth"] == ["3", "0.062", "-"]
    assert rows["seed"] == ["5"] and rows["data.name"] == ["digits"]  # the settings
    for said in (sample.CELL, "Warnings of the run", "no checksum is known", "Together 2 min", "Ties at node 0:"):
        assert said in text


def test_the_figures_say_in_words_what_they_show(tmp_path) -> None:
    labels = [value or "" for name, value in page(sample.write(tmp_path)).attributes if name == "aria-label"]
    for start in (
        "The cell as a graph: skip from 0 to 1; conv 3x3 from 1 to 2",
        "test accuracy, %: split by gradient_matching 62.25 [61.25, 63.25]; not split 61.75 [60.75, 62.75]",
        "The split tree: node 0 splits edge 2<-1 into none, skip | conv 3x3",
        "node 0, edge 2<-1. cut -0.2500, margin 0.1250. none and skip 0.50",
        "warm-up: training accuracy, % by epoch; at the end last 30.00",
        "search: best validation accuracy, % by architectures evaluated; at the end leaf 0 40.00; leaf 1 41.00",
        "split by gradient_matching: 2 cells, score against truth; Kendall tau 0.375 [0.250, 0.500]",
        "not split: 1 cells, score against truth",
        "time by stage: warm-up 30 s, 25 %; leaves 2 min, 75 %",
    ):
        assert any(label.startswith(start) for label in labels), start


def test_curves_of_the_ranking_go_on_from_the_warm_up_one_line_a_contender(tmp_path) -> None:
    found = page(sample.write(tmp_path))
    labels = [value or "" for name, value in found.attributes if name == "aria-label"]
    for label in (
        "Kendall tau, all cells followed: Kendall tau by epochs, leaves together; at the end "
        "split by gradient_matching 0.62; not split 0.50",
        "regret of the best score, points: regret of the best score by epochs, leaves together; at the end "
        "split by gradient_matching 1.50; not split 3.50",
        "score by number of convolutions: mean score, % by epochs, leaves together; at the end "
        "0 convolutions 45.00; 1 convolution 55.00",
    ):
        assert label in labels
    assert not any("best tenth by truth: " in label for label in labels)  # no row has it
    text = " ".join(found.text.split())
    assert "0: split by gradient_matching. 1: not split." in text and "first comes the warm-up" in text
    assert "How the ranking was learnt" not in page(sample.write(tmp_path / "none", curves__csv=None)).text


def test_the_lines_of_a_contender_start_with_the_warm_up_on_one_scale(tmp_path) -> None:
    lines = _lines(read_run(sample.write(tmp_path)).curves)
    # 100 images are an epoch of one network.
    assert [row["epochs"] for row in lines["method"]] == [1, 2, 4.5, 6.5]
    assert [(row["epochs"], row["kendall"]) for row in lines["unsplit"]] == [(1, 0.125), (2, 0.25), (6, 0.5)]


def test_splits_that_noise_could_turn_are_flagged_and_others_are_not(tmp_path) -> None:
    flag = "lies inside the noise between batches"
    inside = sample.tree(margin_low=-0.0125, margin_high=0.25, stability=0.75)
    found = page(sample.write(tmp_path / "inside", split_tree__json=inside)).text
    assert f"Node 0: the margin of this split {flag}: 95 % interval -0.0125 to 0.2500" in found
    assert "the same grouping wins in 75% of resamplings" in found
    for name, tree in (
        ("outside", sample.tree(margin_low=0.0125, margin_high=0.25, stability=1.0)),
        ("unknown", sample.TREE),
    ):
        assert flag not in page(sample.write(tmp_path / name, split_tree__json=tree)).text


def test_a_node_says_how_many_batches_it_took_and_whether_they_settled_it(tmp_path) -> None:
    for settled, told in ((True, "settled: node 0 8."), (False, "settled: node 0 8 without being settled.")):
        tree = sample.tree(batches=8, settled=settled)
        assert told in page(sample.write(tmp_path / str(settled), split_tree__json=tree)).text
    for name, tree in (("all", sample.tree(batches=8, settled=None)), ("older", sample.TREE)):
        assert "Batches scored until" not in page(sample.write(tmp_path / name, split_tree__json=tree)).text


def test_backgrounds_and_operations_that_joined_are_told(tmp_path) -> None:
    tree = sample.tree(batches=8, backgrounds=6, joined=[0])
    text = page(sample.write(tmp_path, split_tree__json=tree)).text
    assert "Distinct backgrounds of the batches: 6 of 8 at node 0." in text
    assert "Node 0: none disconnects every cell there and was not compared" in text


def test_an_edge_that_was_not_scored_is_not_drawn(tmp_path) -> None:
    folder = sample.write(tmp_path)
    assert "node 0, edge 1<-0" in (whole := page(folder).text) and "node 0, edge 2<-1" in whole
    with np.load(folder / "similarities.npz") as arrays:
        values = arrays["node_0"]
    values[0] = np.nan
    np.savez(folder / "similarities.npz", node_0=values)
    found = page(folder).text
    assert "node 0, edge 2<-1" in found and "node 0, edge 1<-0" not in found and "nan" not in found


@pytest.mark.parametrize(
    ("decided", "taken"),
    [(None, "the first was taken"), ("lowest", "the first was taken"), ("random", "one was drawn")],
)
def test_ties_say_how_they_were_decided(decided, taken, tmp_path) -> None:
    text = page(sample.write(tmp_path, split_tree__json=sample.tree(decided=decided))).text
    assert f"Ties at node 0: of the groupings that scored exactly alike {taken}." in text


def test_a_split_that_was_drawn_has_no_cut_to_show(tmp_path) -> None:
    assert "drawn at random, margin" in page(sample.write(tmp_path, split_tree__json=sample.tree(value=None))).text


def test_a_node_that_stays_whole_says_why(tmp_path) -> None:
    reason = "15 groupings of 1<-0 scored exactly alike"
    root = {"id": 0, "parent": None, "mask": [[1, 1, 1], [1, 1, 1]], "architectures": 9, "kept": reason}
    for node, tree in ((1, sample.tree(reason)), (0, {**sample.TREE, "nodes": [root]})):
        found = page(sample.write(tmp_path / str(node), split_tree__json=tree))
        assert f"Node {node} stays whole: {reason}." in found.text


def test_several_seeds_have_the_verdict_a_table_and_a_page_each(tmp_path) -> None:
    rows = [sample.seed_row("ours", "method", 62.0, None), sample.seed_row("not split", "unsplit", 61.0, (1.0, 0.5))]
    rows[0]["kendall_half"] = {"mean": 0.5, "low": None, "high": None, "n": 3}  # equal in all seeds
    found = page(sample.seeds(tmp_path, rows))
    assert ["found by", "tau, better half"] in found.rows and ["ours", "0.500"] in found.rows
    assert "Splitting helped: better than not splitting" in found.text
    assert "3 seeds have chosen an architecture; that of seed-1 has the best validation accuracy" in found.text
    assert ["not split", "61.00 [60.00, 62.00]", "1.00 [0.50, 1.50]", "1,000"] in found.rows
    assert found.texts.count("no checksum is known") == 1  # of all seeds
    assert ["seed-2", "62.25 [61.25, 63.25]", "91.50", "60.00", "finished"] in found.rows
    for seed in range(3):
        assert "One seed cannot tell" in Page((tmp_path / f"seed-{seed}/report.html").read_text()).text


def test_an_unfinished_run_and_unfinished_seeds_say_how_far_they_are(tmp_path) -> None:
    seeds = sample.seeds(tmp_path, [])
    (seeds / "result.json").unlink()
    (seeds / "seed-2" / "result.json").unlink()
    assert "Unfinished: there is no result over seeds yet." in page(seeds).text
    found = Page((seeds / "seed-2" / "report.html").read_text())
    assert "This run is unfinished. Done: warm-up. The last record is of search, generation 1." in found.text
    assert "One seed cannot tell" not in found.text and "time by stage" in found.text


def test_a_config_alone_is_a_page_already(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "This run is unfinished. No stage is done." in page(tmp_path).text


@pytest.mark.parametrize("run", ["digits/seed-0", "cifar10-small/seed-0"])
def test_published_results_have_a_page(run, tmp_path) -> None:
    source = ROOT / "docs" / "results" / run
    for file in source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    found, result = page(tmp_path), json.loads((source / "result.json").read_text())
    assert result["architecture"] in found.text
    assert f"classifies {result['test_accuracy']:.2f} % (95 % interval" in found.text


def test_a_result_of_the_first_version_still_has_a_page(tmp_path) -> None:
    result = {
        "architecture": sample.CELL,
        "leaf": 3,
        "supernet_validation_accuracy": 42.9,
        "validation_accuracy": 63.22,
        "test_accuracy": 62.2,
        "true_accuracy": 91.34,
        "rank_correlation": {"kendall": -0.14, "spearman": -0.22, "n": 800, "truth": "table (t.csv)"},
        "seconds": {"warm_up": 139.0, "judge": 217.0},
    }
    (tmp_path / "result.json").write_text(json.dumps(result))
    found = page(tmp_path)
    assert sample.CELL in found.text and "classifies 62.20 % of" in found.text


def test_foreign_text_stays_text(tmp_path) -> None:
    result = sample.result(architecture=HOSTILE, seconds={HOSTILE: 3.0})
    result["contenders"][0] |= {"name": HOSTILE, "architecture": HOSTILE}
    result["rank_correlation"]["truth"] = HOSTILE
    result["warnings"] = [f"of the test part {HOSTILE}"]
    tree = {**sample.TREE, "space": HOSTILE, "ops": ["none", HOSTILE, "c"]}
    row = {"stage": HOSTILE, "epoch": 1, "leaf": 0, "loss": 1.0}
    found = page(
        sample.write(
            tmp_path,
            config__json={HOSTILE: {HOSTILE: HOSTILE}, "data": {"name": HOSTILE}},
            environment__json={"inputs": {"warnings": [HOSTILE, {HOSTILE: 1}]}},
            result__json=result,
            split_tree__json=tree,
            metrics__jsonl=json.dumps(row) + "\n",
            ranking__csv=f"architecture,leaf,truth,<b>x</b>\n{sample.CELL},1,91.5,40\n",
        )
    )
    assert "img" not in found.tags and "onerror" not in dict(found.attributes)
    assert found.tags.count("b") == 3  # the terms that the page itself explains
    assert "<img src=x onerror=alert(1)>\"'&\u202e" in found.text
    assert f"of the test part {HOSTILE[:-1]}" in found.text


def test_the_same_files_give_the_same_bytes(tmp_path) -> None:
    pages = [write_report(sample.write(tmp_path / name)).read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1] == write_report(tmp_path / "a").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_no_run_and_a_damaged_one_leave_no_page(tmp_path) -> None:
    with pytest.raises(UserError, match=r"holds no run: there is neither config.json nor result.json nor seed-0"):
        write_report(tmp_path)
    seeds = sample.seeds(tmp_path, [])
    (seeds / "seed-1" / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"metrics.jsonl is damaged in line 1"):
        write_report(seeds)
    assert not list(seeds.rglob("report.html*"))
