"""A problem on the toy space with one right answer: a connected path lets one pixel through, and one tells the class.

Edge 1<-0 passes pixels 0, 1 by skip_connect and 2, 3 by nor_conv_3x3; edge 2<-1 passes 0, 2 and 1, 3. The class is the
sign of pixel 2, which only (nor_conv_3x3, skip_connect) shows.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data import Images
from jaxnas.nets import Network
from jaxnas.selection import Trained
from jaxnas.spaces import TOY

PLANTED = (2, 1)
PASSES = np.array([[[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], [[0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]], np.float32)
IMAGES = 128


def forward(params, images, choice, norm="batch", stats=None):
    """Logits [B, 2] of the pixels that pass."""
    weights = jax.nn.one_hot(choice, 3) if jnp.issubdtype(choice.dtype, jnp.integer) else choice
    gates = jnp.einsum("eo,eop->ep", weights, PASSES).prod(0)[None]
    return (images.reshape(-1, 4) * gates) @ params["weights"], {}


NETWORK = Network(
    init=lambda key: {"weights": 0.5 * jax.random.normal(key, (4, 2))},
    forward=forward,
    watch=forward,  # unused: there are no cells to look into
    init_stats=dict,
    live=lambda params, choice: {"weights": jnp.ones((1, 1), bool)},
    shared=lambda params, edge: {"weights": jnp.ones((1, 1), bool)},
)


def draw(seed: int, shuffled: bool) -> tuple[Images, Images]:
    """Training and validation images; shuffled: the classes of other images."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(2):
        pixels = rng.normal(size=(IMAGES, 1, 1, 4)).astype(np.float32)
        labels = (pixels[:, 0, 0, 2] > 0).astype(np.int32)
        parts.append(Images(pixels, rng.permutation(labels) if shuffled else labels))
    return parts[0], parts[1]


def trained(weights: np.ndarray, probabilities: np.ndarray, train: Images, valid: Images) -> Trained:
    """A trained supernet as a selector sees it, in numpy; it is not tuned."""

    def losses(choices: np.ndarray, images: Images) -> tuple[np.ndarray, np.ndarray]:
        mixed = np.eye(3)[choices] if np.issubdtype(choices.dtype, np.integer) else choices
        gates = np.einsum("aeo,eop->aep", mixed, PASSES).prod(1)
        logits = np.einsum("bp,ap,pc->abc", images.images.reshape(-1, 4), gates, weights)
        top = logits.max(-1)
        entropy = (
            np.log(np.exp(logits - top[..., None]).sum(-1))
            + top
            - logits[:, np.arange(len(images.labels)), images.labels]
        )
        return 100 * (logits.argmax(-1) == images.labels).mean(1), entropy.mean(1)

    def score(rng: np.random.Generator, choices: np.ndarray) -> np.ndarray:
        rows = rng.choice(IMAGES, 64, replace=False)
        return -losses(choices, Images(train.images[rows], train.labels[rows]))[1]

    def narrowed(mask: np.ndarray) -> Trained:
        kept = np.where(mask, probabilities, 0.0)
        kept = np.where(kept.any(1, keepdims=True), kept, mask)
        return trained(weights, kept / kept.sum(1, keepdims=True), train, valid)

    return Trained(
        space=TOY,
        probabilities=probabilities,
        accuracy=lambda choices: losses(choices, valid)[0],
        loss=lambda choices: losses(choices, valid)[1],
        score=score,
        narrowed=narrowed,
        draw=lambda rng, n: np.stack([rng.choice(3, n, p=row / row.sum()) for row in probabilities], 1),
    )
