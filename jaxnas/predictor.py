"""A trained network in one file: saved at the end of a run, loaded to predict."""

import json
import math
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import DataConfig, from_dict, to_dict
from jaxnas.data import Colours, Split, build_pipeline
from jaxnas.foreign import npz
from jaxnas.nets import Network, build_network
from jaxnas.spaces import SPACES
from jaxnas.spaces.counts import supernet_parameters
from jaxnas.types import Params, Stats, UserError, truncated_repr
from jaxnas.workdir import write_arrays

FILE = "network.npz"
BATCH = 256  # images of one compiled call
LARGEST = 2**31  # bytes of all weights together
LONGEST = 2**24  # bytes of the description
MOST_PIXELS = 2**24  # of an image, as the data set delivers it


class Description(NamedTuple):
    """Everything about a trained network but its weights; JSON in the file."""

    architecture: str
    space: str
    channels: int
    cells: int
    image_shape: tuple[int, int, int]  # of what the network sees
    classes: tuple[str, ...]
    colours: Colours
    data: DataConfig  # how images were read
    test_accuracy: float  # percent


class Predictions(NamedTuple):
    """What a network says of n images."""

    labels: np.ndarray  # int [n]
    probabilities: np.ndarray  # float [n, classes]
    names: tuple[str, ...]  # of the predicted classes, [n]


class Predictor(NamedTuple):
    """A trained network and what it was trained for."""

    description: Description
    predict: Callable[[np.ndarray], Predictions]
    """uint8 [n, H, W, C] as the data set delivers them, before any averaging; raises UserError for another shape"""


def save_network(path: Path, description: Description, params: Params, stats: Stats) -> None:
    """Writes the one file, whole or not at all."""
    text = json.dumps({**description._asdict(), "data": to_dict(description.data)})
    arrays = _flat({"params": params, "stats": stats})
    write_arrays(path, {"description": np.frombuffer(text.encode(), np.uint8), **arrays})


