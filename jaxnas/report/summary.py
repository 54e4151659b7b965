"""The plain tables and lines of the terminal."""

from typing import Any

from rich.table import Column, Table


def note(rows: list[dict[str, Any]]) -> str:
    """The mean over leaves of what a stage reports, in a few characters."""
    names = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1f}%", "best_accuracy": "best {:.1f}%"}
    found = {name: [row[name] for row in rows if name in row] for name in names}
    return "  ".join(names[name].format(sum(v) / len(v)) for name, v in found.items() if v)


def summary(result: dict[str, Any]) -> Table:
    """A table of the fields of `result.json`; accuracies in percent, times in seconds."""
    table = Table("few-shot NAS", Column(overflow="fold"))
    for name, value in result.items():
        if name == "seconds":
            text = ", ".join(f"{stage} {s:.0f}" for stage, s in value.items()) + f"; together {sum(value.values()):.0f}"
        elif name == "rank_correlation" and value is not None:
            shown = [f"{k} {value[k]:.3f}" for k in ("kendall", "spearman") if value[k] is not None]
            text = ", ".join([*shown, f"n {value['n']}", value["truth"]])
        elif name.endswith("accuracy") and value is not None:
            text = f"{value:.2f} %"
        else:
            text = "not known" if value is None else str(value)
        table.add_row(name.replace("_", " "), text)
    return table
