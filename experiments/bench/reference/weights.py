"""The library's tree of weights into a peer, and the peer's weights and gradients out as the same tree."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments.bench.reference.supernet import PeerSupernet

Place = tuple[nn.Parameter, tuple[str, ...], tuple[int, ...]]  # parameter, keys of its leaf, index in the leaf


def load_weights(model: PeerSupernet, params: dict[str, Any]) -> None:
    """Copies a tree of arrays into the model: cells {"<op>_kernel": [N, E, k, k, C, C]}, the rest by module."""
    with torch.no_grad():
        for parameter, keys, index in _places(model):
            leaf: Any = params
            for key in keys:
                leaf = leaf[key]
            values = torch.tensor(np.asarray(leaf)[index])
            parameter.copy_(values.permute(_TO_TORCH[values.ndim]))


def weights_of(model: PeerSupernet) -> dict[str, Any]:
    """The weights as a tree of numpy arrays, as `load_weights` takes them."""
    return _tree(model, lambda parameter: parameter.detach())


def gradients_of(model: PeerSupernet) -> dict[str, Any]:
    """The gradients of the last backward pass as a tree of numpy arrays; zeros for weights that took no part."""
    return _tree(model, lambda parameter: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)


_TO_TORCH = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}  # kernels [k, k, C, D] -> [D, C, k, k], matrices [C, D] -> [D, C]
_FROM_TORCH = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}


def _tree(model: PeerSupernet, value: Callable[[nn.Parameter], Tensor]) -> dict[str, Any]:
    parts: dict[tuple[str, ...], dict[tuple[int, ...], np.ndarray]] = defaultdict(dict)
    for parameter, keys, index in _places(model):
        values = value(parameter)
        parts[keys][index] = values.permute(_FROM_TORCH[values.ndim]).cpu().numpy()
    tree: dict[str, Any] = {}
    for keys, leaf in parts.items():
        leading = tuple(last + 1 for last in max(leaf))  # [N, E] of cells, nothing elsewhere
        stacked = np.stack([leaf[index] for index in sorted(leaf)])
        node = tree
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = stacked.reshape(*leading, *stacked.shape[1:])
    return tree


def _places(model: Any) -> Iterator[Place]:
    """Where every parameter of a PeerSupernet lies in the tree."""
    yield from _conv_norm(model.stem, "stem")
    for number, reduction in enumerate(model.reductions, start=1):
        module = f"reduction{number}"
        yield from _conv_norm(reduction.first[1:], module, "first")
        yield from _conv_norm(reduction.second[1:], module, "second")
        yield reduction.shortcut[1].weight, (module, "shortcut"), ()
    for number, stage in enumerate(model.stages, start=1):
        for n, cell in enumerate(stage):
            for e, edge in enumerate(cell.edges):
                for op, operation in zip(model.ops, edge.operations, strict=True):
                    for kernel in operation.parameters():
                        yield kernel, (f"stage{number}", f"{op}_kernel"), (n, e)
    yield from _norm(model.head[0], "head")
    yield model.classifier.weight, ("classifier", "kernel"), ()
    yield model.classifier.bias, ("classifier", "bias"), ()


def _conv_norm(block: Any, *keys: str) -> Iterator[Place]:
    yield block[0].weight, (*keys, "kernel"), ()
    yield from _norm(block[1], *keys, "norm")


def _norm(module: Any, *keys: str) -> Iterator[Place]:
    yield module.weight, (*keys, "scale"), ()
    yield module.bias, (*keys, "bias"), ()
