"""Scores from weights and the gradient of the loss on them.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), after its released code unless stated: sums
over the weights of convolutions and of the classifier; cross-entropy with labels, batch statistics. Operations that do
not run have gradient 0 and add nothing.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxnas.metrics.base import Metric, Probe, halved, scalar
from jaxnas.metrics.weights import build_loss, layers, loss_gradient, masked, only_weights, total
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Params

PARTS = 4  # mini-batches that ZiCo and SiGeo cut a batch into
TOGETHER = 8  # images whose own gradients are computed at once: memory against time


def grad_norm(network: Network, space: SearchSpace) -> Metric:
    """Sum over layers of the Euclidean norm of the gradient."""
    return _of_gradient(network, lambda weights, gradient: _norm(gradient))


def snip(network: Network, space: SearchSpace) -> Metric:
    """Sum of |weight x gradient| (Lee et al., ICLR 2019, as a score of architectures)."""
    return _of_gradient(network, lambda weights, gradient: jnp.abs(weights * gradient))


def plain(network: Network, space: SearchSpace) -> Metric:
    """Sum of weight x gradient, with its sign."""
    return _of_gradient(network, lambda weights, gradient: weights * gradient)


def grasp(network: Network, space: SearchSpace) -> Metric:
    """Minus the sum of weight x (Hessian x gradient) (Wang et al., ICLR 2020): larger where training keeps gradients.

    Of one batch, with temperature 1. The product with the Hessian is a gradient of the gradient's product with
    itself, one factor held fixed: reverse over reverse.
    """
    loss = build_loss(network)

    def measure(probe: Probe) -> Array:
        def gradient(params: Params) -> Params:
            return only_weights(jax.grad(loss)(params, probe.images, probe.labels, probe.choice))

        held = lax.stop_gradient(gradient(probe.params))
        product = jax.grad(lambda params: optax.tree.vdot(gradient(params), held))(probe.params)
        return -total(jnp.multiply, probe.params, product)

    return scalar(measure, disconnected_value=0.0)


def fisher(network: Network, space: SearchSpace) -> Metric:
    """Fisher information of the channels (Theis et al., 2018; Turner et al., ICLR 2020).

    For every image and output channel of a convolution or the classifier, the sum of activation x gradient of the mean
    loss; half its mean square over images, times the channel's fan-in, summed over channels and layers. By homogeneity
    that sum is the channel's weight x gradient of one image; the classifier's bias, which the released code has in the
    activation, is left out.

    The released code lets the norms couple the images of a batch; here they take `given` statistics of the batch, so
    that an image's gradient is its own. That moves the score: with statistics that follow the weights, a channel in
    front of a norm may be scaled without effect, so that its sums over the batch cancel and their mean square is a
    variance. Held statistics leave a mean, whose square counts too.
    """
    loss = build_loss(network)

    def measure(probe: Probe) -> Array:
        stats = batch_stats(network, probe)
        examples = probe.labels.shape[0]

        def of_image(example: tuple[Array, Array]) -> list[Array]:
            image, label = example
            gradient = jax.grad(loss)(probe.params, image[None], label[None], probe.choice, "given", stats)
            pairs = zip(layers(probe.params), layers(gradient), strict=True)
            return [(w * g).sum(1) / examples for w, g in pairs]  # [layers, outputs]

        products = lax.map(of_image, (probe.images, probe.labels), batch_size=TOGETHER)
        fans = [matrices.shape[1] for matrices in layers(probe.params)]
        of_layers = [0.5 * jnp.square(p).mean(0).sum() * fan for p, fan in zip(products, fans, strict=True)]
        return jnp.sum(jnp.stack(of_layers))

    return scalar(measure, disconnected_value=0.0)


def l2_norm(network: Network, space: SearchSpace) -> Metric:
    """Sum over the layers that take part of the Euclidean norm of their weights."""

    def measure(probe: Probe) -> Array:
        return total(_norm, masked(probe.params, network.live(probe.params, probe.choice)))

    return scalar(measure, disconnected_value=0.0)


def zico(network: Network, space: SearchSpace) -> Metric:
    """Sum over layers of log of the sum of mean |gradient| / its deviation between mini-batches (Li et al., ICLR 2023).

    The batch is cut into four mini-batches; the deviation is the population's, and weights that never move are left
    out, as are layers without any.
    """
    loss = build_loss(network)

    def measure(probe: Probe) -> Array:
        def of_part(part: tuple[Array, Array]) -> list[Array]:
            return layers(jax.grad(loss)(probe.params, *part, probe.choice))

        return _zico(lax.map(of_part, cut(probe)))

    return scalar(measure, disconnected_value=0.0)


def sigeo(network: Network, space: SearchSpace) -> Metric:
    """ZiCo plus twice the log of a Fisher-Rao term, along four steps of plain descent at rate 1 (SiGeo, 2023).

    The variant without warm-up of the released code: weight 1 on the Fisher-Rao term, 0 on the loss. That term is
    the sum over layers of |summed gradients x weights after the last step|: signed within a layer, without squares.
    Layers are the matrices of convolutions and classifier, in both terms; biases, scales and what norms hold are in
    neither. They stay as they are during the steps, where the released code's descend too. A mini-batch is a quarter of
    the batch, 64 images there; norms use its statistics.
    """
    loss = build_loss(network)

    def measure(probe: Probe) -> Array:
        def step(params: Params, part: tuple[Array, Array]) -> tuple[Params, list[Array]]:
            gradient = only_weights(jax.grad(loss)(params, *part, probe.choice))
            return jax.tree.map(jnp.subtract, params, gradient), layers(gradient)

        params, gradients = lax.scan(step, probe.params, cut(probe))
        pairs = zip(layers(params), gradients, strict=True)
        rao = jnp.sum(jnp.stack([jnp.abs((w * g.sum(0)).sum((1, 2))).sum() for w, g in pairs]))
        return _zico(gradients) + 2 * jnp.log(rao + 1e-5)

    return scalar(measure, disconnected_value=0.0)


def batch_stats(network: Network, probe: Probe) -> Array:
    """The statistics of the batch, constant to derivatives, for norms that must not couple its images."""
    return lax.stop_gradient(network.forward(probe.params, probe.images, probe.choice)[1])


def cut(probe: Probe) -> tuple[Array, Array]:
    """The batch as mini-batches: images [4, B / 4, ...] and labels; a remainder is dropped."""
    size = probe.labels.shape[0] // PARTS
    images, labels = probe.images[: PARTS * size], probe.labels[: PARTS * size]
    return images.reshape(PARTS, size, *images.shape[1:]), labels.reshape(PARTS, size)


def _of_gradient(network: Network, function: Callable[[Array, Array], Array]) -> Metric:
    return halved(
        loss_gradient(network), lambda probe, gradient: total(function, probe.params, gradient), disconnected_value=0.0
    )


def _zico(gradients: list[Array]) -> Array:
    """gradients: each [parts, layers, fan in, outputs]."""

    def of_layers(parts: Array) -> Array:
        deviation = parts.std(0)
        moving = deviation > 0
        ratio = jnp.where(moving, jnp.abs(parts).mean(0) / jnp.where(moving, deviation, 1.0), 0.0).sum((1, 2))
        return jnp.where(ratio > 0, jnp.log(jnp.where(ratio > 0, ratio, 1.0)), 0.0).sum()

    return jnp.sum(jnp.stack([of_layers(parts) for parts in gradients]))


def _norm(matrices: Array) -> Array:
    """Euclidean norms of [layers, fan in, outputs]."""
    return jnp.linalg.norm(matrices, axis=(1, 2))