def load(path: Path | str) -> Predictor:
    """The network that a run chose and trained, ready to predict.

    Args:
        path: the work directory of a run of one seed, or its file `network.npz`.

    Returns:
        A `Predictor`: a description of what the network was trained for, and `predict`, a function of images uint8
        [n, H, W, C] as the data set delivers them.

    Raises:
        UserError: if the file is absent, as before a run has ended, damaged, or no network of jaxnas.

    Example:
        >>> import numpy as np
        >>> from jaxnas import load
        >>> network = load("out/digits")  # doctest: +SKIP
        >>> network.predict(np.zeros((2, 8, 8, 1), np.uint8)).probabilities.shape  # doctest: +SKIP
        (2, 10)
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        return _read(file)
    except FileNotFoundError as error:
        why = "the run has not ended, or is of several seeds (name one of them)"
        raise UserError(f"no trained network at {file}: {why}") from error
    except Exception as error:  # a damaged archive raises almost anything
        reason = f"{type(error).__name__}: {truncated_repr(str(error))}"
        raise UserError(f"{file} is damaged, or no network of jaxnas ({reason})") from error


def delivered_shape(about: Description) -> tuple[int, int, int]:
    """H, W, C of the images that the network takes: as the data set delivers them, before any averaging."""
    height, width, channels = about.image_shape
    return height * about.data.downsample, width * about.data.downsample, channels


def _read(file: Path) -> Predictor:
    """The predictor of a file. What its arrays claim is compared with what it describes before one is unpacked."""
    with zipfile.ZipFile(file) as archive:
        # Taken alone: a text that claims much is refused before it is unpacked.
        (size,), _ = npz.claimed(archive, file.name, "description", ("u1",))
        if size > LONGEST:
            raise ValueError(f"it claims a description of {size} bytes, allowed: {LONGEST}")
        about = _description(json.loads(bytes(npz.read_array(archive, file.name, "description", ("u1",)))))
        network, shapes = _network(about)
        wanted = _flat(shapes)
        names = npz.names_of(archive) - {"description"}
        claims = {name: npz.claimed(archive, file.name, name, ("f",)) for name in sorted(names)}
        if claims != {name: (leaf.shape, leaf.dtype) for name, leaf in wanted.items()}:
            raise ValueError(f"its arrays are not those of {about.architecture} in {about.space}")
        arrays = [jnp.asarray(npz.read_array(archive, file.name, name, ("f",))) for name in wanted]
    return _predictor(about, network, jax.tree.unflatten(jax.tree.structure(shapes), arrays))


@lru_cache(maxsize=4)  # a network that is loaded again is not traced again
def _network(about: Description) -> tuple[Network, Any]:
    """The described network, and the shapes of its weights and statistics; no array is made."""
    space, classes = SPACES[about.space], len(about.classes)
    space.decode(about.architecture)
    weights = supernet_parameters(space, about.channels, about.cells, classes, about.image_shape[2])
    if 4 * weights > LARGEST:
        raise ValueError(f"it describes a network of {weights} weights, allowed: {LARGEST // 4}")
    pixels = math.prod(delivered_shape(about)[:2])
    if pixels > MOST_PIXELS:
        raise ValueError(f"it describes images of {pixels} pixels, allowed: {MOST_PIXELS}")
    network = build_network(
        space,
        channels=about.channels,
        cells=about.cells,
        classes=classes,
        image_shape=about.image_shape,
        affine=True,
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    return network, {"params": jax.eval_shape(network.init, key), "stats": jax.eval_shape(network.init_stats)}


def _predictor(about: Description, network: Network, weights: Any) -> Predictor:
    op_ids = jnp.asarray(SPACES[about.space].decode(about.architecture).op_ids)
    normalise = build_pipeline(about.data, about.colours).normalise

    @jax.jit
    def probabilities(images: Any) -> Any:
        logits, _ = network.forward(weights["params"], normalise(images), op_ids, "given", weights["stats"])
        return jax.nn.softmax(logits)

    def predict(images: np.ndarray) -> Predictions:
        images = np.asarray(images)
        shape = delivered_shape(about)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            given = f"{images.dtype} {images.shape}"
            raise UserError(f"the network takes uint8 images [n, {shape[0]}, {shape[1]}, {shape[2]}], not {given}")
        blank = np.zeros(len(images), np.int32)
        seen = Split(images, blank, len(about.classes)).downsampled(about.data.downsample).images
        found = [np.zeros((0, len(about.classes)), np.float32)]
        for start in range(0, len(seen), BATCH):
            part = seen[start : start + BATCH]
            padded = np.concatenate([part, np.zeros((BATCH - len(part), *part.shape[1:]), np.uint8)])
            found.append(np.asarray(probabilities(padded))[: len(part)])
        scores = np.concatenate(found)
        labels = scores.argmax(1)
        return Predictions(labels, scores, tuple(about.classes[label] for label in labels))

    return Predictor(about, predict)


def _description(values: Any) -> Description:
    about = Description(**values)
    if about.space not in SPACES:
        raise ValueError(f"unknown search space {about.space!r}; allowed: {sorted(SPACES)}")
    data = from_dict(DataConfig, about.data, "network data")  # type: ignore[arg-type]
    colours = Colours(*(tuple(float(x) for x in row) for row in about.colours))
    sizes = [*about.image_shape, about.channels, about.cells, data.downsample]
    if len(sizes) != 6 or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(
            f"image shape, channels, cells and downsample must be 6 positive numbers, not {truncated_repr(sizes)}"
        )
    if {len(row) for row in colours} != {about.image_shape[2]} or not np.isfinite(colours).all():
        raise ValueError(f"colours must be {about.image_shape[2]} means and deviations, not {truncated_repr(colours)}")
    if not about.classes or not all(isinstance(name, str) for name in about.classes):
        raise ValueError(f"classes must be names, not {truncated_repr(about.classes)}")
    return about._replace(
        image_shape=tuple(about.image_shape),  # type: ignore[arg-type]
        classes=tuple(about.classes),
        colours=colours,
        data=data,
        test_accuracy=float(about.test_accuracy),
    )


def _flat(tree: Any) -> dict[str, Any]:
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
