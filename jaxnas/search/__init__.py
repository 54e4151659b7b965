"""One-shot search: how architectures are drawn while a sub-supernet is trained."""

from jaxnas.search.sampling import sample_connected

__all__ = ["sample_connected"]
