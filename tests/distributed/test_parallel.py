"""One training step of K sub-supernets by every strategy; no collectives, no retracing."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.data import Images
from jaxnas.distributed import parallel
from jaxnas.search import sample_connected
from jaxnas.spaces import TOY
from jaxnas.training import build_optimizer, build_step, new_states
from jaxnas.types import UserError

MASKS = np.array([[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]], [[1, 1, 1], [0, 1, 0]], [[1, 1, 1], [1, 0, 1]]], bool)
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


@pytest.fixture(scope="module")
def context(toy, batch):
    """A step that counts its traces, the state of 4 sub-supernets, and a batch."""
    traces = []
    config = OptimizerConfig()

    def sample(key, mask):
        traces.append(1)
        return sample_connected(key, TOY, mask)

    step = build_step(toy, lambda key, images: images, config, sample)
    keys = jax.random.split(jax.random.key(1), len(MASKS))
    states = new_states(keys, MASKS, toy.init(jax.random.key(0)), build_optimizer(config), 10)
    return step, states, Images(*batch), traces


@pytest.fixture(scope="module")
def looped(context):
    step, states, images, _ = context
    return parallel.over(step, "loop")(states, images)


def data_of(tree):
    """Arrays of a tree, typed keys as their words."""
    return [
        jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in jax.tree.leaves(tree)
    ]


@pytest.mark.parametrize("strategy", ["map", "vmap", "shard"])
def test_strategies_agree(context, looped, strategy: str) -> None:
    step, states, images, _ = context
    result = parallel.over(step, strategy)(states, images)
    for a, b in zip(data_of(result), data_of(looped), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_leaves_differ_and_stay_inside_their_masks(context, looped) -> None:
    _, states, _, _ = context
    kernels, before = (s.params["stage1"]["nor_conv_3x3_kernel"] for s in (looped[0], states))
    moved = np.abs(kernels - before).max((1, 3, 4, 5, 6)) > 0  # [K, E]
    convolution_open = MASKS[:, :, 2]
    assert not moved[~convolution_open].any() and moved[convolution_open].any()
    assert len({float(loss) for loss in looped[1].loss}) == len(MASKS)


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_any_number_of_items_is_padded_to_the_devices(count: int) -> None:
    run = parallel.over(lambda item, offset: item["a"] * 2 + offset, "shard")
    result = run({"a": jnp.arange(count * 2.0).reshape(count, 2)}, jnp.ones(2))
    np.testing.assert_array_equal(result, np.arange(count * 2.0).reshape(count, 2) * 2 + 1)


def test_the_sharded_step_uses_every_device_and_no_collective(context) -> None:
    step, states, images, _ = context
    run = parallel.over(step, "shard")
    result, _ = run(states, images)
    assert len(result.params["stem"]["kernel"].sharding.device_set) == len(jax.devices()) == 4
    text = run.lower(states, images).compile().as_text()
    assert not [name for name in COLLECTIVES if name in text]


def test_new_masks_weights_and_keys_do_not_retrace(context) -> None:
    step, states, images, traces = context
    run = parallel.over(step, "map")
    run(states, images)
    before = len(traces)
    other = states.replace(mask=states.mask[::-1], key=states.key[::-1], step=states.step + 1)
    run(other, images)
    assert len(traces) == before


def test_auto_shards_over_several_devices_and_unknown_names_are_refused() -> None:
    assert parallel.resolve("auto") == "shard"
    with pytest.raises(UserError, match=r"'pmap'.*'auto', 'loop', 'map', 'vmap', 'shard', 'mesh'"):
        parallel.resolve("pmap")


def test_count_refuses_leaves_that_disagree() -> None:
    assert parallel.count({"a": jnp.ones((5, 3)), "b": jax.random.split(jax.random.key(0), 5)}) == 5
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        parallel.count((jnp.ones(2), jnp.ones(3)))


def test_many_leaves_are_padded_and_cut_again_and_again_without_a_lock_up() -> None:
    """Each cut of a spread array is a collective; many of them at once once stopped the process for good."""
    stacked = {f"leaf {i}": jnp.full((5, 3, 4), float(i)) for i in range(120)}
    add_one = parallel.over(lambda item: jax.tree.map(lambda leaf: leaf + 1, item), "shard", parallel.make_mesh(4))
    for _ in range(4):
        stacked = add_one(stacked)
    assert {leaf.shape for leaf in jax.tree.leaves(stacked)} == {(5, 3, 4)}
    for name, leaf in stacked.items():
        np.testing.assert_array_equal(leaf, float(name.split()[1]) + 4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "--xla_cpu_prefer_vector_width=512"),
        ("--a=1", "--a=1 --xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_prefer_vector_width=256", "--xla_cpu_prefer_vector_width=256"),
    ],
)
def test_wide_vectors_are_asked_for_unless_the_environment_says_otherwise(monkeypatch, before, after) -> None:
    monkeypatch.setenv("XLA_FLAGS", before or "")
    parallel.use_wide_vectors()
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.parametrize("paths", [False, True])
def test_an_accelerator_vectorises_all_but_paths(monkeypatch, paths: bool) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    run = parallel.over(lambda x: x + 1, "shard", parallel.make_mesh(2), paths=paths)
    assert ("while" in run.lower(jnp.ones((4, 3))).as_text()) == paths  # lax.map is a loop
