"""The settings of a run: frozen dataclasses, one comment a field; unknown names are errors."""

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from jaxnas.types import UserError

Config = TypeVar("Config")


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
    size: int = 32
    """side that the images of `folder` are resized to, a multiple of 4"""
    grey: bool = False
    """read the images of `folder` as grey, one channel"""


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
    """groups at each level of the tree; their product is the number of leaves K"""
    leaves: int | None = None
    """K, if given, is checked against `groups`"""
    batches: int = 8
    """training batches R that each similarity is averaged over; with `stability` the most"""
    stability: float | None = None
    """share of resamplings in which a node's grouping must win for scoring to end; None: all `batches` are scored"""
    background: Literal["path", "uniform"] = "path"
    """the other edges while one is scored: a random connected path, or the uniform mixture of open operations"""
    objective: str = "cross_mean_minus_within_mean"
    """what a good grouping has little of: cross_mean_minus_within_mean, cross_sum, within_sum, normalised_cut"""
    edges: str = "best"
    """which edge is split: best (smallest objective), fixed, random, cheapest_cut, cheapest_cut_inverted"""
    order: tuple[int, ...] = ()
    """edges of the rule `fixed`, one a level"""
    ties: str = "lowest"
    """of exact ties: lowest (edge, then smallest group), random (one is drawn), keep (the node stays whole)"""
    min_size: int = 1
    """fewest operations of a group"""


@dataclass(frozen=True)
class SearchConfig:
    """Evolution in every leaf (enumeration where the leaf is no larger than the budget)."""

    budget: int = 100
    """architectures evaluated in each leaf"""
    population: int = 25
    """architectures of a generation"""
    parents: int = 10
    """best architectures so far, from which the next generation is bred"""
    mutation: float = 0.1
    """chance that a mutation redraws an edge"""
    leaf: str = "best"
    """leaf whose best architecture is kept: best (of all validation accuracies), or by an estimate on what was drawn at
    random in each leaf: mean, expected_best, upper_quantile, sized_best"""
    leaf_bias: bool = False
    """compare leaves less what each scores above the warmed-up supernet on its first generation, scored twice"""


@dataclass(frozen=True)
class ControlConfig:
    """What the method is compared with; every control sees as many training images as the method."""

    unsplit: bool = True
    """one supernet that is not split, trained and searched as long as all leaves together"""
    random_splits: int = 1
    """trees with the same numbers of groups, drawn at random instead of by the metric"""
    random_architectures: int = 8
    """architectures drawn at random and trained alone, of which the best on validation images is taken; 0: none"""


@dataclass(frozen=True)
class TruthConfig:
    """True accuracies, by which rankings are judged and nothing is chosen."""

    table: Path | None = None
    """benchmark table: CSV, or a file written by experiments.import_benchmark; None: train architectures alone"""
    alone: int = 32
    """architectures of the ranking sample where there is no table, each trained alone; 0: no ranking is judged"""
    queried: int = 200
    """architectures of the ranking sample where there is a table"""


