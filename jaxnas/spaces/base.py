"""A cell search space: the one owner of operation order, edge order and the architecture string."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from functools import lru_cache

import numpy as np

from jaxnas.spaces.operations import NONE, known_operations
from jaxnas.types import Array, Mask, UserError, truncated_repr


@dataclass(frozen=True)
class Architecture:
    """One architecture: the operation id of every edge, in the space's order. Independent of weights."""

    op_ids: tuple[int, ...]  # [E]


@dataclass(frozen=True)
class SearchSpace:
    """A cell of `nodes` nodes whose `edges` each choose one of `ops`; node 0 is the input, the last the output.

    `described` is True for a space of which only a description is read, such as a page's: it may have operations of a
    plugin that is not here.

    Raises:
        UserError: for operations that are unknown, named twice, or without `none`; for edges that are not distinct and
            ascending, or whose target is not above the source; for a node that no edge goes into.

    Example:
        >>> from jaxnas import SearchSpace
        >>> space = SearchSpace("chain", ("none", "skip_connect", "nor_conv_3x3"), ((1, 0), (2, 1)))
        >>> space.shape, space.size, len(space.enumerate_connected())
        ((2, 3), 9, 4)
        >>> space.decode("|nor_conv_3x3~0|+|skip_connect~1|").op_ids
        (2, 1)
    """

    name: str
    ops: tuple[str, ...]  # [O] THE operation order: columns of every mask and of op_weights
    edges: tuple[tuple[int, int], ...]  # [E] THE edge order: (target, source), rows of every mask
    described: InitVar[bool] = False

    def __post_init__(self, described: bool) -> None:
        _check_operations(self.name, self.ops, described)
        _check_edges(self.name, self.edges)

    @property
    def nodes(self) -> int:
        """Number of nodes of a cell, input and output included."""
        return 1 + max(target for target, _ in self.edges)

    @property
    def shape(self) -> tuple[int, int]:
        """(E, O)."""
        return len(self.edges), len(self.ops)

    @property
    def size(self) -> int:
        """Number of architectures, disconnected ones included."""
        return len(self.ops) ** len(self.edges)

    def full_mask(self) -> Mask:
        """The mask [E, O] with every operation open."""
        return np.ones(self.shape, bool)

    def edge_name(self, edge: int) -> str:
        """`target<-source`, as the benchmarks write it."""
        target, source = self.edges[edge]
        return f"{target}<-{source}"

    def encode(self, architecture: Architecture) -> str:
        """The benchmark's string, `|op~source|...|+|...|`: a block for each node, edges by source."""
        self._check_ids(architecture.op_ids)
        nodes = []
        for node in range(1, self.nodes):
            incoming = [e for e, (target, _) in enumerate(self.edges) if target == node]
            parts = [f"{self.ops[architecture.op_ids[e]]}~{self.edges[e][1]}" for e in incoming]
            nodes.append("|" + "|".join(parts) + "|")
        return "+".join(nodes)

    def decode(self, text: str) -> Architecture:
        """The architecture of a string of `encode`. Raises UserError for another operation, edge or form."""
        op_ids: dict[tuple[int, int], int] = {}
        for target, block in enumerate(text.split("+"), start=1):
            for part in block.strip("|").split("|"):
                op, _, source = part.partition("~")
                if op not in self.ops or not (source.isascii() and source.isdigit()):
                    raise UserError(
                        f"{truncated_repr(text)} is no architecture of {self.name}: {truncated_repr(part)} "
                        f"is not OP~SOURCE with OP of {list(self.ops)}"
                    )
                op_ids[target, int(source)] = self.ops.index(op)
        if set(op_ids) != set(self.edges):
            given = [f"{t}<-{s}" for t, s in op_ids]
            wanted = [self.edge_name(e) for e in range(len(self.edges))]
            raise UserError(
                f"{truncated_repr(text)} is no architecture of {self.name}: "
                f"it has edges {truncated_repr(given)}, the space {wanted}"
            )
        architecture = Architecture(tuple(op_ids[edge] for edge in self.edges))
        if self.encode(architecture) != text:
            raise UserError(
                f"{truncated_repr(text)} is no architecture of {self.name}: written {self.encode(architecture)!r} there"
            )
        return architecture

    def connected(self, op_ids: Array) -> Array:
        """Whether the input reaches the output. op_ids int [..., E] -> bool [...]; numpy or traced arrays."""
        none = self.ops.index(NONE)
        live = op_ids != none
        return self._reach([live[..., e] for e in range(len(self.edges))])

    def viable(self, mask: Array) -> Array:
        """Whether a mask holds a connected architecture. bool [..., E, O] -> bool [...]."""
        none = self.ops.index(NONE)
        others = [o for o in range(len(self.ops)) if o != none]
        return self._reach([mask[..., e, others].any(-1) for e in range(len(self.edges))])

    def joins(self, live: Array) -> Array:
        """Whether each edge lies between the input and the output: its source is reached, and its target leads on.

        live bool [..., E], edges that pass features on -> bool [..., E], whatever `live` says of the edge itself;
        numpy or traced arrays.
        """
        reached, leads = self._ends([live[..., e] for e in range(len(self.edges))])
        both = [reached[source] & leads[target] for target, source in self.edges]
        return live.__array_namespace__().stack(both, -1)

    def comparable(self, mask: Array) -> Array:
        """Operations that some choice on the other edges connects, so that they can be compared there.

        Mask bool [E, O] -> bool [E, O]; numpy or traced arrays. An operation counts where the mask has a background in
        which its edge lies between input and output and in which the cell is connected, `none` on the edge included.
        """
        none = self.ops.index(NONE)
        live = mask[:, [o for o in range(len(self.ops)) if o != none]].any(-1)
        # More edges that pass features on never disconnect anything, so the most of them decides what can be.
        without = live[None, :] & ~np.eye(len(self.edges), dtype=bool)
        bypassed = self._reach([without[:, e] for e in range(len(self.edges))])
        passes = np.arange(len(self.ops)) != none
        return mask & self.joins(live)[:, None] & (passes[None, :] | bypassed[:, None])

    def _reach(self, live: Sequence[Array]) -> Array:
        return self._ends(live)[0][-1]

    def _ends(self, live: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Of every node, whether the input reaches it, and whether it leads to the output."""
        no = live[0] & False
        reached = [~no, *[no] * (self.nodes - 1)]
        leads = [*[no] * (self.nodes - 1), ~no]
        # Edges come sorted by target, and sources precede targets, so one pass in each direction settles every node.
        for (target, source), open_edge in zip(self.edges, live, strict=True):
            reached[target] = reached[target] | (reached[source] & open_edge)
        for (target, source), open_edge in reversed([*zip(self.edges, live, strict=True)]):
            leads[source] = leads[source] | (leads[target] & open_edge)
        return reached, leads

    def check_mask(self, mask: Mask) -> Mask:
        """The mask itself, bool [E, O]. Raises UserError for a wrong shape, or a row with no open operation."""
        mask = np.asarray(mask)
        if mask.shape != self.shape:
            raise UserError(f"a mask of {self.name} has shape {self.shape} (edges, operations), not {mask.shape}")
        mask = mask.astype(bool)
        empty = [self.edge_name(int(e)) for e in np.flatnonzero(~mask.any(1))]
        if empty:
            raise UserError(f"every edge needs an open operation; the mask has none on {empty}")
        return mask

    def enumerate(self, mask: Mask | None = None) -> np.ndarray:
        """All op_ids of a mask (default: the space), int32 [A, E], the last edge fastest. Read-only."""
        mask = self.full_mask() if mask is None else self.check_mask(mask)
        return _enumerate(tuple(tuple(np.flatnonzero(row).tolist()) for row in mask))

    def enumerate_connected(self, mask: Mask | None = None) -> np.ndarray:
        """Those of `enumerate` whose output depends on the input, int32 [A, E]; none where the mask allows none."""
        inside = self.enumerate(mask)
        return inside[np.asarray(self.connected(inside))]

    def draw_connected(self, rng: np.random.Generator, count: int, mask: Mask | None = None) -> np.ndarray:
        """So many different connected architectures, or all of a mask that has fewer; int32 [A, E]."""
        inside = self.enumerate_connected(mask)
        return inside[rng.choice(len(inside), min(count, len(inside)), replace=False)]

    def _check_ids(self, op_ids: tuple[int, ...]) -> None:
        edges, ops = self.shape
        if len(op_ids) != edges or not all(0 <= o < ops for o in op_ids):
            raise UserError(f"an architecture of {self.name} is {edges} operation ids below {ops}, not {op_ids}")


def _check_operations(name: str, ops: object, described: bool) -> None:
    """Raises UserError for operations that cannot be those of a space."""
    if not isinstance(ops, tuple) or not ops or not all(isinstance(op, str) for op in ops):
        raise UserError(f"operations of {name} must be a tuple of names, not {truncated_repr(ops)}")
    known = known_operations()
    unknown = [] if described else [op for op in ops if op not in known]
    if unknown:
        raise UserError(f"{name} has unknown operations {truncated_repr(unknown)}; allowed: {known}")
    if NONE not in ops or len(set(ops)) < len(ops):
        raise UserError(f"operations of {name} must be distinct, {NONE!r} one of them, not {truncated_repr(list(ops))}")


def _check_edges(name: str, edges: object) -> None:
    """Raises UserError for edges that cannot be those of a space."""
    pairs = isinstance(edges, tuple) and all(
        isinstance(edge, tuple) and len(edge) == 2 and all(type(end) is int and end >= 0 for end in edge)
        for edge in edges
    )
    if not isinstance(edges, tuple) or not pairs or not edges:
        raise UserError(f"edges of {name} must be a tuple of (target, source), from 0 on, not {truncated_repr(edges)}")
    if any(target <= source for target, source in edges) or list(edges) != sorted(set(edges)):
        raise UserError(f"edges of {name} must be distinct (target, source), ascending, target above source")
    targets = {target for target, _ in edges}
    # The largest node may be any number: no list of all nodes is made.
    if max(targets) != len(targets):
        lacking = next(node for node in range(1, max(targets)) if node not in targets)
        raise UserError(f"node {lacking} of {name} is reached by no edge; nodes are 0, the input, to {max(targets)}")


def mask_size(mask: Mask) -> int:
    """Number of architectures inside a mask [E, O], disconnected ones included."""
    return math.prod(int(n) for n in mask.sum(1))


@lru_cache(maxsize=64)
def _enumerate(rows: tuple[tuple[int, ...], ...]) -> np.ndarray:
    table = np.array(list(itertools.product(*rows)), np.int32)
    table.flags.writeable = False
    return table
