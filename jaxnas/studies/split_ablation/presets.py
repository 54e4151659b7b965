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
    # Four leaves a split, two levels: hours on a laptop. Needs --trees with splits of six metrics, or other --splits.
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
        splits=(*METRICS, "random:3", "none"),
        split=SplitConfig(groups=(2, 2), batches=4),
        warmup_epochs=100,
    ),
    # Against true accuracies (--table). Needs --trees with splits of two metrics, or other --splits.
    "cifar10-small": SplitAblationConfig(
        replace(
            _DEFAULT,
            data=replace(_SMALL.data, train=5_000, valid=1_000),
            net=_SMALL.net,
            algorithms=("uniform", "darts"),
            seeds=(0, 1),
            epochs=10,
            budget=50,
        ),
        splits=(*METRICS[:2], "random:1", "none"),
        split=SplitConfig(groups=(2, 2)),
        warmup_epochs=10,
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
