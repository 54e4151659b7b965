"""The only module that knows how K sub-supernets, or K of anything, share devices.

Functions are written for one sub-supernet; `over` runs them on a leading axis. Of several processes (`hosts`) each runs
its share.

Example:
    >>> import jax.numpy as jnp
    >>> from jaxnas import parallel
    >>> step = parallel.over(lambda leaf, rate: {"w": leaf["w"] - rate}, "map")  # written for one leaf
    >>> step({"w": jnp.array([1.0, 2.0, 3.0])}, 0.5)["w"].tolist()  # K = 3
    [0.5, 1.5, 2.5]
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxnas.distributed import hosts, local_rows
from jaxnas.distributed.local_rows import LocalRows
from jaxnas.types import Array, UserError

Strategy = Literal["loop", "map", "vmap", "shard", "mesh"]
STRATEGIES: tuple[Strategy, ...] = ("loop", "map", "vmap", "shard", "mesh")
SPREAD: tuple[Strategy, ...] = ("shard", "mesh")  # over devices
AXIS, DATA = "subnet", "data"


def make_mesh(devices: int | None = None) -> Mesh:
    """A mesh of one axis, `subnet`, over the first `devices` devices of this process (default: all)."""
    return _mesh(jax.local_devices()[: devices or jax.local_device_count()])


def _mesh(devices: Sequence[jax.Device], data: int = 1) -> Mesh:
    """Of one axis, or of `data` devices for each item: its row of the mesh."""
    shape, axes = ((len(devices),), (AXIS,)) if data == 1 else ((len(devices) // data, data), (AXIS, DATA))
    return jax.make_mesh(shape, axes, axis_types=(AxisType.Auto,) * len(axes), devices=devices)


def resolve(strategy: str) -> Strategy:
    """The strategy that `auto` stands for here: over several devices shard on CPU and mesh elsewhere; on one, loop on
    CPU and vmap elsewhere.

    On CPU the batched operations of `vmap` are slower than one sub-supernet after the other; `loop` does the same work
    as `map` and compiles once for every K. The parts of a batch wait for each other at every norm, which on CPU has to
    be asked for. Raises UserError for an unknown name, and for any but shard and mesh where there are several
    processes.
    """
    if hosts.processes() > 1 and strategy not in ("auto", *SPREAD):
        raise UserError(f"several processes share the work by the strategy shard or mesh (or auto), not {strategy!r}")
    if strategy == "auto":
        on_cpu = jax.default_backend() == "cpu"
        if len(jax.devices()) > 1:
            return "shard" if on_cpu else "mesh"
        return "loop" if on_cpu else "vmap"
    if strategy not in STRATEGIES:
        raise UserError(f"unknown strategy {strategy!r}; allowed: {['auto', *STRATEGIES]}")
    return strategy


def use_wide_vectors() -> None:
    """Whole vector registers where a CPU has wide ones, unless the environment says otherwise; call before any work.

    By default XLA uses half of those of AVX-512, which costs a twentieth of a training step.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_prefer_vector_width" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_prefer_vector_width=512".strip()


def use_every_core() -> None:
    """One CPU device for each core this process may use, unless the environment says otherwise; call before any work.

    Sub-supernets are then spread over the cores: small steps do not keep several cores busy, several of them do. Raises
    UserError where an imported module has made arrays already.
    """
    use_wide_vectors()
    chosen = "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not chosen:
        try:
            jax.config.update("jax_num_cpu_devices", cores())
        except RuntimeError as error:
            raise UserError(
                "an imported module makes jax arrays when it is imported, before the devices of a command are chosen; "
                "it must make them in its functions"
            ) from error


def use_quick_compile(quick: bool) -> None:
    """Where `quick`, what is compiled from now on has few optimisations: slower steps, right for runs of seconds."""
    if quick:
        jax.config.update("jax_disable_most_optimizations", True)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes that all devices of all processes hold: what they say themselves, or else the memory of the machine."""
    own = sum((device.memory_stats() or {}).get("bytes_limit", 0) for device in jax.local_devices())
    return int(own or host_memory()) * hosts.processes()


def host_memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def over(
    fn: Callable[..., Any],
    strategy: str = "auto",
    mesh: Mesh | None = None,
    batch: Callable[..., int] | None = None,
    paths: bool = False,
) -> Callable[..., Any]:
    """`fn(item, *shared)` for one item -> a function of `stacked`, whose leaves have a leading axis K, and `shared`.

    All strategies compute the same numbers to rounding:
    loop: one compiled call after the other; a host function, the others are jitted whole;
    map: one program, lax.map; vmap: one vectorised program;
    shard: the items spread over `mesh` (default: all devices; the first K where there are more), each device running
    map (CPU) or vmap. K that the devices do not divide is padded with repeated items, which are dropped again. No
    collective is needed;
    mesh: as shard, but where there are at least twice as many devices as items each item gets a row of them, and the
    batches that `fn` marks by `spread_examples` are divided among the row, the largest number of them that divides
    `batch(*shared)`, the examples of a batch. Means over a batch, and so norms and gradients, are those of all of it;
    they are collectives within the row. Without `batch`, nothing is divided.

    Items that take `paths` of their own run by map wherever vmap was not asked for: vectorised they save no kernel and
    hold the memory of all (counted, docs/scaling.md).

    Of several processes each runs as many items over its own devices, and all get all results, on the host; or, of
    items that are `apart`, each its own.
    """
    chosen = resolve(strategy)
    if paths and strategy == "auto" and chosen == "vmap":
        chosen = "map"
    if chosen == "loop":
        return _loop(jax.jit(fn))
    if chosen == "map":
        return jax.jit(partial(_map, fn))
    if chosen == "vmap":
        return jax.jit(partial(_vmap, fn))
    inner = _map if paths or jax.default_backend() == "cpu" else _vmap
    run = _shard(partial(inner, fn), partial(_map, fn), mesh or make_mesh(), batch if chosen == "mesh" else None)
    return run if hosts.processes() == 1 else _share(run)


def lanes(strategy: str) -> int:
    """How many items `over` has under way at once: as many as fill no device with repeated ones."""
    return len(jax.devices()) if resolve(strategy) in SPREAD else 1


def spread_examples(batch: Array) -> Array:
    """`batch` [B, ...] itself, its examples divided among the devices of a row where `over` runs the strategy mesh."""
    return jax.lax.with_sharding_constraint(batch, PartitionSpec(DATA)) if examples_are_spread() else batch


def examples_are_spread() -> bool:
    """Whether what is traced now may have the examples of a batch on several devices."""
    return DATA in jax.sharding.get_abstract_mesh().axis_names


def keep_local(stacked: Any) -> Any:
    """The same for `over`, whose results then stay with the process that computes them, as `Rows`."""
    if hosts.processes() == 1 or isinstance(stacked, LocalRows):
        return stacked
    return local_rows.own_rows(stacked, count(stacked))


def gather_all(stacked: Any) -> Any:
    """What is `apart` together again, on every process; anything else as it is. Raises PeerLost."""
    return local_rows.gather_all(stacked) if isinstance(stacked, LocalRows) else stacked


@jax.jit  # one program for the tree: leaf by leaf, each shape would be a compilation of its own
def item(stacked: Any, k: Any) -> Any:
    """The k-th of K."""
    return jax.tree.map(lambda leaf: leaf[k], stacked)


@partial(jax.jit, static_argnums=1)
def copies(one: Any, k: int) -> Any:
    """K times the same, stacked."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (k, *leaf.shape)), one)


