"""The settings of every preset of the ablations, by name."""

from dataclasses import replace

from experiments.presets import PRESETS, STUDIES
from jaxnas.config import SplitAblationConfig

_SMOKE, _DIGITS, _SMALL = STUDIES["smoke"], STUDIES["digits"], STUDIES["cifar10-small"]
METRICS = ("gradient_matching", "snip", "ntk_condition", "naswot", "synflow", "live_parameters")

SPLITS: dict[str, SplitAblationConfig] = {
    # The toy space on real digits: seconds.
    "smoke": SplitAblationConfig(
        data=_SMOKE.data,
        net=_SMOKE.net,
        splits=("random:1", "none"),
        groups=(2,),
        algorithms=("uniform", "darts"),
        selector="enumeration",
        seeds=(0, 1),
        warmup_epochs=1,
        epochs=1,
        budget=4,
        ranked=2,
        random=2,
        alone_epochs=2,
        quick_compile=True,
    ),
    "digits": SplitAblationConfig(
        data=_DIGITS.data,
        net=_DIGITS.net,
        optimizer=_DIGITS.optimizer,
        splits=(*METRICS, "random:3", "none"),
        warmup_epochs=20,
        epochs=20,
        budget=50,
        alone_epochs=30,
    ),
    # Against true accuracies (--table).
    "cifar10-small": SplitAblationConfig(
        data=_SMALL.data,
        net=_SMALL.net,
        splits=(*METRICS[:2], "random:1", "none"),
        algorithms=("uniform", "darts"),
        seeds=(0, 1),
        warmup_epochs=10,
        epochs=10,
        budget=50,
    ),
    # Settings of the literature, for accelerators: every split of the metric-driven study by name (--trees).
    "cifar10": replace(
        SplitAblationConfig(data=PRESETS["cifar10"].data, splits=("random:3", "none")),
        algorithms=("uniform", "darts", "darts2", "snas", "dsnas", "reinforce"),
        selector="magnitude",
    ),
}
