"""The only module that knows that a run may have several processes, each with devices of its own.

Every process runs the same program on the same numbers, computes its share of the items (`parallel.over`), and gets
what the others found. The first one alone works on files, but for checkpoints of states that lie with the others, too:
`on_process_zero` gives the others its answers, or its errors. With one process all of this is the function itself.
"""

import ctypes
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.types import UserError, truncated_repr

MEET = 300  # seconds that the processes have to start
SILENT = 30  # seconds without a sign of life after which a process counts as dead
LEAVING = 10  # seconds that a process which ends waits for the others to end
ENDED = 4  # exit code of a process that stops because another one ended
ADVICE = "another process of the run ended, this one stops; start the same command again on every host, or with fewer"


class PeerLost(RuntimeError):
    """Another process ended while this one needed it."""


@dataclass(frozen=True)
class Hosts:
    """The processes of a run; all three of these, or none for a run of one process."""

    coordinator: str | None = None
    """HOST:PORT of process 0, reachable from every host"""
    num_processes: int | None = None
    """how many processes run this same command, one on each host"""
    process_id: int | None = None
    """which of them this is, from 0 on; the others use --workdir only where it is that of process 0"""


ALONE = Hosts()


def join(hosts: Hosts) -> None:
    """Meets the other processes, if there are any; call before any work. Raises UserError."""
    if hosts == ALONE:
        return
    address, number, own = hosts.coordinator, hosts.num_processes, hosts.process_id
    if address is None or number is None or own is None:
        raise UserError("--coordinator, --num-processes and --process-id belong together: give all three or none")
    name, _, port = address.rpartition(":")
    if not name or not (port.isdecimal() and 0 < int(port) < 65536):
        raise UserError(f"--coordinator must be HOST:PORT with a port of 1 to 65535, not {address!r}")
    if not (number >= 2 and 0 <= own < number):
        raise UserError(f"--num-processes must be 2 or more and --process-id below it, not {number} and {own}")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM as a notice and go on
    apart = f"the {number} processes did not meet at {address} within {MEET} s"
    _on_abort(lambda: _stop(2, apart))
    try:
        jax.distributed.initialize(
            address,
            number,
            own,
            initialization_timeout=MEET,
            heartbeat_timeout_seconds=SILENT,
            shutdown_timeout_seconds=LEAVING,
        )
    except RuntimeError as error:
        raise UserError(f"{apart} ({truncated_repr(str(error))})") from error
    _on_abort(lambda: _stop(ENDED, ADVICE))


def leave(code: int) -> int:
    """Parts from the other processes at the end of a command, which has told all, and gives back its exit code."""
    if not _HANDLERS:  # it met none
        return code
    sys.stdout.flush()
    if code:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the runtime has much to say of processes that are gone
    _on_abort(lambda: os._exit(code))  # its farewell is an abort where the others are gone, or do not come in time
    try:
        jax.distributed.shutdown()
    except RuntimeError:
        os._exit(code)
    return code


def processes() -> int:
    """How many there are; asks no backend where there is one."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def process() -> int:
    """Which of them this is."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def gather(stacked: Any) -> Any:
    """Arrays [k, ...] and typed keys of every process, one after the other [processes k, ...], the same on all.

    One collective, of bytes: exact, and compiled once for each size. Raises PeerLost.
    """
    flat, unpack = _packed(stacked)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), unpack(_exchange("process_allgather", flat)))


def on_process_zero(do: Callable[..., Any], *arguments: Any) -> Any:
    """`do(*arguments)` by the first process; its value, plain JSON, on every one. Raises PeerLost.

    What it raises there is a UserError elsewhere.
    """
    return on_each_process(do, *arguments)[0] if process() == 0 else on_each_process(lambda: None)[0]


