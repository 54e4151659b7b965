"""The settings of every preset of an ablation of splits, by name."""

from dataclasses import replace

from jaxnas.config import SplitConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.studies.search.presets import STUDIES
from jaxnas.studies.split_ablation.config import SplitAblationConfig

_DEFAULT = SplitAblationConfig().study
_DIGITS, _SMALL = STUDIES["digits"], STUDIES["cifar10-small"]
METRICS = ("gradient_matching", "snip", "ntk_condition", "naswot", "synflow", "live_parameters")

SPLITS: dict[str, SplitAblationConfig] = {
    # The toy space on real digits: seconds.
    "smoke": SplitAblationConfig(
        replace(STUDIES["smoke"], selectors=("enumeration",), epochs=1, tune_epochs=0, budget=4, ranked=2),
        splits=("random:1", "none"),
        split=SplitConfig(groups=(2,), batches=2),
        warmup_epochs=1,
    ),
    # Four leaves a split, two levels: hours on a laptop.
    "digits": SplitAblationConfig(
        replace(
            _DEFAULT,
            data=_DIGITS.data,
            net=_DIGITS.net,
            optimizer=_DIGITS.optimizer,
            epochs=100,
            budget=50,
            alone_epochs=50,
        ),
        splits=(*(f"metric:{name}" for name in METRICS), "random:3", "none"),
        split=SplitConfig(groups=(2, 2), batches=4),
        warmup_epochs=100,
    ),
    # Against true accuracies (--table), on leaves that see a million images each.
    "cifar10-small": SplitAblationConfig(
        replace(
            _SMALL,
            algorithms=("uniform",),
            selectors=("best_of_sampled",),
            seeds=(0, 1, 2, 3, 4),
            epochs=15,
            budget=50,
            ranked=25,
        ),
        splits=("metric:gradient_matching", "metric:naswot", "metric:nonlinear", "random:2", "none"),
        split=PRESETS["cifar10-small"].split,
        warmup_epochs=12,
    ),
    # Settings of the literature, for accelerators: every split of the metric-driven study by name (--trees).
    "cifar10": SplitAblationConfig(
        replace(
            _DEFAULT,
            data=PRESETS["cifar10"].data,
            algorithms=("uniform", "darts", "darts2", "snas", "dsnas", "reinforce"),
            selectors=("magnitude",),
        ),
        splits=("random:3", "none"),
    ),
}

ABOUT: dict[str, str] = {
    "smoke": (
        "a random split and none on the toy space, scikit-learn's digits; needs nothing; about a minute on 2 CPU cores"
    ),
    "digits": "six metrics, three random splits and none on 320 distorted digits; needs nothing; was not measured",
    "cifar10-small": (
        "three metrics, two random splits and none on CIFAR-10 at 16x16, five seeds; needs --data.root and "
        "--table; hours on one CPU core"
    ),
    "cifar10": (
        "splits of a file under six algorithms with the settings of the literature; needs --data.root, --trees and "
        "an accelerator; was not measured"
    ),
}
"""what each preset runs, needs, takes and gives"""
