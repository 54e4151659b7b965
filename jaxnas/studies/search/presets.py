"""The settings of every preset of a study of one-shot search, by name."""

from dataclasses import replace

from jaxnas.few_shot.presets import PRESETS
from jaxnas.studies.search.config import StudyConfig

_SMALL = PRESETS["cifar10-small"]
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
    # A real study on a laptop, against true accuracies (--table): each supernet sees a million images, after which
    # uniform paths rank (tau 0.3 to 0.5).
    "cifar10-small": StudyConfig(
        data=_SMALL.data,
        net=_SMALL.net,
        optimizer=_SMALL.optimizer,
        algorithms=("uniform", "darts", "gdas", "dsnas", "drnas"),
        selectors=("magnitude", "perturbation", "zero_cost_perturbation", "best_of_sampled"),
        epochs=25,
        budget=130,
        ranked=300,
    ),
    # Settings of the literature, for accelerators.
    "cifar10": StudyConfig(tune_epochs=5),
}

ABOUT: dict[str, str] = {
    "smoke": "two algorithms on the toy space, scikit-learn's digits; needs nothing; about a minute on 2 CPU cores",
    "digits": "eight algorithms and five selectors on 320 distorted digits; needs nothing; was not measured",
    "cifar10-small": (
        "five algorithms and four selectors, a million images of CIFAR-10 at 16x16 each; needs --data.root and "
        "--table; hours on one CPU core"
    ),
    "cifar10": (
        "five algorithms and four selectors with the settings of the literature; needs --data.root and an "
        "accelerator; was not measured"
    ),
}
"""what each preset runs, needs, takes and gives"""
