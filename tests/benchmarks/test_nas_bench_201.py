"""NAS-Bench-201's API file: values as the package gives them, both forms of torch.save, and what is refused.

All but the first test need torch, which the package imports.
"""

import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnas.benchmarks.nas_bench_201 import read_nas_bench_201
from jaxnas.spaces import TOY
from jaxnas.types import UserError
from tests.benchmarks.files import CELLS, HOSTILE, SHUFFLED, TRUTH, api_content, write_api


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_nas_bench_201(TOY, path)
    return str(caught.value)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nas_201_api"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch" in refusal(write_api(tmp_path / "api.pth")) and "pip install torch==2.13.0" in refusal(tmp_path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "2020"])
def test_the_package_gives_the_same_means(zipped: bool, torch: Any, tmp_path: Path) -> None:
    from nas_201_api import NASBench201API

    path = tmp_path / "api.pth"
    torch.save(api_content(), path, _use_new_zipfile_serialization=zipped)
    table, api = read_nas_bench_201(TOY, path), NASBench201API(api_content(), verbose=False)
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        theirs = [api.get_more_info(cell, dataset, None, hp="200", is_random=False)["test-accuracy"] for cell in CELLS]
        assert table.accuracies[dataset.lower()].tolist() == theirs == TRUTH[dataset.lower()]
    assert "200 epochs, mean over seeds" in table.source


def test_the_file_of_2020_is_what_torch_writes_in_its_old_form(torch: Any, tmp_path: Path) -> None:
    ours = write_api(tmp_path / "ours.pth", pickle.dumps({"a": 1}, protocol=2))
    torch.save({"a": 1}, tmp_path / "theirs.pth", _use_new_zipfile_serialization=False)
    assert ours.read_bytes() == (tmp_path / "theirs.pth").read_bytes()
    assert torch.load(write_api(tmp_path / "api.pth"), weights_only=True) == api_content()


def test_numpy_values_are_read(torch: Any, tmp_path: Path) -> None:
    content = api_content()
    content["arch2infos"][0]["full"]["all_results"]["cifar10", 777]["latency"] = [np.float64(0.01)]
    torch.save(content, tmp_path / "api.pth")
    assert read_nas_bench_201(TOY, tmp_path / "api.pth").accuracies["cifar10"].tolist() == TRUTH["cifar10"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "2020"])
@pytest.mark.parametrize("inside", [False, True], ids=["whole", "inside"])
def test_a_hostile_file_is_refused_and_never_runs(zipped: bool, inside: bool, torch: Any, tmp_path: Path) -> None:
    sentinel, path = tmp_path / "ran", tmp_path / "api.pth"
    command = HOSTILE % str(sentinel).encode()
    content = pickle.dumps(api_content(), protocol=2)[:-1] + command if inside else command
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("api/data.pkl", content)
            archive.writestr("api/version", "3\n")
    else:
        write_api(path, content)
    message = refusal(path)
    assert str(path) in message and "it names 'posix.system'" in message
    assert not sentinel.exists()


def test_tensors_are_refused(torch: Any, tmp_path: Path) -> None:
    for zipped in (True, False):
        torch.save({"weights": torch.zeros(2)}, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
        assert "is refused: it " in refusal(tmp_path / "x.pth")


def test_a_compressed_file_is_refused(torch: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "api.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("api/data.pkl", pickle.dumps(api_content()))
    assert "is compressed" in refusal(tmp_path / "api.pth")


def test_a_flipped_value_in_a_zip_is_found_by_its_checksum(torch: Any, tmp_path: Path) -> None:
    path = tmp_path / "api.pth"
    torch.save(api_content(), path)
    content = path.read_bytes()
    value = b"G" + np.array(10.25 - 1.5, ">f8").tobytes()  # a trial of the first architecture
    assert value in content
    path.write_bytes(content.replace(value, b"G" + np.array(11.0, ">f8").tobytes()))
    assert "damaged" in refusal(path)


def full(content: Any) -> Any:
    return content["arch2infos"][3]["full"]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["arch2infos"].pop(3), "lacks 1 of the 9 architectures of toy"),
        (lambda c: full(c)["dataset_seed"].pop("cifar100"), "lacks 1 of the 9 architectures of toy"),
        (lambda c: c["arch2infos"].update({9: c["arch2infos"][3]}), "results of 1 architectures beyond its 9"),
        (lambda c: c["meta_archs"].__setitem__(3, SHUFFLED[4]), "architecture 3: there are no results"),
        (lambda c: c["meta_archs"].__setitem__(3, "|conv~0|+|none~1|"), "architecture 3: '|conv~0|+|none~1|' is no"),
        (lambda c: c["arch2infos"][3].update(full="other.pth"), "architecture 3: there are no results"),
        (lambda c: c["arch2infos"].update({3: []}), "architecture 3: there are no results"),
        (lambda c: full(c)["all_results"].pop(("cifar10", 888)), "architecture 3: the results are not in"),
        (lambda c: full(c).update(all_results=[]), "architecture 3: the results are not in"),
        (lambda c: full(c)["all_results"]["cifar10", 888].update(epochs=12), "architecture 3: the results are not in"),
        (lambda c: full(c)["all_results"]["cifar10", 888].update(get_eval=7), "architecture 3: the results are not in"),
        (
            lambda c: full(c)["all_results"]["cifar10", 888]["eval_acc1es"].update({"ori-test@199": 1e9}),
            "architecture 3: cifar10 must be a percentage",
        ),
        (lambda c: c.pop("arch2infos"), "has no 'meta_archs' and 'arch2infos'"),
        (lambda c: c.update(meta_archs={}), "has no 'meta_archs' and 'arch2infos'"),
    ],
)
def test_a_wrong_file_is_told(edit: Callable[[Any], Any], words: str, torch: Any, tmp_path: Path) -> None:
    content = api_content() | {"meta_archs": list(SHUFFLED)}
    edit(content)
    path = write_api(tmp_path / "api.pth", pickle.dumps(content, protocol=2))
    assert words in refusal(path) and str(path) in refusal(path)


def test_an_architecture_given_twice_is_told(torch: Any, tmp_path: Path) -> None:
    content = api_content() | {"meta_archs": [*SHUFFLED, SHUFFLED[3]]}
    content["arch2infos"][9] = content["arch2infos"][3]
    path = write_api(tmp_path / "api.pth", pickle.dumps(content, protocol=2))
    assert f"architecture 9: {SHUFFLED[3]!r} is given twice" in refusal(path)
