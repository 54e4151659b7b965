"""One of two processes with two CPU devices each, for tests: `python -m tests.several TASK PORT ID`."""

import sys
import time
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas import hosts, parallel
from jaxnas.types import Stage, UserError


def together() -> None:
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

    assert hosts.first(lambda: {"long": [own] * 5000}) == {"long": [0] * 5000}
    kind, told = [(OSError, "^the disk is full"), (UserError, "^process 0 stopped: the disk is full")][own]
    with pytest.raises(kind, match=told):
        hosts.first(fail)
    hosts.check_same([1, {"a": 2.5}], "config")
    if own == 0:
        hosts.check_same([own], "config")
    else:
        with pytest.raises(UserError, match="process 1 has another config than process 0"):
            hosts.check_same([own], "config")
    stages(own)


def fail() -> None:
    raise OSError("the disk is full")


def stages(own: int) -> None:
    """Process 1 goes on from what process 0 kept, and keeps nothing itself."""
    kept: list = []

    @contextmanager
    def opened(name: str):
        assert own == 0
        kept.append(name)
        yield Stage(lambda start: (7, jax.tree.map(lambda leaf: leaf[::-1], start)), lambda *unit: kept.append(unit))
        kept.append("closed")

    start = {"key": jax.random.split(jax.random.key(own), 2), "x": np.arange(3) + 10 * own}
    with hosts.stages_of_all(opened)("leaves") as at:
        done, state = at.resume(start)
        at.advance(8, 9, state, [{"epoch": 8}])
    assert done == 7
    np.testing.assert_array_equal(state["x"], [2, 1, 0])
    words = jax.random.key_data(jax.random.split(jax.random.key(0), 2))[::-1]
    np.testing.assert_array_equal(jax.random.key_data(state["key"]), words)
    if own:
        assert not kept
    else:
        name, (done, total, last, rows), closed = kept
        assert (name, done, total, rows, closed) == ("leaves", 8, 9, [{"epoch": 8}], "closed")
        np.testing.assert_array_equal(last["key"], words)


def wait() -> None:
    """Works on without a word to the other one."""
    hosts.first(lambda: None)
    print("waiting", flush=True)
    time.sleep(120)


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    task, port, number = sys.argv[1:]
    hosts.join(hosts.Hosts(f"127.0.0.1:{port}", 2, int(number)))
    {"together": together, "wait": wait}[task]()
    sys.exit(hosts.leave(0))
