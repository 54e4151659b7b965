"""Metrics by gradients of weights, with autograd on the PyTorch peer, straight from their definitions; needs PyTorch.

Everything is computed in the precision of the model, eigenvalues and determinants in float64. Images [B, C, H, W],
labels int [B] and op_weights float [E, O] (one-hot rows for a path) are arrays or tensors. The weights are those of
convolutions and of the classifier, no biases and no norms; a layer is one of these modules, live unless it belongs to
an operation of weight 0. Norms use the statistics of the batch unless a docstring says that they are given.
"""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments.bench.reference.supernet import PeerSupernet
from experiments.bench.reference.weights import load_weights


def build_peer(space: Any, params: dict[str, Any], *, channels: int, cells: int, classes: int) -> PeerSupernet:
    """The peer of a search network in float64, with weights from the library's tree."""
    model = PeerSupernet(space.ops, space.edges, channels=channels, cells=cells, classes=classes).double()
    load_weights(model, params)
    return model


def path_weights(space: Any, op_ids: Any) -> np.ndarray:
    """op_ids [E] as one-hot rows [E, O]."""
    return np.eye(len(space.ops))[np.asarray(op_ids)]


# What the metrics share: live modules, losses, gradients, given statistics.


def live_modules(model: Any, op_weights: Any, *kinds: type) -> list[Any]:
    """Modules of these kinds, without those of operations of weight 0."""
    closed = set()
    for cell in (cell for stage in model.stages for cell in stage):
        for edge, row in zip(cell.edges, np.asarray(op_weights), strict=True):
            for operation, weight in zip(edge.operations, row, strict=True):
                closed |= set(operation.modules()) if weight == 0 else set()
    return [module for module in model.modules() if isinstance(module, kinds) and module not in closed]


def live_weights(model: Any, op_weights: Any) -> list[Tensor]:
    """One tensor for each live layer: kernels [D, C, k, k], the classifier's matrix [D, C] last."""
    return [layer.weight for layer in live_modules(model, op_weights, nn.Conv2d, nn.Linear)]


def run(model: Any, images: Any, op_weights: Any) -> Tensor:
    """Logits [B, classes]."""
    return model(_tensor(model, images), _tensor(model, op_weights))


def loss(model: Any, images: Any, labels: Any, op_weights: Any, reduction: str = "mean") -> Tensor:
    """Cross-entropy, [] or for reduction "none" [B]."""
    return cross_entropy(run(model, images, op_weights), torch.tensor(np.asarray(labels)).long(), reduction=reduction)


def gradients(value: Tensor, weights: list[Tensor], **options: Any) -> tuple[Tensor, ...]:
    """Gradients of a scalar, zeros where it does not depend on a weight."""
    return torch.autograd.grad(value, weights, materialize_grads=True, **options)


def stacked_gradients(values: Any, weights: list[Tensor]) -> list[Tensor]:
    """Gradients [B, ...] of each of the B values, layer by layer."""
    rows = [gradients(value, weights, retain_graph=True) for value in values]
    return [torch.stack(layer) for layer in zip(*rows, strict=True)]


def inputs_of(modules: list[Any], model: Any, images: Any, op_weights: Any) -> list[Tensor]:
    """What goes into each of these modules."""
    seen: dict[Any, Tensor] = {}
    hooks = [m.register_forward_pre_hook(lambda module, inputs: seen.update({module: inputs[0]})) for m in modules]
    with torch.no_grad():
        run(model, images, op_weights)
    for hook in hooks:
        hook.remove()
    return [seen[module] for module in modules]


def with_given_statistics(model: Any, images: Any, op_weights: Any) -> Any:
    """A copy whose norms hold the mean and biased variance that these images have now."""
    model = copy.deepcopy(model)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm, x in zip(norms, inputs_of(norms, model, images, op_weights), strict=True):
        norm.running_mean, norm.running_var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    return model.eval()


def _tensor(model: Any, values: Any) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=model.classifier.weight.dtype)


# Two operations of an edge: gradient matching (Hu et al., ICLR 2022) and its relatives. Two choices that differ on
# the edge; the weights are those of the reductions and of every other edge of every cell, here with norms.


def shared_gradients(model: Any, images: Any, labels: Any, op_weights: Any, edge: int) -> list[Tensor]:
    """Gradients of the loss on all parameters that the operations of the edge share."""
    weights = list(model.reductions.parameters())
    for cell in (cell for stage in model.stages for cell in stage):
        weights += [weight for e, mixed in enumerate(cell.edges) if e != edge for weight in mixed.parameters()]
    return list(gradients(loss(model, images, labels, op_weights), weights))


def cosine(model: Any, images: Any, labels: Any, first: Any, second: Any, edge: int) -> float:
    """Cosine of the shared gradients of two choices, 0 if one of them is zero."""
    a, b = (_flat(shared_gradients(model, images, labels, choice, edge)) for choice in (first, second))
    return _cosines(a, b).item()


