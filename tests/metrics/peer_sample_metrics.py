"""Metrics that compare samples, and plain counts, on the PyTorch peer; arguments as in `peer_metrics`."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.metrics.peer_metrics import (
    inputs_of,
    live_modules,
    live_weights,
    loss,
    run,
    stacked_gradients,
    with_given_statistics,
)

OFFSET = 1e-5  # of eigenvalues and correlations before their logarithm


def parameters(model: Any, op_weights: Any) -> int:
    """Number of live weights."""
    return sum(weight.numel() for weight in live_weights(model, op_weights))


def validation_loss(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Cross-entropy."""
    return loss(model, images, labels, op_weights).item()


def accuracy(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Percent of the batch whose greatest logit is that of the label."""
    right = run(model, images, op_weights).argmax(-1).numpy() == np.asarray(labels)
    return 100 * right.mean().item()


def pattern_agreement(model: Any, images: Any, op_weights: Any) -> Tensor:
    """Number of live rectifier units on which two samples agree, float64 [B, B].

    A rectifier is counted for every live convolution that owns one.
    """
    agreement = 0.0
    for x in inputs_of(live_modules(model, op_weights, nn.ReLU), model, images, op_weights):
        on = (x > 0).flatten(1).double()
        agreement = agreement + on @ on.T + (1 - on) @ (1 - on).T
    return agreement


def naswot(model: Any, images: Any, op_weights: Any) -> float:
    """Log of the determinant of the agreement of patterns (Mellor et al., ICML 2021)."""
    return torch.linalg.slogdet(pattern_agreement(model, images, op_weights))[1].item()


def linear_regions(model: Any, images: Any, op_weights: Any, units: Callable[[int, int], np.ndarray]) -> float:
    """Mean number of distinct patterns, over sets of units of every live rectifier (after Chen et al., ICLR 2021).

    `units(place, size)` are the sets, int [sets, units], drawn from the `size` units of the rectifiers at a place, in
    the order (height, width, channel): the nodes that edges leave, stage by stage, the same for all cells of a stage;
    the rectifiers of the reductions; that of the head.
    """
    places: dict[nn.Module, int] = {}
    nodes = len(model.stages[0][0].arriving)
    for number, stage in enumerate(model.stages):
        for cell in stage:
            for e, source in (pair for arriving in cell.arriving for pair in arriving):
                places |= dict.fromkeys(cell.edges[e].modules(), number * nodes + source)
    blocks = [part for reduction in model.reductions for part in (reduction.first, reduction.second)]
    for number, part in enumerate([*blocks, model.head]):
        places |= dict.fromkeys(part.modules(), len(model.stages) * nodes + number)
    counts = []
    rectifiers = live_modules(model, op_weights, nn.ReLU)
    for module, x in zip(rectifiers, inputs_of(rectifiers, model, images, op_weights), strict=True):
        on = (x > 0).permute(0, 2, 3, 1).flatten(1)
        chosen = torch.tensor(np.array(units(places[module], on.shape[1])))
        counts += [len(torch.unique(on[:, members], dim=0)) for members in chosen]
    return float(np.mean(counts))


def zen(model: Any, images: Any, moved: Any, op_weights: Any) -> float:
    """Log of the mean move of what the pooling sees, and the running deviations that PyTorch keeps; weights are given.

    The unbiased variances that PyTorch keeps are made biased: of N values, (N - 1) / N as large.
    """
    model = copy.deepcopy(model)
    norms = live_modules(model, op_weights, nn.BatchNorm2d)
    counts = [x.numel() / x.shape[1] for x in inputs_of(norms, model, images, op_weights)]
    for norm in norms:
        norm.running_mean = torch.zeros(norm.num_features, dtype=model.classifier.weight.dtype)
        norm.running_var = torch.ones_like(norm.running_mean)
        norm.track_running_stats = True
    seen: list[Tensor] = []
    model.head.register_forward_hook(lambda module, inputs, features: seen.append(features))
    with torch.no_grad():
        for x in (images, moved):
            run(model, x, op_weights)
    score = (seen[0] - seen[1]).abs().sum((1, 2, 3)).mean().log().item()
    for norm, count in zip(norms, counts, strict=True):
        ones = (1 - norm.momentum) ** 2
        biased = ones + (norm.running_var - ones) * (count - 1) / count
        score += biased.mean().sqrt().log().item()
    return score


def input_jacobian(model: Any, images: Any, op_weights: Any) -> Tensor:
    """Gradient of the sum of all logits with respect to each image, float64 [B, C * H * W].

    Where norms have given statistics a row is that of the sample's own logits.
    """
    leaf = torch.tensor(np.asarray(images), dtype=model.classifier.weight.dtype, requires_grad=True)
    logits = model(leaf, torch.tensor(np.asarray(op_weights), dtype=leaf.dtype))
    (found,) = torch.autograd.grad(logits.sum(), [leaf])
    return found.flatten(1).double()


def jacob_cov(model: Any, images: Any, op_weights: Any, *, coupled: bool = False) -> float:
    """Score of the eigenvalues of the samples' correlated Jacobians (Mellor et al., 2020); given statistics.

    `coupled`: with the statistics of the batch, as released.
    """
    model = model if coupled else with_given_statistics(model, images, op_weights)
    eigenvalues = torch.linalg.eigvalsh(torch.corrcoef(input_jacobian(model, images, op_weights))) + OFFSET
    return -(eigenvalues.log() + 1 / eigenvalues).sum().item()


def epe_nas(model: Any, images: Any, labels: Any, op_weights: Any) -> float:
    """Correlations of the Jacobians within each class, for up to 100 classes (Lopes et al., 2021); given statistics."""
    rows, labels = (
        input_jacobian(with_given_statistics(model, images, op_weights), images, op_weights),
        np.array(labels),
    )
    score = 0.0
    for label in np.unique(labels):
        correlations = torch.corrcoef(rows[torch.tensor(labels == label)])
        score += abs((correlations.abs() + OFFSET).log().sum().item())
    return score


def ntk_eigenvalues(model: Any, images: Any, op_weights: Any) -> Tensor:
    """Eigenvalues of the tangent kernel of the sums of logits, ascending, float64 [B]; given statistics."""
    model = with_given_statistics(model, images, op_weights)
    sums = run(model, images, op_weights).sum(-1)
    layers = stacked_gradients(sums, live_weights(model, op_weights))
    jacobian = torch.cat([layer.flatten(1) for layer in layers], -1).double()
    return torch.linalg.eigvalsh(jacobian @ jacobian.T)


def ntk_condition(model: Any, images: Any, op_weights: Any) -> float:
    """Largest over smallest eigenvalue of the tangent kernel (Chen et al., ICLR 2021); given statistics."""
    eigenvalues = ntk_eigenvalues(model, images, op_weights)
    return (eigenvalues[-1] / eigenvalues[0]).item()


def ntk_smallest(model: Any, images: Any, op_weights: Any) -> float:
    """Smallest eigenvalue of the tangent kernel; given statistics."""
    return ntk_eigenvalues(model, images, op_weights)[0].item()
