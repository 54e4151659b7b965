"""The settings of every preset of a few-shot run, by name."""

from dataclasses import replace

from jaxnas.config import DataConfig, NetConfig, OptimizerConfig, SearchConfig, SplitConfig
from jaxnas.few_shot.config import ControlConfig, FewShotConfig, TruthConfig

# Few images, and distorted: on a thousand of them as they are almost all cells reach 99 %, which tells none apart.
_DIGITS = DataConfig(name="digits", train=320, valid=1024, eval_batch=128, crop=1, flip=False, distort=0.75)
_CIFAR10 = DataConfig(name="cifar10", train=10_000, valid=2_000, test=10_000, downsample=2, crop=2)
_NO_TRUTH = TruthConfig(alone=0)

PRESETS: dict[str, FewShotConfig] = {
    # The toy space on real digits: every stage in seconds, for tests and a first look.
    "smoke": FewShotConfig(
        data=DataConfig(name="digits", train=256, valid=128, eval_batch=128, crop=1, flip=False),
        net=NetConfig(space="toy", channels=4, cells=1),
        split=SplitConfig(groups=(2,), batches=2),
        search=SearchConfig(budget=4, population=4, parents=2),
        control=ControlConfig(random_architectures=2),
        warmup_epochs=2,
        leaf_epochs=2,
        alone_epochs=8,
        quick_compile=True,
    ),
    # NAS-Bench-201 on scikit-learn's digits (8x8, real, no download). Cells differed more with 4 channels than with 8.
    # The unsplit supernet's ranking agrees with training alone by a tau-b of 0.37 on seeds 100 to 102, which chose the
    # setting, and of 0.22 on seeds 0 to 2.
    "digits": FewShotConfig(
        data=_DIGITS,
        net=NetConfig(channels=4, cells=1),
        optimizer=OptimizerConfig(rate=0.05),
        split=SplitConfig(groups=(2, 2), batches=4),
        search=SearchConfig(budget=50),
        truth=TruthConfig(alone=64),
        warmup_epochs=200,
        leaf_epochs=200,
        alone_epochs=50,
    ),
    # CIFAR-10 averaged to 16x16, a small supernet: a real study on a laptop, best with --truth.table. Each leaf has
    # seen a million images at its end; batches of 16 draw four times as many paths for them as batches of 64.
    "cifar10-small": FewShotConfig(
        data=replace(_CIFAR10, train=40_000, batch=16),
        net=NetConfig(channels=8, cells=1),
        optimizer=OptimizerConfig(rate=0.05),
        split=SplitConfig(groups=(2, 2), batches=64),
        search=SearchConfig(budget=50),
        truth=TruthConfig(every=5),
        warmup_epochs=12,
        leaf_epochs=15,
        alone_epochs=10,
    ),
    # One's own images, a few hundred or thousand of them: one folder a class, or an .npz file.
    "folder": FewShotConfig(
        data=DataConfig(name="folder", train=None, valid=None, size=32),
        net=NetConfig(channels=16, cells=1),
        search=SearchConfig(budget=50),
        truth=_NO_TRUTH,
        warmup_epochs=10,
        leaf_epochs=10,
        alone_epochs=50,
    ),
    # Search settings of the literature, for accelerators. Architectures are trained alone by the same recipe for 200
    # epochs, which is not the benchmark's recipe: accuracies are not to be compared with published ones.
    # Without a table no ranking is judged: 32 architectures trained alone cost more than the search.
    "cifar10": FewShotConfig(truth=_NO_TRUTH),
    # The same on CIFAR-100.
    "cifar100": FewShotConfig(data=DataConfig(name="cifar100"), truth=_NO_TRUTH),
    # The same on ImageNet16-120, half of whose training images validate.
    "imagenet16-120": FewShotConfig(
        data=DataConfig(name="imagenet16-120", train=75_850, valid=75_850, crop=2), truth=_NO_TRUTH
    ),
}
"""Presets of a few-shot run by name: a `FewShotConfig` each.

Example:
    >>> from jaxnas import PRESETS
    >>> PRESETS["smoke"].net.space, PRESETS["smoke"].split.groups
    ('toy', (2,))
"""

ABOUT: dict[str, str] = {
    "smoke": (
        "the toy space on scikit-learn's digits, to see every stage; needs nothing; about a minute on 2 CPU cores"
    ),
    "digits": (
        "NAS-Bench-201 on 320 distorted digits, its truth trained alone; needs nothing; 2 to 3 minutes on 2 CPU "
        "cores; supernets rank cells at tau 0.2"
    ),
    "cifar10-small": (
        "NAS-Bench-201 (C=8, N=1) on CIFAR-10 averaged to 16x16; needs --data.root, best --truth.table; about an "
        "hour on one CPU core; the supernet that is not split ranks cells at tau 0.45, averaged over looks at 0.52"
    ),
    "folder": "NAS-Bench-201 on your own images, one folder a class; needs --data.root; --dry-run says how long",
    "cifar10": (
        "NAS-Bench-201 at full size with the search settings of the literature; needs --data.root and an "
        "accelerator; was not measured"
    ),
    "cifar100": "as cifar10, on CIFAR-100; needs --data.root and an accelerator; was not measured",
    "imagenet16-120": "as cifar10, on ImageNet16-120; needs --data.root and an accelerator; was not measured",
}
"""what each preset runs, needs, takes and gives"""
