"""Validation of one choice on a network that only subtracts a mean, against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import Images
from jaxnas.data.pipeline import Pipeline
from jaxnas.nets import Network
from jaxnas.training import build_validate

PIPELINE = Pipeline(lambda key, images: images, lambda images: images / 10)
RNG = np.random.default_rng(0)
VALID = Images(RNG.normal(size=(3, 8, 1, 1, 4)).astype(np.float32), RNG.integers(0, 4, (3, 8)).astype(np.int32))
TRAIN = Images(3 + RNG.normal(size=(2, 8, 1, 1, 4)).astype(np.float32), np.zeros((2, 8), np.int32))


def forward(params, images, choice, norm="batch", stats=None):
    """Logits [B, 4]: pixels less their mean over the batch, times one number for each operation."""
    pixels = images.reshape(-1, 4)
    mean = pixels.mean(0) if norm == "batch" else stats["mean"]
    return params[choice[0]] * (pixels - mean[None]), {"mean": mean}


NETWORK = Network(lambda key: jnp.ones(2), forward, forward, dict, forward, forward)
PARAMS = np.array([1.0, -20.0], np.float32)


def by_hand(op: int, mean: np.ndarray | None) -> tuple[float, float]:
    correct, losses = 0, []
    for images, labels in zip(VALID.images.reshape(3, 8, 4) / 10, VALID.labels, strict=True):
        logits = PARAMS[op] * (images - (images.mean(0) if mean is None else mean)).astype(np.float64)
        correct += (logits.argmax(1) == labels).sum()
        losses += (np.log(np.exp(logits).sum(1)) - logits[np.arange(8), labels]).tolist()
    return 100 * correct / 24, float(np.mean(losses))


@pytest.mark.parametrize("batches", [0, 2])
@pytest.mark.parametrize("op", [0, 1])
def test_accuracy_and_loss_under_statistics_of_the_batch_or_of_training_images(op: int, batches: int) -> None:
    calibration = Images(TRAIN.images[:batches], TRAIN.labels[:batches])
    found = jax.jit(build_validate(NETWORK, PIPELINE))(jnp.array([op]), PARAMS, VALID, calibration)
    mean = TRAIN.images.reshape(2, 8, 4).mean(1).mean(0) / 10 if batches else None
    accuracy, loss = by_hand(op, mean)
    assert found.accuracy == pytest.approx(accuracy) and found.loss == pytest.approx(loss, rel=1e-5)
