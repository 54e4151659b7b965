"""The tables of an ablation by split; `pandas.read_csv` reads them as well. `python -m docs.examples.tables WORKDIR`"""

import csv
import sys
from pathlib import Path

NAMES = ("true_accuracy", "true_accuracy_low", "true_accuracy_high")

with open(Path(sys.argv[1]) / "table.csv", newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["rule"] == "validation"]
for row in sorted(rows, key=lambda row: -float(row["true_accuracy"])):
    mean, low, high = (float(row[name] or "nan") for name in NAMES)  # one seed has no interval
    print(f"{row['split']:12} {row['algorithm']:8} {mean:.2f} % [{low:.2f}, {high:.2f}] over {row['seeds']} seeds")