def count(stacked: Any) -> int:
    """K of a stacked pytree. Raises ValueError if its leaves disagree."""
    if isinstance(stacked, LocalRows):
        return stacked.items
    sizes = {leaf.shape[0] for leaf in jax.tree.leaves(stacked)}
    if len(sizes) != 1:
        raise ValueError(f"leaves of a stacked pytree must share their first axis, but have {sorted(sizes)}")
    return sizes.pop()


def _map(fn: Callable[..., Any], stacked: Any, *shared: Any) -> Any:
    return jax.lax.map(lambda item: fn(item, *shared), stacked)


def _vmap(fn: Callable[..., Any], stacked: Any, *shared: Any) -> Any:
    return jax.vmap(lambda item: fn(item, *shared))(stacked)


def _loop(compiled: Callable[..., Any]) -> Callable[..., Any]:
    def run(stacked: Any, *shared: Any) -> Any:
        results = [compiled(item(stacked, k), *shared) for k in range(count(stacked))]
        return _join(results)

    return run


@jax.jit
def _join(items: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *items)


def _shard(
    many: Callable[..., Any], one: Callable[..., Any], mesh: Mesh, batch: Callable[..., int] | None
) -> Callable[..., Any]:
    """many: what a device runs on its items; one: what a row of several devices runs on its single item."""
    split, whole = PartitionSpec(AXIS), PartitionSpec()

    @lru_cache
    def over_devices(rows: int, data: int) -> tuple[Callable[..., Any], Mesh]:
        part = mesh if rows == mesh.size else _mesh(list(mesh.devices.flat[: rows * data]), data)
        of_row = many if data == 1 else one

        @jax.jit
        def spread(stacked: Any, *shared: Any) -> Any:
            # The axis of the examples is left to the compiler, which knows where a sum needs all of them.
            # check_vma is off: it would ask fn to annotate which of its constants vary over the axis.
            specs = (split, *[whole] * len(shared))
            body = jax.shard_map(of_row, mesh=part, in_specs=specs, out_specs=split, axis_names={AXIS}, check_vma=False)
            return body(stacked, *shared)

        return spread, part

    def program(stacked: Any, *shared: Any) -> tuple[Callable[..., Any], Mesh]:
        rows = min(count(stacked), mesh.size)  # devices beyond K would only repeat what others do
        examples = 1 if batch is None else batch(*shared)
        return over_devices(rows, max(d for d in range(1, mesh.size // rows + 1) if examples % d == 0))

    def run(stacked: Any, *shared: Any) -> Any:
        items = count(stacked)
        spread, part = program(stacked, *shared)
        rows = np.arange(-(-items // part.shape[AXIS]) * part.shape[AXIS]) % items
        if len(rows) > items:
            stacked = jax.tree.map(lambda leaf: leaf[rows], _gathered(stacked, part))
        # What another number of items left on other devices is moved to these.
        stacked = jax.device_put(stacked, NamedSharding(part, split))
        shared = jax.device_put(shared, NamedSharding(part, whole))
        result = spread(stacked, *shared)
        if len(rows) == items:
            return result
        return jax.tree.map(lambda leaf: leaf[:items], _gathered(result, part))

    run.lower = lambda *given: program(*given)[0].lower(*given)  # type: ignore[attr-defined]
    return run


def _share(run: Callable[..., Any]) -> Callable[..., Any]:
    def shared_out(stacked: Any, *shared: Any) -> Any:
        if isinstance(stacked, LocalRows):
            return LocalRows(run(stacked.own, *shared), stacked.items)
        return gather_all(LocalRows(run(keep_local(stacked).own, *shared), count(stacked)))

    return shared_out


def _gathered(stacked: Any, mesh: Mesh) -> Any:
    """All of it on one device, to be cut: to cut what is spread would be a collective for each leaf, and on CPU many of
    them at once lock up."""
    return jax.device_put(jax.block_until_ready(stacked), mesh.devices.flat[0])
