"""One of two processes with two CPU devices each, for tests: `python -m tests.several TASK PORT ID FOLDER`."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.distributed import hosts, parallel
from jaxnas.types import Stage, UserError
from jaxnas.workdir import open_stage

ITEMS = 5


def together(folder: Path) -> None:
    """All that two processes exchange."""
    own = hosts.process()
    assert (hosts.processes(), len(jax.devices()), parallel.lanes("shard")) == (2, 4, 4)
    with pytest.raises(UserError, match="strategy shard or mesh"):
        parallel.resolve("map")
    assert parallel.resolve("auto") == "shard"

    def work(item, offset):
        word = jax.random.bits(item["key"])
        return {**item, "a": item["a"] * 2 + offset, "word": word, "by": jnp.int32(own), "odd": item["odd"]}

    run = parallel.over(work, "shard")
    for count, by in [(1, [0]), (3, [0, 0, 1]), (4, [0, 0, 1, 1]), (5, [0, 0, 0, 1, 1]), (6, [0, 0, 0, 1, 1, 1])]:
        a = np.arange(count * 2.0, dtype=np.float32).reshape(count, 2)
        odd = np.resize(np.array([-0.0, np.nan, np.inf], np.float32), count)
        keys = jax.random.split(jax.random.key(3), count)
        found = run({"a": a, "odd": odd, "key": keys, "flag": a[:, 0] > 2}, jnp.ones(2))
        np.testing.assert_array_equal(found["a"], a * 2 + 1)
        np.testing.assert_array_equal(found["by"], by)  # each computes its own share, and has that of the other
        np.testing.assert_array_equal(found["flag"], a[:, 0] > 2)
        np.testing.assert_array_equal(found["word"], [int(jax.random.bits(key)) for key in keys])
        np.testing.assert_array_equal(jax.random.key_data(found["key"]), jax.random.key_data(keys))
        assert np.asarray(found["odd"]).tobytes() == odd.tobytes()

    assert hosts.on_process_zero(lambda: {"long": [own] * 5000}) == {"long": [0] * 5000}
    kind, told = [(OSError, "^the disk is full"), (UserError, "^process 0 stopped: the disk is full")][own]
    with pytest.raises(kind, match=told):
        hosts.on_process_zero(fail)
    hosts.check_same([1, {"a": 2.5}], "config")
    if own == 0:
        hosts.check_same([own], "config")
    else:
        with pytest.raises(UserError, match="process 1 has another config than process 0"):
            hosts.check_same([own], "config")
    assert hosts.on_each_process(lambda: own + 2) == [2, 3]
    told = ["^the disk is full", "^process 0 stopped: the disk is full"][1 - own]
    with pytest.raises((OSError, UserError), match=told.replace("0", "1")):
        hosts.on_each_process(fail if own else int)
    checkpoints(own, folder)


def fail() -> None:
    raise OSError("the disk is full")


def states(seed: int) -> dict[str, Any]:
    """Leaves [K, ...] of several types, large enough that orbax keeps one in files of its own; typed keys."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(ITEMS, 40, 30)).astype(np.float32)
    weights[:, 0, :2] = np.nan, -0.0
    masks = rng.integers(0, 2, (ITEMS, 3)).astype(bool)
    return {"weights": weights, "mask": masks, "key": jax.random.split(jax.random.key(seed), ITEMS)}


def raw(tree: Any) -> list[tuple[str, bytes]]:
    return [(str(words.dtype), words.tobytes()) for words in map(hosts.key_data, jax.tree.leaves(tree))]


def checkpoints(own: int, folder: Path) -> None:
    """Both processes go on from what one process kept in `folder / "one"`, and keep more there and elsewhere."""

    def opened(name: str, start: Any) -> tuple[Stage, int, Any]:
        held = stages.enter_context(open_stage(folder / name, "leaves", lambda rows: "", lambda *shown: None))
        return held, *held.resume(start)

    start = parallel.keep_local(states(0))
    assert raw(start.own["mask"]) == raw(states(0)["mask"][[[0, 1, 2], [3, 4, 0]][own]])
    assert raw(parallel.gather_all(start)) == raw(states(0))
    for name in ("one", f"apart{own}"):  # the second: a directory that the other process does not see
        with ExitStack() as stages:
            stage, done, state = opened(name, start)
            assert (done, raw(parallel.gather_all(state))) == (
                (1, raw(states(1))) if name == "one" else (0, raw(states(0)))
            )
            stage.advance(2, 3, parallel.keep_local(states(2)), [{"epoch": 2}])
            stage.advance(3, 3, parallel.keep_local(states(3)), [{"epoch": 3}])
            _, done, state = opened(name, start)
            assert (done, raw(parallel.gather_all(state))) == (3, raw(states(3)))
    with ExitStack() as stages:  # what all have alike is kept by the first one
        stage, done, state = opened("alike", {"x": np.arange(3, dtype=np.int32) + 10 * own})
        stage.advance(1, 1, {"x": np.arange(5, 8, dtype=np.int32) + 10 * own}, [])
        _, done, state = opened("alike", {"x": np.zeros(3, np.int32)})
        assert (done, state["x"].tolist()) == (1, [5, 6, 7])


def wait(folder: Path) -> None:
    """Works on without a word to the other one."""
    hosts.on_process_zero(lambda: None)
    print("waiting", flush=True)
    time.sleep(120)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    task, port, number, folder = sys.argv[1:]
    hosts.join(hosts.Hosts(f"127.0.0.1:{port}", 2, int(number)))
    {"together": together, "wait": wait}[task](Path(folder))
    sys.exit(hosts.leave(0))
