"""Official files with few architectures, laid out by hand after the packages' own classes."""

import bz2
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

OPS = ["none", "skip_connect", "nor_conv_3x3"]
CELLS = [f"|{a}~0|+|{b}~1|" for a in OPS for b in OPS]  # the toy space in its own order
SHUFFLED = [CELLS[i] for i in (4, 0, 8, 2, 6, 1, 7, 3, 5)]  # the order of the files
TRUTH = {  # of CELLS; quarters, so that means over seeds are exact
    "cifar10": [10.25 + 8 * i for i in range(9)],
    "cifar100": [70.5 - 3 * i for i in range(9)],
    "imagenet16-120": [5.75 + 2 * i for i in range(9)],
}
SPLITS = {"cifar10": "ori-test", "cifar100": "x-test", "ImageNet16-120": "x-test"}
HOSTILE = b"cposix\nsystem\n(S'echo > %s'\ntR."  # the pickle that runs a command


def trial(dataset: str, cell: str, seed: int, epochs: int, accuracies: dict[str, float]) -> dict[str, Any]:
    """ResultsCount.state_dict(): every epoch of every split; wrong epochs and splits hold other values."""
    every = {f"{split}@{i}": 1.0 for split in accuracies for i in range(epochs)}
    last = {f"{split}@{epochs - 1}": value for split, value in accuracies.items()}
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": {i: 99.0 for i in range(epochs)},
        "train_acc5es": None,
        "train_losses": {i: 0.5 for i in range(epochs)},
        "train_times": OrderedDict({i: 1.5 for i in range(epochs)}),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": cell, "class_num": 10},
        "params": 0.1,
        "flop": 15.6,
        "seed": seed,
        "epochs": epochs,
        "latency": [0.01],
        "eval_names": list(accuracies),
        "eval_acc1es": every | last,
        "eval_times": dict.fromkeys(every, 0.5),
        "eval_losses": dict.fromkeys(every, 0.5),
    }


def results(cell: str, epochs: int, shift: float = 0) -> dict[str, Any]:
    """ArchResults.state_dict() of three seeds, whose mean on the test images is TRUTH + shift."""
    trials, seeds = {}, (777, 888, 999)
    for dataset, split in SPLITS.items():
        value = TRUTH[dataset.lower()][CELLS.index(cell)] + shift
        for seed, off in zip(seeds, (-1.5, 0.25, 1.25), strict=True):
            others = {"ori-test": 2.0} | ({} if dataset == "cifar10" else {"x-valid": 3.0})
            trials[dataset, seed] = trial(dataset, cell, seed, epochs, others | {split: value + off})
    return {
        "arch_index": SHUFFLED.index(cell),
        "arch_str": cell,
        "all_results": trials,
        "dataset_seed": {dataset: list(seeds) for dataset in SPLITS},
        "clear_net_done": True,
    }


def save(path: Path, value: Any) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(value, protocol=4)))


def write_nats(folder: Path) -> Path:
    """NATS-Bench's `simple` folder."""
    folder.mkdir()
    meta = {"meta_archs": SHUFFLED, "total_archs": 9, "arch2infos": None, "evaluated_indexes": set()}
    save(folder / "meta.pickle.pbz2", meta)
    for index, cell in enumerate(SHUFFLED):
        both = OrderedDict({"12": results(cell, 12, shift=-2), "200": results(cell, 200)})
        save(folder / f"{index:06d}.pickle.pbz2", both)
    return folder


def api_content() -> dict[str, Any]:
    """What NAS-Bench-201's API file holds."""
    infos = {i: {"less": results(cell, 12, shift=-2), "full": results(cell, 200)} for i, cell in enumerate(SHUFFLED)}
    return {"meta_archs": SHUFFLED, "total_archs": 9, "arch2infos": infos, "evaluated_indexes": set(infos)}


def write_api(path: Path, content: bytes | None = None) -> Path:
    """NAS-Bench-201's API file as torch.save wrote it in 2020: number, protocol, sizes, content, no storages."""
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(x, protocol=2) for x in (0x1950A86A20F9469CFC6C, 1001, sizes)]
    content = pickle.dumps(api_content(), protocol=2) if content is None else content
    path.write_bytes(b"".join(head) + content + pickle.dumps([], protocol=2))
    return path


def analog_content(truth: dict[tuple[int, ...], float], **wrong: Any) -> bytes:
    """AnalogNAS-Bench's file: records of classes of a module that is not there any more when it is read."""
    module = ModuleType("analognasbench.data")
    for name in ("Architecture", "DriftMeasurement"):
        setattr(module, name, type(name, (), {"__module__": module.__name__, "__qualname__": name}))

    def record(name: str, fields: dict[str, Any]) -> Any:
        made = getattr(module, name)()
        made.__dict__.update(fields)
        return made

    drift = record("DriftMeasurement", {"value": 10.0, "uncertainty": 0.5})
    records = {}
    for key, value in truth.items():
        fields = {"architecture": key, "baseline_accuracy": value, "noisy_accuracy": 10.0, "analog_drift_60": drift}
        records[key] = record("Architecture", fields | wrong)
    with mock.patch.dict(sys.modules, {"analognasbench": ModuleType("analognasbench"), module.__name__: module}):
        return pickle.dumps(records, protocol=4)
