"""The settings of every preset of a study of one-shot search, by name."""

from dataclasses import replace

from jaxnas.config import DataConfig, NetConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.studies.search.config import StudyConfig

_CIFAR10 = DataConfig(name="cifar10", train=10_000, valid=2_000, test=10_000, downsample=2, crop=2)
_QUICK = PRESETS["smoke"]
STUDIES: dict[str, StudyConfig] = {
    # The toy space on real digits: seconds.
    "smoke": StudyConfig(
        data=replace(_QUICK.data, train=128, batch=32),
        net=_QUICK.net,
        algorithms=("uniform", "darts"),
        selectors=("magnitude", "perturbation", "enumeration"),
        seeds=(0, 1),
        epochs=2,
        tune_epochs=1,
        budget=20,
        ranked=4,
        random=2,
        alone_epochs=2,
        quick_compile=True,
    ),
    # NAS-Bench-201 on the distorted digits of the few-shot preset, eight algorithms and five selectors.
    "digits": StudyConfig(
        data=PRESETS["digits"].data,
        net=PRESETS["digits"].net,
        optimizer=PRESETS["digits"].optimizer,
        algorithms=("uniform", "fairnas", "darts", "snas", "gdas", "dsnas", "reinforce", "drnas"),
        selectors=("magnitude", "perturbation", "zero_cost_perturbation", "best_of_sampled", "evolution"),
        epochs=200,
        tune_epochs=5,
        budget=130,
        ranked=32,
        alone_epochs=50,
    ),
    # A real study on a laptop, against true accuracies (--table).
    "cifar10-small": StudyConfig(
        data=_CIFAR10,
        net=NetConfig(channels=8, cells=1),
        algorithms=("uniform", "darts", "gdas", "dsnas", "drnas"),
        selectors=("magnitude", "perturbation", "zero_cost_perturbation", "best_of_sampled"),
        epochs=15,
        budget=130,
        ranked=100,
    ),
    # Settings of the literature, for accelerators.
    "cifar10": StudyConfig(tune_epochs=5),
}
