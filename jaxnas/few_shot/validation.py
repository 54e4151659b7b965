"""Which settings of training and reading sub-supernets go together; told before any work."""

from jaxnas.data import Images
from jaxnas.distributed import hosts
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.metrics import METRICS
from jaxnas.nets import Network, build_network
from jaxnas.search import ALGORITHMS
from jaxnas.spaces import SPACES, SearchSpace
from jaxnas.types import UserError


def check_search(space: SearchSpace, config: FewShotConfig) -> None:
    """Raises UserError for leaves that cannot be trained or read as the config says; its names are known."""
    algorithm, selector = config.search.algorithm, config.selection.name
    check_channels(space, config.net.channels, algorithm)
    if config.leaf_weights == "parent" and ALGORITHMS[algorithm](space).partial > 1:
        raise UserError(
            f"{algorithm} trains a supernet of its own, which cannot start from the warmed-up one; it needs "
            "--leaf-weights new"
        )
    if hosts.processes() > 1 and (algorithm, selector) != ("uniform", "evolution"):
        raise UserError(f"several processes share uniform paths and evolution only, not {algorithm} and {selector}")


def check_uniform(config: FewShotConfig) -> None:
    """Raises UserError for leaves of another kind than those of supernets that are only trained on uniform paths."""
    if (config.search.algorithm, config.leaf_weights) != ("uniform", "parent"):
        raise UserError(
            "supernets are trained on uniform paths from the warmed-up weights, "
            f"not by {config.search.algorithm} from {config.leaf_weights} ones"
        )


def check_channels(space: SearchSpace, channels: int, algorithm: str) -> None:
    """Raises UserError for channels that the supernet of an algorithm cannot divide."""
    groups = ALGORITHMS[algorithm](space).partial
    if channels % groups:
        raise UserError(f"net.channels must be a multiple of {groups} for {algorithm}, it is {channels}")


def check_images(train: Images, valid: Images, recalibrate: int, batch: int) -> None:
    """Raises UserError for too few images: to recalibrate by, or for a search algorithm's batch of validation images.

    train: [n, ...]; valid: batches [n, B, ...].
    """
    if valid.labels.size < batch:
        raise UserError(f"{valid.labels.size} validation images are too few for a batch (data.batch {batch})")
    needed, there = recalibrate * valid.labels.shape[1], len(train.labels)
    if needed > there:
        raise UserError(f"recalibrate ({recalibrate}) takes {needed} training images, there are {there}")


def scalar_metrics() -> list[str]:
    """Names of the metrics that score an architecture."""
    network, space = tiny_network()
    return [name for name, build in METRICS.items() if build(network, space).larger_is_better is not None]


def tiny_network() -> tuple[Network, SearchSpace]:
    """A network of the toy space: what a metric is built on where only its declarations are asked for."""
    space = SPACES["toy"]
    return build_network(space, channels=2, cells=1, classes=2, image_shape=(4, 4, 1)), space
