"""Made-up rows of a study, as its CSV files give them: text, with '' where nothing is known."""

from typing import Any

import numpy as np

STUDENT = {2: 12.7062, 3: 4.30265}  # 97.5 % quantile by number of values
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"
Row = dict[str, Any]
Rows = tuple[list[Row], list[Row], list[Row]]


def study(
    algorithms: list[str],
    selectors: list[str],
    seeds: int = 3,
    scope: str = "whole",
    table: bool = True,
    equal: str = "epochs",
) -> Rows:
    """Rows of cells, supernets and summary; the last selector fails on the second algorithm. One random search stands
    beside the first algorithm, another beside the rest.

    Accuracies are whole hundredths: 90 + the place of the algorithm + selector / 4 + noise of the seed.
    """
    rng = np.random.default_rng(0)
    cells, summary = [], []
    named = [(algorithm, selectors, "") for algorithm in algorithms]
    named += [("", ["random_search"], " ".join(of)) for of in (algorithms[:1], algorithms[1:]) if of]
    for a, (algorithm, of, control_of) in enumerate(named):
        cost = {"epochs": 20 + a, "images": 281_600 * (1 + a % 2), "billion_multiply_adds": 12.5 + a}
        group = {"equal": equal, "algorithm": algorithm, "control_of": control_of, "scope": scope}
        for s, selector in enumerate(of):
            failed = a == 1 and s == len(selectors) - 1
            values = np.round(np.minimum(90 + a % 4 + s / 4 + rng.normal(size=seeds) * (0.3 + a % 2), 94.37), 2)
            if a == 2 and s == 0:
                values = values - np.linspace(20, 36, seeds).round(2)
            for seed, value in enumerate(values):
                row = {**group, "selector": selector, "seed": seed, **cost, "architecture": CELL}
                row |= {"true_accuracy": value, "true_rank": 1000 - seed if table else "", "regret": 94.37 - value}
                row |= {
                    "validation_score": (71.5, -0.00125, 1234.5)[seed],
                    "evaluations": 130 * s,
                    "seconds": 12.34,
                    "error": "",
                }
                if failed:
                    row |= dict.fromkeys(("architecture", "true_accuracy", "true_rank", "regret"), "")
                    row |= {"validation_score": "", "error": "it needs 54 evaluations, the budget is 20"}
                cells.append(row if table else {**row, "regret": ""})
            mean = {**group, "selector": selector, "seeds": seeds, **cost}
            mean |= {"failed": seeds if failed else 0, "evaluations": "" if failed else 130.0 * s}
            mean |= estimate("true_accuracy", values if not failed else values[:0])
            mean |= estimate("regret", 94.37 - values if table and not failed else values[:0])
            mean |= estimate("difference", values - 91 if algorithm and not failed else values[:0])
            ranks = agreement(a, s, seeds == 1)
            summary.append({**mean, **(ranks if algorithm else dict.fromkeys(ranks, ""))})
    for name, value in (("random cell", 83.81), ("best of 8 by the truth", 92.71), ("best of 100 by the truth", 94.02)):
        row = {**dict.fromkeys(summary[0], ""), "equal": equal, "selector": name, "scope": scope, "failed": 0}
        row |= {"evaluations": 8, **estimate("true_accuracy", np.array([value]))}
        summary += [{**row, **estimate("regret", np.array([94.37 - value]))}] if table else []
    supernets = [
        {
            **{"equal": equal, "algorithm": algorithm, "scope": scope, "seed": seed, "n": 200},
            **{"epochs": 20 + a, "images": 281_600 * (1 + a % 2), "billion_multiply_adds": 12.5 + a},
            **tau("kendall_accuracy", round(0.3 + 0.1 * (a % 5) + 0.03 * seed, 3)),
            **tau("kendall_probability", "" if a == 0 else round(0.15 * (a % 4) - 0.1 + 0.02 * seed, 3)),
            "error": "",
        }
        for a, algorithm in enumerate(algorithms)
        for seed in range(seeds)
    ]
    return text(cells), text(supernets), text(summary)


def estimate(column: str, values: np.ndarray) -> Row:
    """Mean and Student's interval."""
    n = len(values)
    mean = values.mean() if n else ""
    half = STUDENT[n] * values.std(ddof=1) / n**0.5 if n > 1 else ""
    return {column: mean, f"{column}_low": mean - half if n > 1 else "", f"{column}_high": mean + half if n > 1 else ""}


def agreement(a: int, s: int, alone: bool) -> Row:
    """Ranking and agreement of the seeds of an algorithm and a selector; of one seed alone, no agreement."""
    row = {"deviation": 0.25 + s, "edges_agree": 0.5 + 0.1 * s, "edges_chance": 0.2}
    row |= tau("reliability_accuracy", 0.6 - 0.1 * a) | tau("reliability_probability", "")
    if alone:
        row = dict.fromkeys(row, "")
    row |= tau("kendall_accuracy", 0.33 + 0.1 * (a % 5)) | tau("behind_accuracy", 0.2)
    return {**row, **tau("kendall_probability", 0.15 * (a % 4) - 0.08), **tau("behind_probability", 0.05 + 0.1 * a)}


def tau(column: str, value: Any) -> Row:
    """A correlation and an interval around it."""
    low, high = ("", "") if value == "" else (value - 0.1, value + 0.1)
    return {column: value, f"{column}_low": low, f"{column}_high": high}


def text(rows: list[Row]) -> list[Row]:
    """As a CSV file gives them."""
    return [{name: str(value) for name, value in row.items()} for row in rows]


def drift(seeds: int = 3, epochs: int = 10, true: bool = True) -> list[Row]:
    """Magnitude drifts to skip connections, perturbation does not."""
    rng = np.random.default_rng(1)
    rows = []
    for epoch in range(1, epochs + 1):
        for seed in range(seeds):
            for selector in ("magnitude", "perturbation"):
                skips = min(6, round(6 * epoch / epochs + rng.normal() * 0.5)) if selector == "magnitude" else seed % 3
                row = {"epoch": epoch, "seed": seed, "selector": selector, "architecture": CELL, "skips": max(skips, 0)}
                value = round(94 - 6.5 * max(skips, 0) + rng.normal(), 2)
                rows.append({**row, "edges": 6, "true_accuracy": value if true else ""})
    return text(rows)
