"""The guide to metrics, algorithms and selectors of one's own runs as it stands."""

import re
from pathlib import Path

import numpy as np

from jaxnas.metrics import METRICS
from jaxnas.search import ALGORITHMS
from jaxnas.selection import SELECTORS, Trained
from jaxnas.spaces import TOY

GUIDE = Path(__file__).parent.parent / "docs" / "extending.md"


def test_the_guide_runs(capsys) -> None:
    text = GUIDE.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    try:
        exec(compile(code, str(GUIDE), "exec"), {})
        rng, trained = np.random.default_rng(0), planted_table()
        found = SELECTORS["shortlist"](n=2)(rng, trained, TOY.full_mask(), 10)
    finally:
        METRICS.pop("confusion", None)
        ALGORITHMS.pop("halves", None)
        SELECTORS.pop("shortlist", None)
    *printed, shape = capsys.readouterr().out.splitlines()
    assert shape == "(2, 3) True"
    # (1, 1) and (1, 2) are likeliest; of these the second is more accurate, (2, 2) would be more so.
    assert found.op_ids.tolist() == [1, 2] and (found.score, found.evaluations) == (12, 2)
    rows = [line.split(maxsplit=1) for line in printed]
    sizes = [np.prod([int(n) for n in re.findall(r"\d+", row)]) for _, row in rows]
    assert len(rows) == 4 and sum(sizes) == 5**6


def planted_table() -> Trained:
    """A supernet whose path (a, b) has accuracy 10 a + b."""

    def accuracy(op_ids):
        return op_ids @ np.array([10.0, 1.0])

    probabilities = np.array([[0.1, 0.8, 0.1], [0.1, 0.5, 0.4]])
    return Trained(
        space=TOY,
        probabilities=probabilities,
        accuracy=accuracy,
        loss=accuracy,
        score=lambda rng, op_ids: accuracy(op_ids),
        narrowed=lambda mask: planted_table(),
        draw=lambda rng, n: np.zeros((n, 2), int),
    )


def test_the_guide_names_every_algorithm_and_selector() -> None:
    named = set(re.findall(r"`(\w+)`", GUIDE.read_text()))
    assert set(ALGORITHMS) | set(SELECTORS) <= named


def test_the_guide_names_every_metric() -> None:
    rows = re.findall(r"^\| (`.*?) \|", GUIDE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(METRICS) - {"gradient_matching_by_filter"} <= named