def on_each_process(do: Callable[..., Any], *arguments: Any) -> list[Any]:
    """`do(*arguments)` by every process; their values, plain JSON, in order, on every one. Raises PeerLost.

    What one of them raises is a UserError in the others.
    """
    if processes() == 1:
        return [do(*arguments)]
    failure = None
    try:
        own = json.dumps({"value": do(*arguments)}).encode()
    except Exception as error:
        failure, own = error, json.dumps({"error": str(error)}).encode()
    sizes = gather(np.array([len(own)]))
    padded = np.zeros((1, 1 << max(12, int(sizes.max() - 1).bit_length())), np.uint8)  # few sizes, few programs
    padded[0, : len(own)] = np.frombuffer(own, np.uint8)
    answers = [json.loads(row[:size].tobytes()) for row, size in zip(gather(padded), sizes, strict=True)]
    if failure is not None:
        raise failure
    for number, answer in enumerate(answers):
        if "error" in answer:
            raise UserError(f"process {number} stopped: {answer['error']}")
    return [answer["value"] for answer in answers]


def share(folder: Path) -> bool:
    """Whether every process can write to what the first one makes in `folder`: they share a file system."""
    if processes() == 1:
        return True
    mark = on_process_zero(lambda: Path(tempfile.mkdtemp(prefix=".shared-", dir=folder)).name)
    found = on_each_process(os.access, folder / mark, os.W_OK)
    on_process_zero((folder / mark).rmdir)
    return all(found)


def check_same(value: Any, what: str) -> None:
    """Raises UserError in a process whose value, plain JSON, is not that of the first one."""
    own = json.dumps(value)
    if on_process_zero(lambda: own) != own:
        raise UserError(f"process {process()} has another {what} than process 0; start all alike")


@contextmanager
def entered_by_process_zero(context: AbstractContextManager[Any]) -> Iterator[None]:
    """A context that only the first process enters; its errors on entry and exit are those of all."""
    with ExitStack() as held:
        on_process_zero(lambda: held.enter_context(context) and None)
        yield
        on_process_zero(held.pop_all().close)


def from_process_zero(tree: Any) -> Any:
    """Arrays and typed keys of the first process, on every one; elsewhere `tree` has their shapes. Raises PeerLost."""
    if processes() == 1:
        return tree
    flat, unpack = _packed(tree)
    return jax.tree.map(lambda leaf: leaf[0], unpack(_exchange("broadcast_one_to_all", flat)[None]))


@contextmanager
def needing_all() -> Iterator[None]:
    """Raises PeerLost where the block waits for a process that has ended."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:  # at once where the system has closed a connection
        raise PeerLost(ADVICE) from error


def _exchange(how: str, flat: np.ndarray) -> np.ndarray:
    from jax.experimental import multihost_utils  # only where there are several processes

    with needing_all():
        return np.asarray(getattr(multihost_utils, how)(flat))


def _packed(tree: Any) -> tuple[np.ndarray, Callable[[np.ndarray], Any]]:
    """All bytes of a tree, [b], and the function that makes of such bytes [n, b] a tree of leaves [n, ...]."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = [np.asarray(key_data(leaf)) for leaf in leaves]
    ends = np.cumsum([array.nbytes for array in arrays])

    def unpack(flat: np.ndarray) -> Any:
        parts = np.split(flat, ends[:-1], axis=1)
        plain = [
            np.ascontiguousarray(part).view(array.dtype).reshape(len(flat), *array.shape)
            for part, array in zip(parts, arrays, strict=True)
        ]
        return jax.tree.unflatten(structure, [as_key(leaf, a) for leaf, a in zip(leaves, plain, strict=True)])

    return np.concatenate([np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in arrays]), unpack


def key_data(leaf: Any) -> np.ndarray:
    """An array on the host; of a typed key its data."""
    return np.asarray(bits(leaf))


def bits(leaf: Any) -> Any:
    """An array; of a typed key its data."""
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def as_key(leaf: Any, data: np.ndarray) -> Any:
    """`key_data` as what `leaf` is."""
    if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return data
    return jax.random.wrap_key_data(jnp.asarray(data), impl=jax.random.key_impl(leaf))


def _stop(code: int, error: str) -> None:
    os.write(2, f"error: {error}\n".encode())
    os._exit(code)


def _on_abort(act: Callable[[], None]) -> None:
    """What to do where the runtime would abort this process, as it does when it misses another one.

    It aborts in a thread of its own, whatever Python does meanwhile: handlers of Python's `signal` come too late.
    """
    _HANDLERS.append(ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: act()))
    ctypes.CDLL(None).signal(int(signal.SIGABRT), _HANDLERS[-1])


_HANDLERS: list[Any] = []  # must live as long as the process
