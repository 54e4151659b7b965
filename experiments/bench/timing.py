"""Interleaved repeats of several contenders, and processes of their own for what would disturb them."""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import jax
import numpy as np

Call = Callable[[], Any]  # returns when its work is done, the device's too
Result = TypeVar("Result")


def interleave(
    contenders: dict[str, Call], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every call, by contender; in each repeat every contender runs once, in turn.

    What slows the machine for a while so slows all of them. A first round, which compiles, is not timed.
    """
    for call in contenders.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            began = clock()
            call()
            seconds[name].append(clock() - began)
    return seconds


def middle(samples: list[float]) -> float:
    """The median."""
    return float(np.median(samples))


def spread(samples: list[float]) -> list[float] | None:
    """The 25 and 75 % quantiles, interpolated; None for a single sample."""
    return None if len(samples) < 2 else np.quantile(samples, (0.25, 0.75)).tolist()


def keep_programs(folder: str) -> None:
    """What is compiled in this process is kept in the folder, and read from there instead of compiled again."""
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextmanager
def compiling_once() -> Iterator[None]:
    """Cases that need the same program compile it once in this process; a cache that is set already is left alone."""
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        keep_programs(folder)
        try:
            yield
        finally:
            jax.config.update("jax_compilation_cache_dir", None)


def apart(function: Callable[..., Result], *args: Any) -> Result:
    """`function(*args)` in a fresh process, which decides for itself on devices and caches; all must pickle."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()
