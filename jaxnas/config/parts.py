"""Settings that runs of several kinds share: images, network, optimizer, split, search."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataConfig:
    """Images and how they are fed."""

    name: str = "cifar10"
    """data set: digits, cifar10, cifar100, imagenet16-120, mnist, fashion-mnist, folder, npz"""
    root: Path = Path("data")
    """folder that holds the data set's official files; of `folder` one folder a class, of `npz` the file"""
    train: int | None = 25_000
    """training images, drawn by the seed; None: all that do not validate"""
    valid: int | None = 25_000
    """validation images, disjoint from the training images; None: the rest, or a quarter if `train` is None too"""
    test: int | None = None
    """test images, drawn by the seed; None: all"""
    downsample: int = 1
    """average images over blocks of this side"""
    batch: int = 64
    """images of a training step"""
    eval_batch: int = 250
    """images of an evaluation batch; its statistics normalise, so at least 128 where there are as many"""
    crop: int = 4
    """zero padding of the random crop; 0: none"""
    flip: bool = True
    """random horizontal flips"""
    cutout: int = 0
    """side of the square that is cut out; 0: none"""
    distort: float = 0.0
    """strength of distortions that keep labels, drawn once for each image of every part, 0 .. 1; 0: none"""
    size: int = 32
    """side that the images of `folder` are resized to, a multiple of 4"""
    grey: bool = False
    """read the images of `folder` as grey, one channel"""
    layout: str = "auto"
    """what `folder` holds: parts (train and test, each with one folder a class), classes (one folder a class), or auto:
    parts where there are folders train and test"""


@dataclass(frozen=True)
class NetConfig:
    """The supernet."""

    space: str = "nas-bench-201"
    """search space: nas-bench-201, toy"""
    channels: int = 16
    """channels of the first stage"""
    cells: int = 5
    """cells of each of the three stages"""


@dataclass(frozen=True)
class OptimizerConfig:
    """SGD with Nesterov momentum on a cosine schedule, one step at a time."""

    rate: float = 0.025
    """first learning rate"""
    final_rate: float = 0.001
    """learning rate at the last step"""
    momentum: float = 0.9
    """Nesterov momentum"""
    weight_decay: float = 3e-4
    """added to the gradient of every weight that takes part in the step"""
    clip: float = 5.0
    """largest global norm of a gradient"""
    decay_all: bool = False
    """also update weights of operations off the path (by decay and momentum), as the original codes do"""


@dataclass(frozen=True)
class SplitConfig:
    """Scoring and splitting."""

    metric: str = "gradient_matching"
    """metric that says how alike two operations are"""
    groups: tuple[int, ...] = (2, 2, 2)
    """groups at each level of the tree; their product is the number of leaves K, if no node stays whole"""
    leaves: int | None = None
    """K, if given, is checked against `groups`"""
    batches: int = 8
    """training batches R that each similarity is averaged over; with `stability` the most"""
    stability: float | None = None
    """share of the resamplings in which a node's grouping must win before no more batches are scored; None: all
    `batches`"""
    background: str = "path"
    """the other edges while one is scored, a name of jaxnas.metrics.BACKGROUNDS: path, a random one between whose ends
    the edge lies, or uniform, the mixture of open operations"""
    objective: str = "cross_mean_minus_within_mean"
    """what a good grouping has little of, a name of jaxnas.splitting.OBJECTIVES: cross_mean_minus_within_mean,
    cross_sum, within_sum, normalised_cut"""
    edges: str = "best"
    """which edge is split, a name of jaxnas.splitting.EDGE_RULES: best (smallest objective), fixed, random,
    cheapest_cut, cheapest_cut_inverted"""
    order: tuple[int, ...] = ()
    """edges of the rule `fixed`, one a level"""
    ties: str = "lowest"
    """of groupings that score exactly alike, a name of jaxnas.splitting.TIES: lowest (edge, then smallest group),
    random (one is drawn), keep (the node stays whole)"""
    min_size: int = 1
    """fewest operations of a group"""


@dataclass(frozen=True)
class SearchConfig:
    """How leaves are trained, the evolution in each (enumeration where a leaf is no larger than the budget), and which
    leaf is taken."""

    algorithm: str = "uniform"
    """how leaves are trained: a name of jaxnas.search.ALGORITHMS"""
    budget: int = 100
    """architectures evaluated in each leaf; of other selectors, the most evaluations"""
    population: int = 25
    """architectures of a generation; of other selectors, those drawn at random in a leaf where leaves are compared by
    them"""
    parents: int = 10
    """best architectures so far, from which the next generation is bred"""
    mutation: float = 0.1
    """chance that a mutation redraws an edge"""
    leaf: str = "best"
    """leaf whose best architecture is kept: best (of all validation accuracies), or by an estimate on what was drawn at
    random in each leaf, a name of jaxnas.selection.ESTIMATES: mean, expected_best, upper_quantile, sized_best"""
    leaf_bias: bool = False
    """compare leaves after taking off what each scores above the warmed-up supernet on the architectures drawn at
    random in it, beyond what all leaves do; these are then evaluated twice"""


@dataclass(frozen=True)
class SelectionConfig:
    """How an architecture is taken from each trained leaf."""

    name: str = "evolution"
    """selector: a name of jaxnas.selection.SELECTORS"""
    recalibrate: int = 0
    """training batches whose statistics normalise what is validated; 0: those of each validation batch"""
    tune_epochs: int = 0
    """epochs between two decisions of a selector that decides edge by edge, at a tenth of the learning rate"""
    score: str = "naswot"
    """metric of the selectors that need no accuracy"""
