"""`Network`: the pure functions that metrics, search and training see of a model; the only door to flax."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxnas.nets.cells import is_path
from jaxnas.nets.initial import draw_weights
from jaxnas.nets.layers import NormMode
from jaxnas.nets.supernet import LAID_OUT, Supernet, check_image_size, check_partial
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.counts import STAGES
from jaxnas.spaces.operations import CONVOLUTIONS
from jaxnas.types import Array, Choice, Key, Params, Stats, UserError


class Watched(NamedTuple):
    """What passes through a network, [H, B, W, C] and axes before."""

    logits: Array  # [B, classes]
    stats: Stats
    nodes: tuple[Array, ...]
    """by stage, [N, nodes, H, B, W, C]: features of the nodes of its cells; the last node is a cell's output, the
    others are what the rectifiers of the edges that leave them see, the first C / partial channels of it"""
    reductions: tuple[tuple[Array, Array, Array], ...]
    """by reduction: what its first and its second rectifier see, and its output"""
    head: Array
    """what the last rectifier sees: the output of the last cell, normalised"""


class Network(NamedTuple):
    """A model as pure functions. `choice` is op_weights float [E, O] (mixed form) or op_ids int [E] (path form).

    `build_network` makes one.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from jaxnas import SPACES, build_network
        >>> network = build_network(SPACES["toy"], channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
        >>> params = jax.jit(network.init)(jax.random.key(0))
        >>> logits, stats = jax.jit(network.forward)(params, jnp.zeros((2, 8, 8, 3)), jnp.array([1, 2]))  # a path
        >>> logits.shape
        (2, 10)
    """

    init: Callable[[Key], Params]
    """(key) -> weights; the key is consumed."""
    forward: Callable[..., tuple[Array, Stats]]
    """(params, images [B, H, W, C], choice, norm="batch" | "given" | "none", stats=None) -> logits [B, classes], the
    statistics the norms used; biased variance. "none" also divides features by a constant after every stage and
    reduction, and its statistics hold the sum of the logarithms, "log_scale" []."""
    watch: Callable[..., Watched]
    """(params, images, choice, norm, stats) -> logits, and what passes through the network; as `forward` else."""
    init_stats: Callable[[], Stats]
    """() -> statistics of mean 0 and variance 1."""
    live: Callable[[Params, Choice], Params]
    """(params, choice) -> congruent tree of bool, broadcastable: weights that take part (operations of weight != 0)."""
    shared: Callable[[Params, Array], Params]
    """(params, edge int []) -> congruent tree of bool, broadcastable: weights shared by all operations of `edge`:
    everything but that edge in every cell, the stem, the last norm and the classifier. `edge` may be traced."""
    partial: int = 1
    """operations of the cells see the first 1/partial of the channels; the others pass by them"""


def build_network(
    space: SearchSpace,
    *,
    channels: int,
    cells: int,
    classes: int,
    image_shape: tuple[int, int, int],
    affine: bool = False,
    laid_out: int = LAID_OUT,
    partial: int = 1,
) -> Network:
    """The supernet of a space, as pure functions: every architecture on shared weights.

    In the cells of a `partial` supernet the first 1/partial of the channels go through the operations of an edge. The
    others pass by, weighed by the sum of the edge's op_weights, in the path form by 1, even where the operation is
    `none`. Both are joined, and channels of different groups interleaved.

    Args:
        space: what is chosen from: E edges, O operations.
        channels: of the first stage; each reduction doubles them.
        cells: of each of the three stages.
        classes: number of logits.
        image_shape: (H, W, C); two reductions halve H and W.
        affine: whether the norms of the cells have a scale and a bias: True for networks trained alone.
        laid_out: most cells of a stage that are compiled cell by cell in path form: a tenth faster, where compiling so
            many costs less than that saves.
        partial: operations of the cells see the first 1/partial of the channels.

    Returns:
        The `Network`. It holds no weights: its `init` draws them.

    Raises:
        UserError: for an image size that the reductions cannot halve, and channels that are no multiple of `partial`.

    Source:
        The macro skeleton of NAS-Bench-201 (Dong & Yang, ICLR 2020, and the released search code); `partial` is that of
        PC-DARTS (Xu et al., ICLR 2020).

    Example:
        >>> import jax
        >>> from jaxnas import NAS_BENCH_201, build_network
        >>> network = build_network(NAS_BENCH_201, channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
        >>> shapes = jax.eval_shape(network.init, jax.random.key(0))  # nothing is drawn
        >>> sum(leaf.size for leaf in jax.tree.leaves(shapes))  # weights of the supernet
        25054
    """
    check_image_size(image_shape[:2])
    check_partial(channels, partial)
    module = Supernet(space, channels, cells, classes, affine, laid_out, partial)
    path = jnp.zeros(len(space.edges), jnp.int32)
    blank = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)

    shapes = jax.eval_shape(lambda x: module.init(jax.random.key(0), x, path)["params"], blank)

    def init(key: Key) -> Params:
        return draw_weights(key, shapes)

    def forward(
        params: Params, images: Array, choice: Choice, norm: NormMode = "batch", stats: Stats | None = None
    ) -> tuple[Array, Stats]:
        chex.assert_rank(images, 4)
        check_choice(space, choice)
        return module.apply({"params": params}, images, choice, norm, stats)

    def watch(
        params: Params, images: Array, choice: Choice, norm: NormMode = "batch", stats: Stats | None = None
    ) -> Watched:
        check_choice(space, choice)
        (logits, used), variables = module.apply({"params": params}, images, choice, norm, stats, mutable=["watched"])
        seen = variables["watched"]
        nodes = tuple(seen[f"stage{stage + 1}"]["nodes"][0] for stage in range(STAGES))
        reductions = tuple(seen[f"reduction{stage}"]["features"][0] for stage in range(1, STAGES))
        return Watched(logits, used, nodes, reductions, seen["last"][0])

    def init_stats() -> Stats:
        def unit(path: Any, leaf: Any) -> Array:
            is_variance = path[-1].idx == 1
            return jnp.full(leaf.shape, float(is_variance), leaf.dtype)

        used = jax.eval_shape(lambda params, x: forward(params, x, path)[1], shapes, blank)
        return jax.tree_util.tree_map_with_path(unit, used)

    def live(params: Params, choice: Choice) -> Params:
        ids = jnp.arange(len(space.ops))
        open_ops = (choice[:, None] == ids[None, :]) if is_path(choice) else (choice != 0)  # [E, O]

        def of_operation(op: str, leaf: Array) -> Array:
            return open_ops[:, space.ops.index(op)].reshape(1, -1, *(1,) * (leaf.ndim - 2))

        return _by_operation(params, of_operation, lambda name: True)

    def shared(params: Params, edge: Array) -> Params:
        def of_operation(op: str, leaf: Array) -> Array:
            return (jnp.arange(len(space.edges)) != edge).reshape(1, -1, *(1,) * (leaf.ndim - 2))

        return _by_operation(params, of_operation, lambda name: name not in ("stem", "head", "classifier"))

    return Network(init, forward, watch, init_stats, live, shared, partial)


def check_choice(space: SearchSpace, choice: Choice) -> None:
    """Raises UserError unless `choice` has the shape of one of the two forms."""
    wanted = (len(space.edges),) if is_path(choice) else space.shape
    if choice.shape != wanted:
        raise UserError(
            f"what runs in {space.name} is op_weights, float {space.shape}, or op_ids, int ({len(space.edges)},); "
            f"not {choice.dtype} {choice.shape}"
        )


def _by_operation(
    params: Params, of_operation: Callable[[str, Array], Array], of_module: Callable[[str], bool]
) -> Params:
    """A tree of bool arrays of the rank of `params`: by operation for weights [N, E, ...] of cells, by module else."""

    def entry(path: Any, leaf: Array) -> Array:
        module, name = path[0].key, path[-1].key
        if module.startswith("stage"):
            return of_operation(next(op for op in CONVOLUTIONS if name.startswith(op)), leaf)
        return jnp.full((1,) * leaf.ndim, of_module(module))

    return jax.tree_util.tree_map_with_path(entry, params)
