"""The guide to a metric of one's own runs as it stands."""

import re
from pathlib import Path

import numpy as np

from jaxnas.metrics import METRICS

GUIDE = Path(__file__).parent.parent / "docs" / "extending.md"


def test_the_guide_registers_a_metric_and_splits_by_it(capsys) -> None:
    text = GUIDE.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    try:
        exec(compile(code, str(GUIDE), "exec"), {})
    finally:
        METRICS.pop("confusion", None)
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    sizes = [np.prod([int(n) for n in re.findall(r"\d+", row)]) for _, row in rows]
    assert len(rows) == 4 and sum(sizes) == 5**6


def test_the_guide_names_every_metric() -> None:
    rows = re.findall(r"^\| (`.*?) \|", GUIDE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(METRICS) - {"gradient_matching_by_filter"} <= named
