"""A few-shot run: the preset `smoke`, split by another metric. `python -m docs.examples.run WORKDIR`"""

import sys
from dataclasses import replace
from pathlib import Path

from jaxnas import PRESETS, run_few_shot
from jaxnas.data import load
from jaxnas.few_shot.page import write_report

workdir, config = Path(sys.argv[1]), PRESETS["smoke"]
config = replace(config, split=replace(config.split, metric="snip"))
dataset = load(config.data, config.seed)
result = run_few_shot(config, workdir, dataset, show=print)
for contender in result["contenders"]:
    print(f"{contender['name']:20} {contender['architecture']} {contender['test_accuracy']:.2f} %")
print(write_report(workdir))
