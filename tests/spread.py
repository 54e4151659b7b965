"""What is spread over devices, on a network of one cell that compiles for many: `python -m tests.spread DEVICES`.

Each case is compared with the same on one device, one item after the other.
"""

import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import DataConfig, OptimizerConfig
from jaxnas.data import Colours, Images, build_pipeline
from jaxnas.distributed import parallel
from jaxnas.metrics import METRICS, edge_readings
from jaxnas.nets import Network
from jaxnas.nets.cells import cell
from jaxnas.nets.layers import average_pool_2x2, norm, relu, strided_conv
from jaxnas.search import sample_connected
from jaxnas.spaces import TOY
from jaxnas.training import build_evaluate, build_optimizer, build_step, new_states
from tests import conftest  # noqa: F401  the settings of the suite, in a process of its own too

BATCH, BATCHES = 12, 2
MESHES = {2: (3, 1), 4: (2, 2), 8: (3, 2)}  # devices -> K, and devices of an item where batches are divided
RNG = np.random.default_rng(0)
CELLS = TOY.enumerate()


class Case(NamedTuple):
    """`run(item, *shared)`, the items of any number K, and what one device finds, one after the other."""

    run: Callable[..., Any]
    items: Callable[[int], Any]  # K -> leaves [K, ...]
    shared: tuple[Any, ...]
    batch: Callable[..., int] | None  # (*shared) -> examples
    alone: Callable[..., Any]


def one_cell() -> Network:
    """The cell of the toy space on the image itself, a reduction and a classifier."""

    def init(key):
        keys = jax.random.split(key, 3)
        shapes = {"cell": (1, len(TOY.edges), 3, 3, 3, 3), "reduction": (3, 3, 3, 3), "classifier": (3, 10)}
        pairs = zip(shapes.items(), keys, strict=True)
        return {name: {"kernel": jax.random.normal(key, shape) / 3} for (name, shape), key in pairs}

    def forward(params, images, choice, norm_mode="batch", stats=None):
        convolution = {"nor_conv_3x3": {"kernel": params["cell"]["kernel"][0]}}
        nodes, used = cell(TOY, images.swapaxes(0, 1), convolution, choice, norm_mode, stats)
        y, _ = norm(strided_conv(relu(nodes[-1]), params["reduction"]["kernel"]), "batch", None)
        y = y + average_pool_2x2(nodes[-1])
        return relu(y).mean((0, 2)) @ params["classifier"]["kernel"], used

    def live(params, choice):
        ran = (choice == TOY.ops.index("nor_conv_3x3")).reshape(1, -1, 1, 1, 1, 1)
        others = {"reduction": {"kernel": jnp.ones((1,) * 4, bool)}, "classifier": {"kernel": jnp.ones((1, 1), bool)}}
        return {"cell": {"kernel": ran}, **others}

    return Network(init, forward, forward, dict, live, live)


NETWORK = one_cell()


def cases() -> dict[str, Case]:
    """A step of training, probes of edges, and accuracies of all architectures."""
    config = OptimizerConfig()
    pipeline = build_pipeline(DataConfig(crop=0), Colours((0.5, 0.4, 0.6), (0.2, 0.3, 0.1)))
    step = build_step(NETWORK, pipeline.augment, config, lambda key, mask: sample_connected(key, TOY, mask))
    pixels = RNG.integers(0, 256, (BATCHES, BATCH, 8, 8, 3)).astype(np.uint8)
    batches = Images(jnp.asarray(pixels), jnp.asarray(RNG.integers(0, 10, (BATCHES, BATCH)), jnp.int32))
    images = jax.tree.map(lambda leaf: leaf[0], batches)
    readings = edge_readings(METRICS["loss"](NETWORK, TOY), TOY)

    def keys(k):
        return jax.random.split(jax.random.key(1), k)

    def states(k):
        one = NETWORK.init(jax.random.key(0))
        open_ops = np.array([[[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]], [[1, 1, 1], [1, 0, 1]]], bool)
        return new_states(keys(k), np.resize(open_ops, (k, 2, 3)), one, build_optimizer(config), 10)

    def of_edge(item, params, images, labels):
        key, edge = item
        return readings(key, params, TOY.full_mask(), edge, images, labels)

    normalised = pipeline.normalise(batches.images.reshape(-1, 8, 8, 3)).reshape(batches.images.shape)
    weights = NETWORK.init(jax.random.key(2))

    def probes(k):
        return keys(k), jnp.arange(k) % len(TOY.edges)

    def searched(k):
        return jax.vmap(NETWORK.init)(keys(k)), jnp.tile(CELLS, (k, 1, 1))

    def case(run, items, *shared, batch=None):
        return Case(run, items, shared, batch, parallel.over(run, "loop"))

    return {
        "step": case(step, states, images, batch=lambda images: len(images.labels)),
        "probes": case(of_edge, probes, weights, normalised, batches.labels),
        "evaluation": case(build_evaluate(NETWORK, pipeline), searched, batches, batch=lambda b: b.labels.shape[1]),
    }


def numbers(tree: Any) -> list[np.ndarray]:
    """Arrays of a tree on the host, typed keys as their words."""
    words = jax.tree.map(lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x, tree)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(words)]


def check(case: Case, devices: int) -> None:
    """So many devices find what one does, and talk within a row of the mesh only, or not at all."""
    k, row = MESHES[devices] if case.batch else (MESHES[devices][0], 1)
    items = case.items(k)
    run = parallel.over(case.run, "mesh", parallel.make_mesh(devices), case.batch)
    for a, b in zip(numbers(run(items, *case.shared)), numbers(case.alone(items, *case.shared)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    even = case.items(k + k % min(k, devices))  # nothing to be filled up
    groups = talks(run.lower(even, *case.shared).compile().as_text())
    assert {tuple(sorted(group)) for group in groups} == (
        {(i, i + 1) for i in range(0, k * row, 2)} if row == 2 else set()
    )


def talks(program: str) -> list[list[int]]:
    """The groups of devices, by their place in the mesh, of every collective of a compiled program."""
    found = []
    for line in program.splitlines():
        if not re.search(r"\s(all-reduce|all-gather|all-to-all|reduce-scatter|collective-\w+)(-start)?\(", line):
            continue
        pairs = re.search(r"(replica_groups|source_target_pairs)={({.*?})}", line)  # {{0,1},{2,3}}
        counted = re.search(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?[, ]", line)  # [2,2]<=[4]
        axes = re.search(r"replica_groups=mesh\['([\w'=,]+)\] {'([\w',]+)'}[, ]", line)  # mesh['a'=2,'b'=2] {'b'}
        if pairs:
            found += [[int(i) for i in group.split(",")] for group in re.findall(r"{([\d,]+)}", pairs[2])]
        elif counted:
            shape, of, order = ([int(i) for i in part.split(",")] if part else None for part in counted.groups())
            found += np.arange(np.prod(of)).reshape(of).transpose(order).reshape(shape).tolist()
        else:
            assert axes, line
            names, sizes = zip(*re.findall(r"(\w+)'=(\d+)", axes[1]), strict=True)
            inside = [names.index(name) for name in axes[2].split("','")]
            places = np.arange(np.prod([int(size) for size in sizes])).reshape([int(size) for size in sizes])
            last = np.moveaxis(places, inside, range(-len(inside), 0))
            found += last.reshape(-1, np.prod(last.shape[-len(inside) :])).tolist()
    return found


if __name__ == "__main__":
    devices = int(sys.argv[1])
    jax.config.update("jax_num_cpu_devices", devices)
    for case in cases().values():
        check(case, devices)
