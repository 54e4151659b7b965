"""Few-shot neural architecture search in JAX: split a supernet by any metric, train the parts in parallel."""

from jaxnas.predictor import load

__version__ = "0.1.0"
__all__ = ["load"]
