"""Few-shot neural architecture search in JAX: split a supernet by any metric, train the parts in parallel."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxnas.benchmarks import read_table as read_table
    from jaxnas.distributed import parallel as parallel
    from jaxnas.few_shot.config import FewShotConfig as FewShotConfig
    from jaxnas.few_shot.presets import PRESETS as PRESETS
    from jaxnas.few_shot.run import run_few_shot as run_few_shot
    from jaxnas.metrics import METRICS as METRICS
    from jaxnas.metrics import Metric as Metric
    from jaxnas.metrics import Probe as Probe
    from jaxnas.metrics import edge_similarity as edge_similarity
    from jaxnas.nets import Network as Network
    from jaxnas.nets import build_network as build_network
    from jaxnas.predictor import load as load
    from jaxnas.search import ALGORITHMS as ALGORITHMS
    from jaxnas.selection import SELECTORS as SELECTORS
    from jaxnas.spaces import NAS_BENCH_201 as NAS_BENCH_201
    from jaxnas.spaces import SPACES as SPACES
    from jaxnas.spaces import SearchSpace as SearchSpace
    from jaxnas.spaces import read_splits as read_splits
    from jaxnas.spaces.tree import SplitTree as SplitTree
    from jaxnas.splitting import best_partition as best_partition
    from jaxnas.splitting import grow as grow
    from jaxnas.types import UserError as UserError

__version__ = "0.2.0"
_PLACES = {
    "ALGORITHMS": "search",
    "FewShotConfig": "few_shot.config",
    "METRICS": "metrics",
    "Metric": "metrics",
    "NAS_BENCH_201": "spaces",
    "Network": "nets",
    "PRESETS": "few_shot.presets",
    "Probe": "metrics",
    "SELECTORS": "selection",
    "SPACES": "spaces",
    "SearchSpace": "spaces",
    "SplitTree": "spaces.tree",
    "UserError": "types",
    "best_partition": "splitting",
    "build_network": "nets",
    "edge_similarity": "metrics",
    "grow": "splitting",
    "load": "predictor",
    "parallel": "distributed",
    "read_splits": "spaces",
    "read_table": "benchmarks",
    "run_few_shot": "few_shot.run",
}
__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for: `import jaxnas` itself imports neither jax nor flax."""
    if name not in _PLACES:
        raise AttributeError(f"module 'jaxnas' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"jaxnas.{_PLACES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
