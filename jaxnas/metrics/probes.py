"""From a metric to what it says of the operations of an edge: the loops over batches and operations."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.metrics.base import Metric, Probe, Signature, measure_together, refusal, settle
from jaxnas.metrics.pooling import Values, gathered, pooled
from jaxnas.search.sampling import even, sample_until
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Choice, Key, Params, UserError

Background = Callable[
    [Key, Array, Array], Choice
]  # (key, mask [E, O], edge []) -> choice; the row of `edge` is replaced


class Readings(NamedTuple):
    """What R batches say of the operations of one edge."""

    values: Values  # scores [R, O], similarities [R, O, O], or a tuple of those of the parts of a weighted sum
    connected: Array  # bool [R, O]: open, and connected over the background of the batch
    backgrounds: Choice  # of each batch, int [R, E] or float [R, E, O]; the row of the probed edge is 0


def path_background(space: SearchSpace) -> Background:
    """A random path of the mask, uniform among those on which the operations of the edge can be compared; path form.

    It reaches the edge's source, leads from its target to the output, and connects the cell without the edge, so that
    `none` there is compared with the others; where the mask has no such path, it does the first two. On an edge where
    no path of the mask does (no operation of it is `comparable`), any path is drawn.
    """
    none = space.ops.index("none")

    def draw(key: Key, mask: Array, edge: Array) -> Choice:
        # Decided before anything is drawn, so that the loop ends; whether `none` is open on the edge does not count.
        possible = space.comparable(mask.at[edge].set(True))[edge]

        def accept(op_ids: Array) -> Array:
            without = op_ids.at[edge].set(none)
            lies_between = space.joins(without != none)[edge]
            return ~possible.any() | (lies_between & (space.connected(without) | ~possible[none]))

        return sample_until(key, mask, accept)

    return draw


def uniform_background(space: SearchSpace) -> Background:
    """Every open operation of the other edges with equal weight; mixed form."""
    del space

    def draw(key: Key, mask: Array, edge: Array) -> Choice:
        del key, edge
        return even(mask)

    return draw


BackgroundFactory = Callable[[SearchSpace], Background]
BACKGROUNDS: dict[str, BackgroundFactory] = {"path": path_background, "uniform": uniform_background}


def edge_readings(
    metric: Metric, space: SearchSpace, background: str | BackgroundFactory = "path"
) -> Callable[..., Readings]:
    """`readings(key, params, mask, edge, images, labels) -> Readings` of one edge, jit it.

    images float [R, B, H, W, C], labels int [R, B]. For each of the R batches one background is drawn for the other
    edges and shared by the probes of all operations, so that they differ in nothing else. What is not `comparable`
    (`SearchSpace.comparable`: closed, or connected over no background) is not measured, nor is what its batch leaves
    disconnected, nor an operation with none to be compared with; values are 0 there. Edge, mask and weights are data:
    one compilation serves all edges, nodes and seeds. The key is consumed. `background` is a name of BACKGROUNDS, or a
    factory as they are. Raises UserError for an unknown name.
    """
    if isinstance(background, str) and background not in BACKGROUNDS:
        raise UserError(f"unknown background {background!r}; allowed: {sorted(BACKGROUNDS)}")
    draw = (BACKGROUNDS[background] if isinstance(background, str) else background)(space)
    operations = jnp.arange(len(space.ops))

    def readings(key: Key, params: Params, mask: Array, edge: Array, images: Array, labels: Array) -> Readings:
        chex.assert_rank([images, labels], [5, 2])
        chex.assert_shape(mask, space.shape)
        mask = jnp.asarray(mask)
        compared = space.comparable(mask)[edge]

        def of_batch(batch: tuple[Key, Array, Array]) -> Readings:
            batch_key, batch_images, batch_labels = batch
            draw_key, measure_key = jax.random.split(batch_key)
            others = draw(draw_key, mask, edge)

            def probe(op: Array) -> Probe:
                choice = _put(others, edge, op, len(space.ops))
                return Probe(measure_key, params, choice, mask, edge, batch_images, batch_labels)

            blank = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: metric.measure(probe(edge)))
            )

            def measure(op: Array) -> tuple[Signature, Array]:
                connected = _connected(space, probe(op).choice) & mask[edge, op]
                needed = connected & compared[op] & (compared.sum() > 1)
                return lax.cond(needed, lambda: metric.measure(probe(op)), lambda: blank), connected

            signatures, connected = lax.map(measure, operations)
            return Readings(gathered(metric, signatures, compared), connected, others.at[edge].set(0))

        keys = jax.random.split(key, labels.shape[0])
        return lax.map(of_batch, (keys, images, labels))

    return readings


def edge_similarity(
    metric: Metric, space: SearchSpace, background: str | BackgroundFactory = "path"
) -> Callable[..., tuple[Array, Array]]:
    """How alike a metric finds the operations of one edge over R batches; a function is returned, jit it.

    On each batch every operation is measured alone on the edge; what runs on the other edges is drawn once, so that the
    probes differ in nothing else (`edge_readings`). Batches are pooled, each counting alike but those that do not count
    (`counted`).

    Args:
        metric: what is measured of a probe, and how two measurements compare: an entry of METRICS, called with network
            and space, or one's own.
        space: that of the network; E edges, O operations.
        background: what runs on the other edges: a name of BACKGROUNDS, or a factory as they are.

    Returns:
        `similarity(key, params, mask, edge, images, labels)`, which gives similarities float [O, O], larger = more
        alike, and compared bool [O]; rows of operations that are not compared mean nothing. The key is consumed. mask
        bool [E, O], edge int [], images float [R, B, H, W, C], normalised, labels int [R, B]: all are data, and one
        compilation serves all edges, masks and weights.

    Raises:
        UserError: for an unknown name of a background.

    Example:
        >>> import jax
        >>> import numpy as np
        >>> from jaxnas import METRICS, build_network, edge_similarity
        >>> from jaxnas.spaces import TOY
        >>> network = build_network(TOY, channels=4, cells=1, classes=10, image_shape=(8, 8, 3))
        >>> similarity = jax.jit(edge_similarity(METRICS["nonlinear"](network, TOY), TOY))
        >>> params = jax.jit(network.init)(jax.random.key(0))
        >>> images, labels = np.zeros((2, 4, 8, 8, 3), np.float32), np.zeros((2, 4), int)  # R = 2 batches
        >>> values, compared = similarity(jax.random.key(1), params, TOY.full_mask(), 0, images, labels)
        >>> values.shape, compared.tolist()  # `none` always disconnects a chain, so it is not compared
        ((3, 3), [False, True, True])
    """
    readings = edge_readings(metric, space, background)

    def similarity(key: Key, params: Params, mask: Array, edge: Array, *batches: Array) -> tuple[Array, Array]:
        found = readings(key, params, mask, edge, *batches)
        compared = space.comparable(jnp.asarray(mask))[edge]
        counts = counted(found.connected, compared).astype(jnp.float32)
        return pooled(metric, found.values, counts / jnp.maximum(counts.sum(), 1), compared), compared

    return similarity


def counted(connected: Array, compared: Array) -> Array:
    """Batches that count on an edge: those that connect all operations compared there.

    connected bool [..., R, O], compared bool [..., O] -> bool [..., R]. Backgrounds of ours always do; one of a user's
    own that leaves such an operation disconnected would compare nothing with something.
    """
    return (connected | ~compared[..., None, :]).all(-1)


def architecture_score(metric: Metric, space: SearchSpace) -> Callable[..., Array]:
    """`score(key, params, choice, images, labels) -> []` of an architecture, op_ids [E] or op_weights [E, O]; jit it.

    images float [B, H, W, C], labels int [B]. The declared value where the architecture is disconnected. The key is
    consumed. Raises UserError for a metric that is not one number.
    """
    scores = architecture_scores({"": metric}, space)
    return lambda *probe: scores(*probe)[""]


def architecture_scores(metrics: dict[str, Metric], space: SearchSpace) -> Callable[..., dict[str, Array]]:
    """As `architecture_score`, of several metrics by name; gradients, Jacobians and passes they share run once."""
    for metric in metrics.values():
        _check_scalar(metric)

    def scores(key: Key, params: Params, choice: Choice, images: Array, labels: Array) -> dict[str, Array]:
        probe = Probe(key, params, choice, jnp.asarray(space.full_mask()), jnp.int32(-1), images, labels)
        measured = zip(metrics.items(), measure_together([*metrics.values()], probe), strict=True)
        connected = _connected(space, choice)
        return {name: settle(metric, value, connected) for (name, metric), value in measured}

    return scores


def _check_scalar(metric: Metric) -> None:
    if metric.larger_is_better is None:
        raise UserError("this metric compares operations and orders nothing: it has no score of an architecture")


def _put(choice: Choice, edge: Array, op: Array, operations: int) -> Choice:
    """The choice with one operation, of weight 1, on `edge`."""
    if jnp.issubdtype(choice.dtype, jnp.integer):
        return choice.at[edge].set(op)
    return choice.at[edge].set(jax.nn.one_hot(op, operations, dtype=choice.dtype))


def _connected(space: SearchSpace, choice: Choice) -> Array:
    if jnp.issubdtype(choice.dtype, jnp.integer):
        return jnp.asarray(space.connected(choice))
    return jnp.asarray(space.viable(choice != 0))


def check_readings(space: SearchSpace, name: str, metric: Metric, values: Values, measured: np.ndarray) -> None:
    """Raises UserError naming metric, edge and operation if what was measured of a connected probe is not finite.

    values: of `Readings`, with a leading axis [E, ...]; measured bool [E, R, O]. The message ends with the metric's own
    reason, if it has one.
    """
    for part in jax.tree.leaves(values):
        finite = np.isfinite(part) if part.ndim == 3 else np.isfinite(part).all(-1)
        bad = ~finite & measured
        if bad.any():
            edge, batch, op = (int(i) for i in np.argwhere(bad)[0])
            raise UserError(
                f"metric {name} is not finite for operation {space.ops[op]} on edge {space.edge_name(edge)} "
                f"(batch {batch}; {int(bad.sum())} of {int(measured.sum())} connected probes){refusal(metric)}"
            )
