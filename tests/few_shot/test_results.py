"""Rows and objects of a run's files, from results made up here."""

import csv
import json

import numpy as np

from jaxnas.analysis import Interval, RankCorrelation
from jaxnas.benchmarks import Table
from jaxnas.few_shot import results
from jaxnas.few_shot.controls import Contender, Supernets
from jaxnas.few_shot.judge import Agreement, Part, Ranking, Verdict
from jaxnas.few_shot.stages import Chosen
from jaxnas.selection import Evaluated
from jaxnas.spaces import TOY
from jaxnas.workdir import write_csv

SKIP_CONV, CONV_CONV = "|skip_connect~0|+|nor_conv_3x3~1|", "|nor_conv_3x3~0|+|nor_conv_3x3~1|"
TAU, RHO = Interval(0.5, 0.1, 0.9, 30), Interval(0.25, None, None, 30)
SUPERNETS = Supernets(None, None, [])
CONTENDERS = [
    Contender("split by x", "method", Chosen(1, np.array([2, 2]), 41.5), 1000, 8, SUPERNETS),
    Contender("random split 1", "random_split", Chosen(0, np.array([1, 2]), 40.0), 1010, 8, SUPERNETS),
    Contender("best of 2 random", "random_alone", Chosen(None, np.array([1, 2]), 39.0), 990, 2, None),
]
NONE = RankCorrelation(None, None, 30)
AGREEMENT = Agreement(RankCorrelation(TAU, RHO, 30), NONE._replace(n=15), RankCorrelation(None, RHO, 3))
VERDICTS = [
    Verdict(60.0, Interval(61.0, 58.0, 64.0, 389), 91.0, AGREEMENT),
    Verdict(50.0, Interval(51.0, 48.0, 54.0, 389), None, Agreement(NONE, NONE, NONE)),
    Verdict(50.0, Interval(51.0, 48.0, 54.0, 389), None, None),
]
RANKING = Ranking(
    source="table (t.csv)",
    parts=[
        Part(
            "uniform",
            np.array([[2, 1], [1, 2]], np.int32),
            np.array([1, 0]),
            np.array([91.0, 88.5]),
            {"split by x": np.array([10.00004, 20]), "random split 1": np.array([30.0, 40])},
        ),
        Part("leaf", np.array([[2, 2]]), np.array([1]), np.array([93.0]), {"split by x": np.array([50.0])}),
    ],
    agreement=AGREEMENT,
    leaves=[RankCorrelation(None, None, 1), RankCorrelation(TAU, RHO, 15)],
    random=Interval(80.0, 79.0, 81.0, 30),
    best_of=(2, 85.5),
)
TAU_ROW = {"value": 0.5, "low": 0.1, "high": 0.9, "n": 30}


def test_a_contenders_row_holds_what_it_chose_and_the_verdict(context) -> None:
    rows = results.contender_rows(context, CONTENDERS, VERDICTS)
    assert rows[0] == {
        "name": "split by x",
        "kind": "method",
        "architecture": CONV_CONV,
        "leaf": 1,
        "score": 41.5,
        "images": 1000,
        "evaluations": 8,
        "validation_accuracy": 60.0,
        "test_accuracy": 61.0,
        "test_interval": [58.0, 64.0],
        "true_accuracy": 91.0,
        "kendall": TAU_ROW,
        "spearman": {"value": 0.25, "low": None, "high": None, "n": 30},
        **{"kendall_half": None, "kendall_top": None},
    }
    assert [rows[i]["kendall"] for i in (1, 2)] == [None, None]
    assert (rows[2]["leaf"], rows[2]["architecture"]) == (None, SKIP_CONV)


def test_flat_rows_have_one_number_a_column_and_the_same_columns(context, tmp_path) -> None:
    flat = results.flat_rows(results.contender_rows(context, CONTENDERS, VERDICTS))
    assert not any(isinstance(value, dict | list | tuple) for row in flat for value in row.values())
    assert [list(row) for row in flat] == [list(flat[0])] * 3
    write_csv(tmp_path / "rows.csv", flat)
    read = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    names = ("test_accuracy", "test_low", "test_high", "kendall", "kendall_low", "kendall_high", "kendall_n")
    assert [read[0][name] for name in names] == ["61.0", "58.0", "64.0", "0.5", "0.1", "0.9", "30"]
    assert [read[0][name] for name in ("spearman", "spearman_low", "spearman_n")] == ["0.25", "", "30"]
    assert [read[1][name] for name in names[3:]] == [""] * 4 and read[1]["test_low"] == "48.0"


