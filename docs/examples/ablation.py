"""An ablation over splits and seeds: by a metric, at random, and none. `python -m docs.examples.ablation WORKDIR`"""

import sys
from dataclasses import replace
from pathlib import Path

from jaxnas.studies.split_ablation.command import Command, run
from jaxnas.studies.split_ablation.presets import SPLITS

config = SPLITS["smoke"]
study = replace(config.study, algorithms=("uniform",), seeds=(0, 1))
config = replace(config, study=study, splits=("metric:snip", "random:1", "none"))
for row in run(Command(workdir=Path(sys.argv[1]), config=config), show=print):
    if row["rule"] == "validation":  # the leaf with the best validation accuracy is taken
        print(f"{row['split']:12} {row['true_accuracy']:.2f} %, less not split: {row['from_unsplit']}")
