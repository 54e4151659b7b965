"""AnalogNAS-Bench's file: orders checked against hand-made strings and NAS-Bench-201's accuracies; what is refused."""

import gzip
import importlib.util
import itertools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from jaxnas.benchmarks import read_csv, read_table
from jaxnas.benchmarks.analog import read_analog
from jaxnas.spaces import NAS_BENCH_201, TOY
from jaxnas.types import UserError
from tests.benchmarks.files import HOSTILE, analog_content

KEYS = list(itertools.product(range(5), repeat=6))
VALUES = [i % 997 / 10 for i in range(15_625)]


@pytest.fixture(scope="module")
def content() -> bytes:
    return analog_content(dict(zip(KEYS, VALUES, strict=True)))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_analog(NAS_BENCH_201, path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_operations_and_edges_are_those_of_hand_made_strings(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(content)
    table = read_analog(NAS_BENCH_201, path)
    for key, text in {
        (
            0,
            0,
            0,
            0,
            0,
            0,
        ): "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
        (1, 2, 3, 4, 0, 2): "|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|nor_conv_1x1~0|skip_connect~1|nor_conv_3x3~2|",
        (
            2,
            2,
            0,
            2,
            3,
            2,
        ): "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
        (1, 1, 4, 1, 1, 3): "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|",
    }.items():
        op_ids = np.array([NAS_BENCH_201.decode(text).op_ids])
        assert table.query(op_ids, "cifar10").tolist() == [VALUES[KEYS.index(key)]]


def test_file_folder_and_wheel_hold_the_same(content: bytes, tmp_path: Path) -> None:
    package = tmp_path / "analognasbench"
    package.mkdir()
    (package / "data.anb").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "wheel", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(package / "data.anb", "analognasbench/data.anb")
        archive.writestr("__MACOSX/analognasbench/._data.anb", b"\0")
    (package / "._data.anb").write_bytes(b"\0")
    (tmp_path / "data.gz").write_bytes(gzip.compress(content, 1))
    places = (package / "data.anb", package, tmp_path, tmp_path / "wheel", tmp_path / "data.gz")
    tables = [read_table(NAS_BENCH_201, path) for path in places]
    assert len({table.sha256 for table in tables}) == 1
    assert len({table.accuracies["cifar10"].tobytes() for table in tables}) == 1
    assert tables[1].source.startswith("analognasbench: AnalogNAS-Bench, baseline accuracy")


@pytest.mark.parametrize(
    ("truth", "wrong", "words"),
    [
        ({(0,) * 6: 50.0}, {}, "lacks 15624 of the 15625"),
        ({}, {}, "lacks 15625 of the 15625"),
        ({(0, 0, 0, 0, 0, 5): 50.0}, {}, "entry 0: an architecture is 6 operations from 0 to 4"),
        ({(0, 0, 0, 0, -1, 0): 50.0}, {}, "entry 0: an architecture is 6 operations"),
        ({(0,) * 5: 50.0}, {}, "entry 0: an architecture is 6 operations"),
        ({(0.0,) * 6: 50.0}, {}, "entry 0: an architecture is 6 operations"),
        ({"000000": 50.0}, {}, "entry 0: an architecture is 6 operations"),
        ({(0,) * 6: 50.0, (1,) * 6: 100.5}, {}, "entry 1: cifar10 must be a percentage from 0 to 100, not 100.5"),
        ({(0,) * 6: None}, {}, "entry 0: cifar10 must be a percentage from 0 to 100, not a NoneType"),
        ({(0,) * 6: 50.0}, {"architecture": (1,) * 6}, "entry 0: the results of (0, 0, 0, 0, 0, 0) are not filed"),
    ],
)
def test_a_wrong_entry_is_told(truth: dict[Any, Any], wrong: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(analog_content(truth, **wrong))
    assert words in refusal(path)


def test_a_hostile_file_is_refused_and_never_runs(content: bytes, tmp_path: Path) -> None:
    sentinel, path = tmp_path / "ran", tmp_path / "data.anb"
    for hostile in (HOSTILE % str(sentinel).encode(), content[:-1] + HOSTILE % str(sentinel).encode()):
        path.write_bytes(hostile)
        assert "it names 'posix.system'" in refusal(path)
        assert not sentinel.exists()


def test_another_space_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    assert "has no data.anb" in refusal(tmp_path)
    with pytest.raises(UserError, match="cells of nas-bench-201, not of toy"):
        read_analog(TOY, tmp_path)


def test_the_package_agrees_with_the_other_benchmark_as_no_other_order_of_edges_does(data_folder: Path) -> None:
    package = importlib.util.find_spec("analognasbench")
    if package is None or not package.submodule_search_locations:
        pytest.skip("analog-nasbench is not installed")
    analog = read_table(NAS_BENCH_201, Path(package.submodule_search_locations[0]))
    assert analog.sha256 == "85f3435b877aa2d36268d55ce07f6ff6d73643d17a840f1941745da5eb80db32"
    ours = analog.accuracies["cifar10"]
    truth = read_csv(NAS_BENCH_201, data_folder / "nats_bench_tss_200epochs.csv").accuracies["cifar10"]
    assert spearmanr(ours, truth).statistic == pytest.approx(0.9914, abs=1e-4)
    assert truth[ours.argmax()] == truth.max()  # two cells share the best accuracy there
    for swap in itertools.combinations(range(6), 2):
        axes = list(range(6))
        axes[swap[0]], axes[swap[1]] = axes[swap[1]], axes[swap[0]]
        assert spearmanr(ours.reshape((5,) * 6).transpose(axes).ravel(), truth).statistic < 0.98
