"""Images and labels of one part of a data set, and seeded, leak-free division of a training set."""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from jaxnas.data.shares import class_shares
from jaxnas.types import UserError


@dataclass(frozen=True)
class Split:
    """One part of a data set. images uint8 [n, H, W, C], labels int32 [n] in 0 .. classes - 1 (checked)."""

    images: np.ndarray
    labels: np.ndarray
    classes: int
    names: tuple[str, ...] = ()  # of the classes, in the order of their labels; empty where they are unknown

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise UserError(f"images must be uint8 [n, H, W, C], not {self.images.dtype} {self.images.shape}")
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise UserError(f"labels must be integers, not {self.labels.dtype}")
        if self.labels.shape != self.images.shape[:1]:
            raise UserError(f"{self.images.shape[0]} images need as many labels, not {self.labels.shape}")
        if self.labels.size and not (self.labels.min() >= 0 and self.labels.max() < self.classes):
            found = (int(self.labels.min()), int(self.labels.max()))
            raise UserError(f"labels must lie in 0 .. {self.classes - 1}, but range over {found[0]} .. {found[1]}")
        if len(self.names) not in (0, self.classes):
            raise UserError(f"{self.classes} classes need as many names, not {len(self.names)}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Split":
        """The examples of `indices`, in that order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def downsampled(self, factor: int) -> "Split":
        """Images averaged over factor x factor blocks and rounded; sides must be multiples of `factor`."""
        n, height, width, channels = self.images.shape
        if factor < 1 or height % factor or width % factor:
            raise UserError(f"images of {height}x{width} cannot be averaged over blocks of {factor}x{factor}")
        if factor == 1:
            return self
        blocks = self.images.reshape(n, height // factor, factor, width // factor, factor, channels)
        means = blocks.astype(np.float32).mean((2, 4))
        return replace(self, images=np.rint(means).astype(np.uint8))


class Reading(NamedTuple):
    """What a source gives of one part of a data set."""

    split: Split
    warnings: tuple[str, ...] = ()
    """a sentence for each thing in the files that the user would not expect; those on both parts come with either"""


def divide(data: Split, sizes: dict[str, int], seed: int) -> dict[str, Split]:
    """Disjoint random parts of the given sizes, fixed by the seed, with the same share of every class.

    A class has at least one image in each part wherever that is possible: see `class_shares`. Raises UserError if the
    parts need more than there is, and for a negative seed.
    """
    if seed < 0:
        raise UserError(f"the seed must be 0 or more, it is {seed}")
    total = sum(sizes.values())
    if total > len(data) or min(sizes.values()) < 1:
        raise UserError(f"parts of {sizes} examples (together {total}) cannot be taken from {len(data)}")
    order = np.random.default_rng([seed, 0x5917]).permutation(len(data))
    labels = data.labels[order]
    classes, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    drawn = np.argsort(first)  # of classes that are alike the seed says which get more, not their labels
    shares = np.empty((len(classes), len(sizes)), int)
    shares[drawn] = class_shares(counts[drawn], list(sizes.values()))
    by_class = np.argsort(inverse, kind="stable")
    rank = np.empty(len(data), int)  # of an example among those of its class
    rank[by_class] = np.arange(len(data)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = (rank[:, None] >= np.cumsum(shares, 1)[inverse]).sum(1)
    return {name: data.take(order[part == i]) for i, name in enumerate(sizes)}


def fingerprints(images: np.ndarray) -> list[bytes]:
    """A digest of the pixels of each image of uint8 [n, H, W, C]; equal ones are compared among images of one shape."""
    return [blake2b(image.tobytes(), digest_size=16).digest() for image in images]
