"""Rows of K items, of which every process holds its own, and how all of them lie in one checkpoint.

Of K items process p of n computes rows p m to p m + m - 1, m = K / n rounded up; repeats of the first ones fill up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxnas.distributed import hosts


@dataclass(frozen=True)
class LocalRows:
    """What this process holds of K items; of a tuple it unpacks into the rows of each part."""

    own: Any  # leaves [m, ...]
    items: int  # K

    def __iter__(self) -> Iterator["LocalRows"]:
        return (LocalRows(part, self.items) for part in self.own)


def own_rows(stacked: Any, items: int) -> LocalRows:
    """Of leaves [K, ...] those of this process, on the host."""
    each = -(-items // hosts.processes())
    rows = (hosts.process() * each + np.arange(each)) % items
    return LocalRows(jax.tree.map(lambda leaf: hosts.as_key(leaf, hosts.key_data(leaf)[rows]), stacked), items)


def gather_all(rows: LocalRows) -> Any:
    """Leaves [K, ...] on the host of every process. Raises PeerLost."""
    return jax.tree.map(lambda leaf: leaf[: rows.items], hosts.gather(rows.own))


def to_global(rows: LocalRows) -> Any:
    """One array of all processes for each leaf, [n m, ...], of which each has its part; of keys their data."""
    over = _over_processes()

    def join(leaf: Any) -> jax.Array:
        own = hosts.key_data(leaf)
        return jax.make_array_from_process_local_data(over, own, (hosts.processes() * len(own), *own.shape[1:]))

    return jax.tree.map(join, rows.own)


def shapes(rows: LocalRows) -> Any:
    """Shape, type and place of what `to_global` gives, [n m, ...]; no data."""
    over = _over_processes()

    def shape(leaf: Any) -> jax.ShapeDtypeStruct:
        own = hosts.bits(leaf)
        return jax.ShapeDtypeStruct((hosts.processes() * len(leaf), *own.shape[1:]), own.dtype, sharding=over)

    return jax.tree.map(shape, rows.own)


def from_global(like: LocalRows, arrays: Any) -> LocalRows:
    """The rows of this process of what `to_global` gave, as what `like` holds."""
    return LocalRows(jax.tree.map(lambda leaf, kept: hosts.as_key(leaf, _here(kept)), like.own, arrays), like.items)


def _here(array: jax.Array) -> np.ndarray:
    return np.asarray(array.addressable_shards[0].data)


def _over_processes() -> jax.sharding.NamedSharding:
    """Rows spread over the first device of each process."""
    first = {device.process_index: device for device in reversed(jax.devices())}
    types = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((len(first),), ("process",), types, devices=[first[n] for n in sorted(first)])
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("process"))
