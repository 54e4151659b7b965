"""Scores from derivatives of the logits, image by image: Jacobian covariance and the neural tangent kernel."""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.metrics.base import Metric, Probe, halved
from jaxnas.metrics.gradients import TOGETHER, batch_stats
from jaxnas.metrics.weights import layers
from jaxnas.nets.network import Network
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Params

EPSILON = 1e-5


def jacob_cov(network: Network, space: SearchSpace, coupled: bool = False) -> Metric:
    """How little the images' Jacobians correlate (Mellor et al., 2020, first version; as zero-cost proxies score it).

    Rows are derivatives of the sum of an image's logits in its pixels; of the eigenvalues v of their correlation
    matrix, - sum(log(v + 1e-5) + 1 / (v + 1e-5)). Norms take the batch's statistics as `given`; with `coupled` they are
    differentiated too, which mixes the images, as in the released codes. The declared value is that of equal rows,
    for a batch of 64.
    """
    del space

    def score(probe: Probe, jacobian: Array) -> Array:
        rows = _standardised(jacobian)
        # Singular values of the rows, whose squares are the eigenvalues: those far below 1e-5 x the largest would be
        # lost in a float32 matrix of products.
        eigenvalues = jnp.square(jnp.linalg.svd(rows, compute_uv=False))
        return -jnp.sum(jnp.log(eigenvalues + EPSILON) + 1 / (eigenvalues + EPSILON))

    return halved(_pixel_jacobian(network, coupled), score, disconnected_value=-63 / EPSILON)


def epe_nas(network: Network, space: SearchSpace) -> Metric:
    """Sum over classes of |sum of log(|correlation| + 1e-5) of the Jacobians of their images| (Lopes et al., 2021).

    The form for at most 100 classes. A class with one image in the batch adds next to nothing.
    """
    del space

    def score(probe: Probe, jacobian: Array) -> Array:
        rows = _standardised(jacobian)
        logs = jnp.log(jnp.abs(rows @ rows.T) + EPSILON)
        same = probe.labels[:, None] == probe.labels[None, :]
        of_row = jnp.sum(jnp.where(same, logs, 0.0), 1)
        first = jnp.argmax(same, 1) == jnp.arange(len(probe.labels))  # one row stands for each class
        of_class = jnp.where(same, of_row[None, :], 0.0).sum(1)
        return jnp.sum(jnp.where(first, jnp.abs(of_class), 0.0))

    return halved(_pixel_jacobian(network, False), score, disconnected_value=0.0)


def ntk_condition(network: Network, space: SearchSpace) -> Metric:
    """Condition number of the neural tangent kernel, largest eigenvalue over smallest (TE-NAS, ICLR 2021).

    Of the derivatives of an image's summed logits in the weights of convolutions and classifier, norms with `given`
    statistics of the batch. Smaller is better. Declared as 1e8 where the network is disconnected.
    """
    del space

    return halved(
        _tangent_spectrum(network),
        lambda probe, values: values[0] / values[-1],
        disconnected_value=1e8,
        larger_is_better=False,
    )


def ntk_smallest(network: Network, space: SearchSpace) -> Metric:
    """Smallest eigenvalue of the neural tangent kernel of `ntk_condition` (Eigen-NAS, Zhu et al., NeurIPS 2022).

    The estimator is the usual one at initialisation; the authors' is not published.
    """
    del space
    return halved(_tangent_spectrum(network), lambda probe, values: values[-1], disconnected_value=0.0)


@lru_cache(maxsize=16)
def _pixel_jacobian(network: Network, coupled: bool) -> Callable[[Probe], Array]:
    """[B, pixels]: one backward pass, since given statistics keep the images apart."""

    def jacobian(probe: Probe) -> Array:
        norm = () if coupled else ("given", batch_stats(network, probe))

        def summed(images: Array) -> Array:
            return network.forward(probe.params, images, probe.choice, *norm)[0].sum()

        return jax.grad(summed)(probe.images).reshape(len(probe.images), -1)

    return jacobian


def _standardised(rows: Array) -> Array:
    """Rows of mean 0 and length 1: their products are correlations."""
    centred = rows - rows.mean(1, keepdims=True)
    return centred / jnp.linalg.norm(centred, axis=1, keepdims=True)


@lru_cache(maxsize=16)
def _tangent_spectrum(network: Network) -> Callable[[Probe], Array]:
    """Eigenvalues of the kernel, [B], descending.

    As squared singular values of the Jacobian, by a QR of each layer's part: a float32 matrix of products would lose
    what is below 1e-7 of the largest.
    """

    def spectrum(probe: Probe) -> Array:
        stats = batch_stats(network, probe)

        def summed(params: Params, image: Array) -> Array:
            return network.forward(params, image[None], probe.choice, "given", stats)[0].sum()

        def of_image(image: Array) -> list[Array]:
            return [part.reshape(-1) for part in layers(jax.grad(summed)(probe.params, image))]

        triangle: Callable[[Array], Array] = partial(jnp.linalg.qr, mode="r")
        parts = [triangle(rows.T) for rows in lax.map(of_image, probe.images, batch_size=TOGETHER)]
        return jnp.square(jnp.linalg.svd(jnp.concatenate(parts), compute_uv=False))

    return spectrum
