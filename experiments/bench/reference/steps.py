"""Training steps of the peer with PyTorch's own optimizers; nothing in them waits for the device.

A batch is (images [B, C, H, W], labels [B]), augmented already. Every step returns the training loss, [].
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Adam, Optimizer

from experiments.bench.reference.supernet import PeerSupernet

Batch = tuple[Tensor, Tensor]


def build_weight_optimizer(model: nn.Module, momentum: float = 0.9, weight_decay: float = 3e-4) -> Optimizer:
    """SGD with Nesterov momentum, for a model that is on its device and in its memory format already."""
    optimizer = SGD(model.parameters(), lr=1.0, momentum=momentum, weight_decay=weight_decay, nesterov=True, fused=True)
    for weight in model.parameters():
        # The fused update cannot tell a first step from a later one weight by weight, as paths need it to.
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimizer


def build_alpha_optimizer(alpha: Tensor) -> Optimizer:
    """Adam for alpha [E, O], with the settings of the differentiable searches."""
    return Adam([alpha], lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3, fused=True)


def mixed_step(
    model: PeerSupernet,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    op_weights: Tensor,
    rate: float,
    clip: float = 5.0,
) -> Tensor:
    """One update of all weights, every operation running. op_weights [E, O], needing no gradient."""
    return _weight_step(optimizer, cross_entropy(model(images, op_weights), labels), rate, clip)


def path_step(
    model: PeerSupernet,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    op_ids: list[int],
    rate: float,
    clip: float = 5.0,
) -> Tensor:
    """One update of the weights on a path, op_ids [E]; the others keep weight and momentum.

    So do operations on the path whose node nothing leaves: autograd never reaches them, no decay moves them.
    """
    return _weight_step(optimizer, cross_entropy(model.forward_path(images, op_ids), labels), rate, clip)


def bilevel_step(
    model: PeerSupernet,
    optimizer: Optimizer,
    alpha: Tensor,
    alpha_optimizer: Optimizer,
    train: Batch,
    valid: Batch,
    rate: float,
    clip: float = 5.0,
) -> Tensor:
    """First-order DARTS: alpha [E, O] by the validation batch, then the weights by the training batch."""
    alpha_optimizer.zero_grad(set_to_none=True)
    # `inputs`: the gradients of the weights would be computed for nothing.
    cross_entropy(model(valid[0], alpha.softmax(-1)), valid[1]).backward(inputs=[alpha])
    alpha_optimizer.step()
    return mixed_step(model, optimizer, *train, alpha.detach().softmax(-1), rate, clip)


def second_order_step(
    model: PeerSupernet,
    optimizer: Optimizer,
    alpha: Tensor,
    alpha_optimizer: Optimizer,
    train: Batch,
    valid: Batch,
    rate: float,
    clip: float = 5.0,
) -> Tensor:
    """Second-order DARTS, exact: alpha [E, O] by the validation loss after the optimizer's own step, then weights."""
    op_weights = alpha.softmax(-1)
    weights = dict(model.named_parameters())
    train_loss = cross_entropy(model(train[0], op_weights), train[1])
    gradients = torch.autograd.grad(train_loss, list(weights.values()), create_graph=True)
    virtual = _virtual_weights(optimizer, weights, gradients, rate, clip)
    valid_loss = cross_entropy(functional_call(model, virtual, (valid[0], op_weights)), valid[1])
    (alpha.grad,) = torch.autograd.grad(valid_loss, [alpha])
    alpha_optimizer.step()
    return mixed_step(model, optimizer, *train, alpha.detach().softmax(-1), rate, clip)


def _weight_step(optimizer: Optimizer, loss: Tensor, rate: float, clip: float) -> Tensor:
    (group,) = optimizer.param_groups
    group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)  # weights without a gradient are passed over by clipping and update
    loss.backward()
    clip_grad_norm_(group["params"], clip)
    optimizer.step()
    return loss.detach()


def _virtual_weights(
    optimizer: Optimizer, weights: dict[str, nn.Parameter], gradients: tuple[Tensor, ...], rate: float, clip: float
) -> dict[str, Tensor]:
    """The weights after the optimizer's next step, as functions of the gradients.

    With g the clipped gradient plus decay * w, the step is g + momentum * (momentum * buffer + g).
    """
    (group,) = optimizer.param_groups
    decay, momentum = group["weight_decay"], group["momentum"]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]))
    factor = rate * (1 + momentum) * (clip / norm).clamp(max=1.0)
    virtual = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        with torch.no_grad():  # the part that alpha does not reach
            kept = (1 - rate * (1 + momentum) * decay) * weight
            kept.sub_(optimizer.state[weight]["momentum_buffer"], alpha=rate * momentum**2)
        virtual[name] = kept - factor * gradient
    return virtual
