"""The page of a drift: means over the seeds that are there, the last epochs, what is missing, hostile names."""

import re
import xml.dom.minidom

from jaxnas.studies.drift.page import answer, drift_page
from tests.report.study_sample import CELL, drift


def row(epoch: int, seed: int, skips: object, true: object = "", selector: str = "magnitude") -> dict[str, object]:
    names = {"epoch": epoch, "seed": seed, "selector": selector, "architecture": CELL}
    return {**names, "skips": skips, "edges": 4, "true_accuracy": true}


def drawings(text: str) -> list[str]:
    found = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    for drawing in found:
        xml.dom.minidom.parseString(drawing)
    return found


def test_every_number_of_the_rows_is_on_the_page_and_the_last_epoch_first() -> None:
    rows = drift(seeds=2, epochs=3)
    text = drift_page(rows).text
    cells = [
        re.findall(r"<t[hd][^>]*>([^<]*)</t", line) for line in re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", text)
    ]
    share = [f"{100 * int(r['skips']) / 6:.2f}" for r in rows]
    expected = [
        [r["selector"], r["seed"], r["epoch"], r["skips"], "6", s, f"{float(r['true_accuracy']):.2f}"]
        for r, s in zip(rows, share, strict=True)
    ]
    last = [e for e in expected if e[2] == "3"]
    assert [cell[:7] for cell in cells] == [*sorted(last, key=lambda e: (e[0], e[1])), *expected]
    assert len(drawings(text)) == 2 and text.count("avg_pool_3x3~2|") == len(cells)


def test_the_answer_is_the_mean_of_the_last_epoch_with_its_interval() -> None:
    # Shares at the end .5, .5, .25 of 4 edges: mean 41.67, 4.3027 * 14.43 / 3 ** .5 = 35.857; accuracies 91 +- 2.48.
    last = [row(2, 0, 2, 90.0), row(2, 1, 2, 91.0), row(2, 2, 1, 92.0)]
    rows = [row(1, seed, 0, 93.0) for seed in range(3)] + last + [row(1, 0, "", "", "other")]
    assert answer(rows) == {
        "magnitude": "at the end 41.67 % (95 % interval 5.81 to 77.52) of the edges are skip connections, at first "
        "0.00 %. True accuracy at the end: 91.00 % (95 % interval 88.52 to 93.48).",
        "other": "nothing is recorded.",
    }


def test_a_percentage_has_no_interval_beyond_its_bounds() -> None:
    rows = [row(1, seed, skips) for seed, skips in enumerate((0, 4))]
    assert "50.00 % (95 % interval 0.00 to 100.00)" in answer(rows)["magnitude"]


def test_the_mean_is_drawn_where_every_seed_is() -> None:
    rows = [row(e, 0, 0) for e in (1, 2, 3)] + [row(e, 1, 4) for e in (1, 2)] + [row(3, 2, "")]
    (drawing,) = drawings(drift_page(rows).text)
    assert 'aria-label="share of skip connect, % by epoch; mean at the end: magnitude 50.00"' in drawing
    lines = re.findall(r'<path d="([^"]*)"[^>]*stroke-width="(0.7|2.2)"', drawing)
    assert [(path.count("L") + 1, width) for path, width in lines] == [(3, "0.7"), (2, "0.7"), (2, "2.2")]


def test_without_true_accuracies_there_is_one_panel_and_one_seed_is_its_own_mean() -> None:
    text = drift_page(drift(seeds=1, true=False)).text
    (drawing,) = drawings(text)
    assert 'stroke-width="0.7"' not in drawing and "95 %" not in text and "1 seed" in text
    assert "True accuracy at the end" not in text


def test_hostile_names_stay_text() -> None:
    hostile = "<b>\"'&</b>"
    text = drift_page([{**row(1, 0, 1, 90.0, hostile), "architecture": hostile, "seed": hostile}]).text
    assert (
        "<b>&quot;" not in text and '<b>"' not in text and "&lt;b&gt;&quot;&#x27;&amp;" in text and "http" not in text
    )
    drawings(text)
