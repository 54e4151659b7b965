"""Loss and accuracy of a batch."""

import jax.numpy as jnp
import optax

from jaxnas.types import Array


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Mean cross-entropy in nats. logits [B, classes], labels int [B] or probabilities float [B, classes] -> []."""
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return optax.softmax_cross_entropy(logits, labels).mean()
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def percent_correct(logits: Array, labels: Array) -> Array:
    """Accuracy in percent. logits [B, classes], labels int [B] -> []."""
    return 100.0 * jnp.mean(logits.argmax(-1) == labels)