@dataclass(frozen=True)
class FewShotConfig:
    """Few-shot NAS with its controls: warm-up, split, train the leaves, search, select, judge."""

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated, in every phase"""
    split: SplitConfig = field(default_factory=SplitConfig)
    """scoring and splitting"""
    search: SearchConfig = field(default_factory=SearchConfig)
    """evolution in every leaf"""
    control: ControlConfig = field(default_factory=ControlConfig)
    """what the method is compared with"""
    truth: TruthConfig = field(default_factory=TruthConfig)
    """true accuracies, by which rankings are judged"""
    warmup_epochs: int = 50
    """epochs of the full supernet before it is scored and split"""
    leaf_epochs: int = 50
    """epochs of each leaf, from the warmed-up weights"""
    alone_epochs: int = 200
    """epochs of the chosen architecture trained alone, from new weights"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard"] = "auto"
    """how the K leaves run: one after the other, as one program, vectorised, or spread over the devices"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""
    seed: int = 0
    """one seed for everything"""


@dataclass(frozen=True)
class StudyConfig:
    """One-shot search: every algorithm trains a supernet, from which every selector takes an architecture."""

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed; validation images also move the algorithm's logits"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated"""
    algorithms: tuple[str, ...] = ("uniform", "darts", "snas", "dsnas", "drnas")
    """how the supernet is trained"""
    selectors: tuple[str, ...] = ("magnitude", "perturbation", "best_of_sampled", "evolution")
    """how an architecture is taken from it"""
    seeds: tuple[int, ...] = (0, 1, 2)
    """supernets of each algorithm; all see the same images"""
    epochs: int = 50
    """epochs of a supernet"""
    tune_epochs: int = 0
    """epochs between two decisions of a selector that decides edge by edge, at a tenth of the learning rate"""
    budget: int = 100
    """most evaluations of a selector"""
    recalibrate: int = 0
    """training batches whose statistics normalise what is validated; 0: those of each validation batch"""
    score: str = "naswot"
    """metric of the selectors that need no accuracy"""
    ranked: int = 200
    """random architectures on which supernets are compared with the truth; 0: none"""
    random: int = 8
    """architectures of the random search: trained alone on as many images as the dearest supernet, together"""
    alone_epochs: int = 200
    """epochs of architectures that are trained alone for the truth, where there is no table"""
    table: Path | None = None
    """benchmark table of true accuracies; None: what is chosen is trained alone"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard"] = "auto"
    """how supernets of one algorithm run: one after the other, as one program, vectorised, or over the devices"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""


@dataclass(frozen=True)
class CorrelationConfig:
    """Metrics of untrained networks against true accuracies."""

    data: DataConfig = field(default_factory=DataConfig)
    """images; one batch of data.batch training images, not augmented, is scored on"""
    net: NetConfig = field(default_factory=lambda: NetConfig(channels=8))
    """the networks"""
    metrics: tuple[str, ...] = ()
    """metrics to compare; none: all that score an architecture"""
    architectures: int = 300
    """architectures, drawn from the whole space"""
    seed: int = 0
    """one seed for everything"""


@dataclass(frozen=True)
class MetricAblationConfig:
    """What every metric says of every edge of a supernet, over seeds and lengths of the warm-up."""

    data: DataConfig = field(default_factory=DataConfig)
    """images and how they are fed"""
    net: NetConfig = field(default_factory=NetConfig)
    """the supernet"""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """how weights are updated in the warm-up"""
    split: SplitConfig = field(default_factory=lambda: SplitConfig(batches=4))
    """scoring and splitting, but for `metric` and `stability`"""
    metrics: tuple[str, ...] = ()
    """metrics to compare; none: all"""
    tree_metrics: tuple[str, ...] = ()
    """those whose nodes below the root are scored too, for a tree of all levels; trees of the others have one level"""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """supernets, each with batches of its own; all see the same images"""
    warmups: tuple[int, ...] = (0, 10)
    """epochs after which weights are scored; a supernet is trained once, on the schedule of the longest"""
    strategy: Literal["auto", "loop", "map", "vmap", "shard"] = "auto"
    """how supernets and edges run: one after the other, as one program, vectorised, or over the devices"""
    quick_compile: bool = False
    """compile with few optimisations: slower steps, right for runs of seconds"""


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain JSON values."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value

    return plain(config)


def from_dict(kind: type[Config], values: dict[str, Any], where: str = "config") -> Config:
    """The config of `to_dict`. Raises UserError for an unknown name or a value of another type."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise UserError(f"{where} has unknown names {unknown}; allowed: {sorted(hints)}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None and type(None) in arguments else _value(arguments[0], value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], v, where) for v in value)
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if origin is None and hint is not float and type(value) is hint:
        return value
    if origin is Literal:
        raise UserError(f"{where} must be one of {list(arguments)}, not {value!r}")
    raise UserError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")
