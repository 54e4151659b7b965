"""Axis letters and array aliases used by every module.

K leaves (sub-supernets), E edges, O operations, N cells of a stage, B examples, R repeats (batches),
A architectures, S steps, H W C height, width and channels of an image.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import jax

    Key: TypeAlias = jax.Array  # typed key, shape [] unless stated
else:
    Key = Any  # pages and tables are made without jax

Array = Any  # jax or numpy array; shape and dtype are in the comment or docstring where it is used
Params = Any  # pytree of float arrays
Stats = Any  # pytree of (mean, variance) pairs, one per normalisation layer
Choice = Array  # what runs: op_weights, float [E, O] (mixed form), or op_ids, int [E] (path form)
Mask = np.ndarray  # bool [E, O]; True = the operation is open on that edge


class Stage(NamedTuple):
    """How a long computation goes on from where it was stopped, tells how far it is, and keeps what it has done.

    Training uses `resume` and `advance`: the newest state is kept. Everything else uses `once` and `tell`: each unit is
    kept, and a resumed run goes through all of them again without computing.
    """

    resume: Callable[[Any], tuple[int, Any]]
    """state at the start -> (epochs done, state): what was kept by an earlier run, or 0 and the start itself"""
    advance: Callable[[int, int, Any, list[dict[str, Any]]], None]
    """(done, total, state, rows of metrics) after every epoch"""
    once: Callable[[Sequence[str | int], Callable[[], Any]], Any]
    """(unit, compute) -> what `compute` gives for the unit of this stage, kept: see `jaxnas.workdir.journal`"""
    tell: Callable[[int, int, list[dict[str, Any]]], None]
    """(done, total, rows of metrics) after every unit: a node, a generation, a leaf"""


Stages = Callable[[str], AbstractContextManager[Stage]]
"""name -> the stage, whose block is computed once and then on record as done"""
QUIET = Stage(  # tells nothing and keeps nothing
    resume=lambda start: (0, start),
    advance=lambda done, total, state, rows: None,
    once=lambda unit, compute: compute(),
    tell=lambda done, total, rows: None,
)


class UserError(ValueError):
    """Bad input, told in one sentence: what was given and what is allowed.

    Example:
        >>> from jaxnas import NAS_BENCH_201, SPACES, UserError
        >>> try:
        ...     SPACES["toy"].check_mask(NAS_BENCH_201.full_mask())
        ... except UserError as error:
        ...     print(error)
        a mask of toy has shape (2, 3) (edges, operations), not (6, 5)
    """


def truncated_repr(value: object, most: int = 120) -> str:
    """The repr of something foreign for an error message, cut in the middle when it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"


def shown(text: str) -> str:
    """Foreign text that terminals, files and pages can show: what is not printable, and the backslash, is escaped.

    Different texts stay different. Not printable are line breaks, marks that turn the direction of writing, and bytes
    of a file name that are no UTF-8, among others.
    """
    return "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in text)


def listed(values: Iterable[object], most: int = 5) -> str:
    """The first of some foreign values for a sentence, and how many more there are."""
    texts = [shown(str(value)) for value in values]
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")
