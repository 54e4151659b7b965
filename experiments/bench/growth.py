"""What a step and a study cost by counted arithmetic, as leaves, devices and networks grow. Nothing is timed."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import inputs
from experiments.bench.rows import Setting
from jaxnas.arithmetic import minimum
from jaxnas.data import Images
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.run_context import RunContext, steps_per_epoch
from jaxnas.spaces import Architecture
from jaxnas.spaces.counts import supernet_parameters
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.leaves import expanded
from jaxnas.studies.split_ablation.tables import images_of

UNITS = {  # (mixed, path): a search step in forward passes of a batch; a gradient on weights is 3, one on op_weights 2
    "uniform": (0, 3),
    "darts": (5, 0),
    "darts2": (13, 0),
    "snas": (5, 0),
    "dsnas": (2, 3),
    "reinforce": (0, 5 + 5 * 3),
}


class Part(NamedTuple):
    """Rounds one after the other, each of so many networks that need nothing of each other."""

    name: str
    rounds: int
    networks: int
    products: float  # multiply-adds of each network in a round


def mixed_step(setting: Setting) -> float:
    """Multiply-adds of a step of all operations, the least there are."""
    return float(least(setting, None))


def path_step(setting: Setting) -> float:
    """Multiply-adds of a step of one connected path, the least there are; the mean over all connected paths."""
    space = inputs.space(setting)
    every = space.enumerate()
    connected = every[np.asarray(space.connected(every))]
    # Which edge an operation is on does not matter.
    alike, often = np.unique(np.sort(connected, 1), axis=0, return_counts=True)
    each = [least(setting, Architecture(tuple(op_ids))) for op_ids in alike.tolist()]
    return float(np.average(each, weights=often))


def least(setting: Setting, architecture: Architecture | None) -> int:
    """The least multiply-adds of a step, of an architecture or of the mixed form."""
    image = (setting.image, setting.image, 3)
    sizes = (setting.channels, setting.cells, inputs.CLASSES, image, setting.batch)
    return minimum(inputs.space(setting), *sizes, architecture)


def state_bytes(setting: Setting) -> int:
    """Weights and momentum of a leaf, float32. Mask, key and two counters are not 50 bytes; a search keeps no
    statistics."""
    return 2 * 4 * supernet_parameters(inputs.space(setting), setting.channels, setting.cells, inputs.CLASSES)


def study(config: SplitAblationConfig, named: int = 0) -> list[Part]:
    """An ablation of splits of CIFAR-10, with so many more splits than `config` names; a table gives the truth.

    Splits have as many leaves as `config.split.groups` make, and no two are alike.
    """
    shared = config.study
    setting = Setting(shared.net.space, shared.net.channels, shared.net.cells, shared.data.batch)
    space, k, seeds = inputs.space(setting), math.prod(config.split.groups), len(shared.seeds)
    assert shared.data.train is not None and shared.data.valid is not None
    mixed, path = mixed_step(setting), path_step(setting)
    labels: Any = jax.ShapeDtypeStruct((shared.data.train,), jnp.int32)
    context = RunContext(FewShotConfig(data=shared.data), space, *[None] * 3)._replace(train=Images(labels, labels))  # type: ignore[arg-type]
    steps = steps_per_epoch(context)
    leaves = seeds * k * (len(expanded(config.splits)) + named)
    parts = [Part("warm-up", 1, seeds, config.warmup_epochs * steps * path)]
    for name in shared.algorithms:
        on_mixed, on_path = UNITS[name]
        parts.append(Part(name, 1, leaves, shared.epochs * steps * (on_mixed * mixed + on_path * path) / 3))
    forward = shared.data.valid / shared.data.batch * path / 3  # of all validation images
    parts.append(Part("validation", len(shared.algorithms) * leaves, 1 + shared.ranked, forward))
    images = max(images_of(context, config, name, k) for name in shared.algorithms)
    parts.append(Part("random search", 1, seeds * shared.random, images / shared.random / shared.data.batch * path))
    return parts


def on_devices(parts: list[Part], devices: int) -> float:
    """Multiply-adds of the busiest of so many devices, one part after the other."""
    return sum(part.rounds * -(-part.networks // devices) * part.products for part in parts)
