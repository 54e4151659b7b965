"""Settings of the whole suite and the small networks that tests share."""

import gc
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from jaxnas.nets import Network, build_network
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace

# The suite compiles more than it computes. The former code generator of XLA's CPU backend takes a third of the time of
# the newer one; commands in processes of their own inherit it.
jax.config.update("jax_disable_most_optimizations", True)
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Strict, with two exceptions: optax raises the betas of Adam to a whole number of steps (jaxnas/search/alpha.py and
# enas.py, tests/experiments/test_peers.py), and tests/search/test_second_order.py is of float64 with rates of float32.
# Commands in processes of their own promote as for users.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent.parent / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


# Property-based tests draw the same examples every time, and few: a machine may be slow.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs whole commands comes first, then what trains and probes, so that no long file is left for the end.

    Workers take files in this order (--no-loadscope-reorder), each its next when it is done with one.
    """
    first = ("test_examples.py", "experiments", "few_shot", "distributed", "metrics")
    rank = {name: place for place, name in enumerate(first)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(Path(__file__).parent).parts[0], len(first)))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no search for garbage has to walk through it."""
    gc.collect()
    gc.freeze()


def small_network(space: SearchSpace, affine: bool = False, cells: int = 1) -> Network:
    return build_network(space, channels=4, cells=cells, classes=10, image_shape=(8, 8, 3), affine=affine)


@pytest.fixture(scope="session")
def toy() -> Network:
    return small_network(TOY)


@pytest.fixture(scope="session")
def cell201() -> Network:
    return small_network(NAS_BENCH_201, cells=2)


@pytest.fixture(scope="session")
def batch() -> tuple[jax.Array, jax.Array]:
    """Float images [16, 8, 8, 3] and labels [16]."""
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(16, 8, 8, 3)), jnp.float32), jnp.asarray(rng.integers(0, 10, 16), jnp.int32)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data sets and tables; tests that need them are skipped where JAXNAS_DATA names no folder."""
    folder = os.environ.get("JAXNAS_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("JAXNAS_DATA names no folder of real data")
    return Path(folder).resolve()