def test_ranking_rows_have_a_column_for_each_supernet(context) -> None:
    names = ("architecture", "sample", "leaf", "truth", "method", "random_split_1")
    wanted = [
        ("|nor_conv_3x3~0|+|skip_connect~1|", "uniform", 1, 91.0, 10.0, 30.0),
        (SKIP_CONV, "uniform", 0, 88.5, 20.0, 40.0),
        (CONV_CONV, "leaf", 1, 93.0, 50.0, None),
    ]
    rows = results.ranking_rows(context, CONTENDERS, RANKING)
    assert rows == [dict(zip(names, row, strict=True)) for row in wanted]


def test_rows_of_what_was_evaluated_have_their_truth_only_from_a_table(context) -> None:
    histories = [Evaluated(np.array([[1, 2]]), np.array([12.34567])), Evaluated(np.array([[2, 2]]), np.array([50.0]))]
    plain = {"architecture": SKIP_CONV, "leaf": 0, "supernet_validation_accuracy": 12.3457}
    rows = results.architecture_rows(context, histories, None)
    assert rows[0] == {**plain, "parent_accuracy": None, "truth": None, "truth_source": None}
    assert (rows[1]["architecture"], rows[1]["leaf"]) == (CONV_CONV, 1)
    table = Table(TOY, "t.csv", {"digits": np.arange(9.0)})
    rows = results.architecture_rows(context, histories, table)
    assert rows[0] == {**plain, "parent_accuracy": None, "truth": 5.0, "truth_source": "table (t.csv)"}
    assert rows[1]["truth"] == 8.0


def test_what_the_parent_scored_stands_beside_the_first_generation(context) -> None:
    history = Evaluated(np.array([[1, 2], [2, 1], [2, 2]]), np.array([50.0, 51, 52]), np.array([40.00004, 41.5]))
    rows = results.architecture_rows(context, [history], None)
    assert [row["parent_accuracy"] for row in rows] == [40.0, 41.5, None]


def test_the_result_is_the_methods_row_with_everything_beside_it(context) -> None:
    rows = results.contender_rows(context, CONTENDERS, VERDICTS)
    result = results.result_object(rows, RANKING, 389, {"warm_up": 1.5})
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    head = {key: result[key] for key in list(result)[:7]}
    assert head == {
        "architecture": CONV_CONV,
        "leaf": 1,
        "supernet_validation_accuracy": 41.5,
        "validation_accuracy": 60.0,
        "test_accuracy": 61.0,
        "test_interval": [58.0, 64.0],
        "test_images": 389,
    }
    assert (result["true_accuracy"], result["contenders"], result["seconds"]) == (91.0, rows, {"warm_up": 1.5})
    assert result["random_architecture"] == {
        **{"accuracy": 80.0, "low": 79.0, "high": 81.0, "n": 30, "best_of": 2, "best": 85.5},
    }
    rho = {"value": 0.25, "low": None, "high": None, "n": 30}
    assert result["rank_correlation"] == {
        "truth": "table (t.csv)",
        "n": 30,
        "kendall": TAU_ROW,
        "spearman": rho,
        "leaves": [
            {"leaf": 0, "n": 1, "kendall": None, "spearman": None},
            {"leaf": 1, "n": 15, "kendall": TAU_ROW, "spearman": rho},
        ],
        "half": {"n": 15, "kendall": None, "spearman": None},
        "top10": {"n": 3, "kendall": None, "spearman": rho},
    }


def test_a_result_without_a_ranking_or_a_mean_says_so(context) -> None:
    rows = results.contender_rows(context, CONTENDERS, VERDICTS)
    result = results.result_object(rows, None, 389, {})
    assert (result["random_architecture"], result["rank_correlation"]) == (None, None)
    estimated = results.result_object(rows, RANKING._replace(best_of=None), 389, {})["random_architecture"]
    assert (estimated["accuracy"], estimated["best_of"], estimated["best"]) == (80.0, None, None)