def filter_cosine(model: Any, images: Any, labels: Any, first: Any, second: Any, edge: int) -> float:
    """Mean over all filters of shared convolutions, live or not, of the cosine of the two gradients of a filter."""
    a, b = (shared_gradients(model, images, labels, choice, edge) for choice in (first, second))
    kernels = [(x.flatten(1), y.flatten(1)) for x, y in zip(a, b, strict=True) if x.ndim == 4]
    return torch.cat([_cosines(x, y) for x, y in kernels]).mean().item()


def negative_squared_distance(model: Any, images: Any, labels: Any, first: Any, second: Any, edge: int) -> float:
    """Minus the squared Euclidean distance of the shared gradients of two choices."""
    a, b = (_flat(shared_gradients(model, images, labels, choice, edge)) for choice in (first, second))
    return -(a - b).square().sum().item()


def _flat(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    norms = a.norm(dim=-1) * b.norm(dim=-1)
    return torch.where(norms > 0, (a * b).sum(-1) / norms, 0.0)


# One architecture, by its weights and their gradients.


def l2_norm(model: Any, op_weights: Any) -> float:
    """Sum over live layers of the norm of the weights (Abdelfattah et al., ICLR 2021)."""
    return sum(weight.norm().item() for weight in live_weights(model, op_weights))


def grad_norm(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Sum over layers of the norm of the gradient (Abdelfattah et al., ICLR 2021)."""
    found = gradients(loss(model, images, labels, op_weights), live_weights(model, op_weights))
    return sum(gradient.norm().item() for gradient in found)


def snip(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Sum of |weight * gradient| (Lee et al., ICLR 2019)."""
    weights = live_weights(model, op_weights)
    found = gradients(loss(model, images, labels, op_weights), weights)
    return sum((w * g).abs().sum().item() for w, g in zip(weights, found, strict=True))


def plain(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Sum of weight * gradient (Mozer & Smolensky, NIPS 1988)."""
    weights = live_weights(model, op_weights)
    found = gradients(loss(model, images, labels, op_weights), weights)
    return sum((w * g).sum().item() for w, g in zip(weights, found, strict=True))


def grasp(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Minus the sum of weight * (Hessian times gradient) (Wang et al., ICLR 2020)."""
    weights = live_weights(model, op_weights)
    found = gradients(loss(model, images, labels, op_weights), weights, create_graph=True)
    product = sum((g * g.detach()).sum() for g in found)
    curved = gradients(product, weights)
    return -sum((w * hg).sum().item() for w, hg in zip(weights, curved, strict=True))


def fisher(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Squared effects of whole filters on the loss, sample by sample (Turner et al., ICLR 2020); given statistics."""
    model = with_given_statistics(model, images, op_weights)
    weights = live_weights(model, op_weights)
    losses = loss(model, images, labels, op_weights, reduction="none")
    score = 0.0
    for weight, found in zip(weights, stacked_gradients(losses / len(losses), weights), strict=True):
        effects = (weight * found).flatten(2).sum(2)  # [B, D]
        fan_in = weight[0].numel()
        score += fan_in * (effects.square().mean(0) / 2).sum().item()
    return score


def zico(model: Any, batches: list[tuple[Any, Any]], op_weights: Any) -> float:
    """Sum over layers of log of the sum of mean |gradient| / deviation over batches (Li et al., ICLR 2023)."""
    weights = live_weights(model, op_weights)
    losses = [loss(model, images, labels, op_weights) for images, labels in batches]
    score = 0.0
    for found in stacked_gradients(losses, weights):
        deviation = found.std(0, correction=0)
        moves = deviation > 0
        total = (found.abs().mean(0)[moves] / deviation[moves]).sum().item()
        score += math.log(total) if total > 0 else 0.0
    return score


def flows(model: Any, images: Any, op_weights: Any) -> tuple[float, list[float]]:
    """Sum R of the logits of an image of ones with |weights| and no norms; sum of |weight| * dR/d|weight| by layer."""
    model = copy.deepcopy(model).double()
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for weight in model.parameters():
            weight.abs_()
        model.classifier.bias.zero_()
    weights = live_weights(model, op_weights)
    total = run(model, np.ones((1, *images.shape[1:])), op_weights).sum()
    found = gradients(total, weights)
    return total.item(), [(w * g).sum().item() for w, g in zip(weights, found, strict=True)]


def synflow(model: Any, images: Any, op_weights: Any) -> float:
    """Log of the sum of |weight| * dR/d|weight| (Tanaka et al., NeurIPS 2020); images give the shape only."""
    total = sum(flows(model, images, op_weights)[1])
    return math.log(total) if total > 0 else -math.inf
