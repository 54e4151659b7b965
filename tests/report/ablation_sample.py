"""Made-up rows of an ablation of splits, as its CSV files give them: text, with '' where nothing is known.

The tables are built here from the cells alone, by means and Student's intervals written out.
"""

from typing import Any

import numpy as np

from tests.report.study_sample import CELL, STUDENT, text

Row = dict[str, Any]
Values = dict[tuple[str, str, int], list[float]]  # (split, algorithm, seed) -> true accuracy of each leaf
RULES = ("oracle", "any leaf", "validation", "mean")


def ablation(
    values: Values,
    same: dict[tuple[str, int], str] | None = None,
    failed: dict[tuple[str, str, int], int] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Rows of both files. Validation picks leaf 0, the rule `mean` leaf 1; `failed` names a leaf that has an error."""
    cells, picked = [], {}
    for (split, algorithm, seed), true in values.items():
        lost = (failed or {}).get((split, algorithm, seed))
        for leaf, value in enumerate(true):
            by = [
                rule
                for rule, best in (("oracle", int(np.argmax(true))), ("validation", 0), ("mean", 1))
                if best == leaf
            ]
            row = {"split": split, "algorithm": algorithm, "seed": seed, "leaf": leaf, "architecture": CELL}
            row |= {"validation_score": 70 - leaf, "true_accuracy": value, "picked_by": " ".join(by)}
            row |= {"truth_source": "table", "images_seen": 10_240, "seconds": 1.25, "evaluations": 75, "error": ""}
            row |= {"same_as": (same or {}).get((split, seed), "")}
            if lost is not None:
                row |= {"picked_by": ""}
            if lost == leaf:
                row |= {"architecture": "", "true_accuracy": "", "validation_score": "", "error": "it <diverged>"}
            cells.append(row)
        if lost is None:
            found = {"oracle": max(true), "any leaf": np.mean(true), "validation": true[0], "mean": true[1]}
            for rule, value in found.items():
                picked.setdefault((split, algorithm, rule), {})[seed] = value
    return text(cells), text(_table(values, picked))


def _table(values: Values, picked: dict[tuple[str, str, str], dict[int, float]]) -> list[Row]:
    splits, algorithms = (list(dict.fromkeys(name[place] for name in values)) for place in (0, 1))
    randoms = [split for split in splits if split.startswith("random ")]
    rows = []
    for algorithm in algorithms:
        for rule in RULES:
            for split in splits:
                own = picked.get((split, algorithm, rule), {})
                unsplit = picked.get(("none", algorithm, rule), {}) if split != "none" else {}
                of = [picked.get((name, algorithm, rule), {}) for name in randoms if split not in randoms]
                random = {s: np.mean([o[s] for o in of]) for s in own if of and all(s in o for o in of)}
                row: Row = {"split": split, "algorithm": algorithm, "rule": rule}
                row |= {"seeds": len(own), **_mean("true_accuracy", [*own.values()])}
                row |= _mean("from_unsplit", [own[seed] - unsplit[seed] for seed in own if seed in unsplit])
                rows.append(row | _mean("from_random", [own[seed] - random[seed] for seed in own if seed in random]))
    none = {**_mean("from_unsplit", []), **_mean("from_random", [])}
    for name, of in (("random search", [91.5, 91.0, 92.0]), ("best of 8 by the truth", [92.71] * 3)):
        rows.append({"split": name, "algorithm": "", "rule": "", "seeds": 3, **_mean("true_accuracy", of), **none})
    return rows


def _mean(column: str, values: list[float]) -> Row:
    """Mean and Student's interval; none of one value, nor of differences that are all alike."""
    n, mean = len(values), float(np.mean(values)) if values else ""
    spread = n > 1 and (column == "true_accuracy" or np.ptp(values) > 1e-9)
    half = STUDENT[n] * np.std(values, ddof=1) / n**0.5 if spread else 0
    low, high = (mean - half, mean + half) if spread else ("", "")
    return {column: mean, f"{column}_low": low, f"{column}_high": high}


def usual(algorithms: tuple[str, ...] = ("uniform", "darts"), seeds: int = 3) -> Values:
    """Four splits, two at random, and the unsplit runs: 8 leaves each, near 100 % under the second algorithm."""
    rng = np.random.default_rng(3)
    values = {}
    for a, algorithm in enumerate(algorithms):
        for s, split in enumerate(("gradient_matching", "snip", "naswot", "zico", "random 1", "random 2", "none")):
            for seed in range(seeds):
                true = 90 + 4 * a + (2 - s / 2 if s < 4 else 0) + rng.normal(size=8) * (0.4 + s % 3) + seed / 4
                values[split, algorithm, seed] = np.minimum(true, 100).round(2).tolist()
    return values
