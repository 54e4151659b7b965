"""The result of a finished run, and its network. `python -m docs.examples.result WORKDIR`"""

import json
import sys
from pathlib import Path

import jaxnas
from jaxnas.data import load

workdir = Path(sys.argv[1])
result = json.loads((workdir / "result.json").read_text())
for row in result["contenders"]:  # a run of several seeds has result["table"], with means and intervals
    print(f"{row['name']:20} {row['architecture']} {row['test_accuracy']:.2f} %")
network = jaxnas.load(workdir)
test = load(network.description.data, seed=0).test()
print(network.predict(test.images[:8]).names)
