"""Items and the examples of their batches over a mesh of devices: the numbers of one device, and who talks to whom."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxnas.distributed import parallel
from jaxnas.nets.layers import batch_norm
from tests.spread import cases, check, talks


@pytest.fixture(scope="module")
def spread():
    return cases()


@pytest.mark.parametrize("devices", [2, 4])
@pytest.mark.parametrize("name", ["step", "probes", "evaluation"])
def test_any_number_of_devices_and_items_finds_what_one_device_does(spread, name: str, devices: int) -> None:
    check(spread[name], devices)


def test_so_do_eight_devices() -> None:
    command = [sys.executable, "-m", "tests.spread", "8"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_statistics_of_a_divided_batch_are_those_of_all_of_it() -> None:
    """[K, B] = [2, 4] examples of one pixel on 2 x 2 devices, against numpy."""
    batches = np.array([[1, 2, 3, 10], [0, 0, 8, 8]], np.float32)
    run = parallel.over(lambda batch: batch_norm(parallel.spread_examples(batch[:, None])), "mesh", batch=lambda: 4)
    y, mean, variance = run(batches)
    assert len(y.sharding.device_set) == 4
    np.testing.assert_allclose(mean[:, 0], [4, 4], rtol=1e-6)
    np.testing.assert_allclose(variance[:, 0], [12.5, 16], rtol=1e-6)
    np.testing.assert_allclose(y.reshape(2, 4), (batches - 4) / np.sqrt([[12.5], [16]]), rtol=1e-5)
    halves = batches.reshape(2, 2, 2)
    assert not np.isclose(halves.mean(2), mean).any() and not np.isclose(halves.var(2), variance).any()
    assert {tuple(sorted(group)) for group in talks(run.lower(batches).compile().as_text())} == {(0, 1), (2, 3)}


@pytest.mark.parametrize("items, examples, used", [(1, 8, 4), (1, 6, 3), (1, 5, 1), (2, 6, 4), (2, 5, 2), (3, 8, 3)])
def test_as_many_devices_divide_a_batch_as_leave_no_remainder(items: int, examples: int, used: int) -> None:
    run = parallel.over(lambda item: parallel.spread_examples(item), "mesh", batch=lambda: examples)
    result = run(np.ones((items, examples)))
    assert len(result.sharding.device_set) == used and result.shape == (items, examples)


def test_only_the_strategy_mesh_divides_and_only_what_is_marked() -> None:
    def double(item):
        assert not parallel.examples_are_spread()
        return 2 * parallel.spread_examples(item)

    for run in (parallel.over(double, "shard", batch=lambda: 4), parallel.over(double, "mesh")):
        result = run(jnp.ones((2, 4)))
        assert len(result.sharding.device_set) == 2
        np.testing.assert_array_equal(result, 2 * np.ones((2, 4)))
    np.testing.assert_array_equal(parallel.spread_examples(jnp.arange(3)), np.arange(3))


@pytest.mark.parametrize("axis, groups", [("data", [[0, 1], [2, 3]]), ("subnet", [[0, 2], [1, 3]])])
def test_who_talks_is_read_from_a_program(axis: str, groups: list[list[int]]) -> None:
    mesh = jax.make_mesh((2, 2), ("subnet", "data"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    left = P(*(name if name != axis else None for name in ("subnet", "data")))
    summed = jax.shard_map(
        partial(jax.lax.psum, axis_name=axis), mesh=mesh, in_specs=P("subnet", "data"), out_specs=left
    )
    assert talks(jax.jit(summed).lower(jnp.ones((2, 2))).compile().as_text()) == groups
    assert talks("  %a = f32[] all-reduce(%b), replica_groups=[2,2]<=[2,2]T(1,0), to_apply=%add") == [[0, 2], [1, 3]]
    named = "  %a = f32[] all-reduce(%b), replica_groups=mesh['a'=2,'b'=2,'c'=1] {'a','c'}, to_apply=%add"
    assert talks(named) == [[0, 2], [1, 3]]
    assert talks("  %a = f32[4] collective-permute(%b), source_target_pairs={{0,1},{3,2}}") == [[0, 1], [3, 2]]
