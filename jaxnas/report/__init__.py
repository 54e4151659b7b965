"""What a run says of itself, from its own records and nothing else."""

from jaxnas.report.summary import note, summary

__all__ = ["note", "summary"]
