"""What a run says of itself, from its own files and nothing else: `report.html`, the terminal's table and sentences."""

from jaxnas.report.forecast import forecast_table
from jaxnas.report.page import write_report
from jaxnas.report.read import Run, read_metrics, read_run, read_total, seed_folders
from jaxnas.report.records import Contender, Estimate
from jaxnas.report.summary import note, summary
from jaxnas.report.words import count, estimate, how_far

__all__ = [
    "Contender",
    "Estimate",
    "Run",
    "count",
    "estimate",
    "forecast_table",
    "how_far",
    "note",
    "read_metrics",
    "read_run",
    "read_total",
    "seed_folders",
    "summary",
    "write_report",
]
