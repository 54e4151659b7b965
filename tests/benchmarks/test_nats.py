"""NATS-Bench's folder: values as the package gives them, and every way in which a folder may be wrong."""

import bz2
import gzip
import hashlib
import lzma
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxnas.benchmarks import read_table
from jaxnas.benchmarks.contents import LIMIT
from jaxnas.benchmarks.nats import read_nats
from jaxnas.spaces import TOY
from jaxnas.types import UserError
from tests.benchmarks.files import CELLS, HOSTILE, SHUFFLED, TRUTH, save, write_nats

ONE = "000003.pickle.pbz2"  # of |none~0|+|nor_conv_3x3~1|


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nats(tmp_path_factory.mktemp("nats") / "NATS-tss-v1_0-3ffb9-simple")


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / written.name)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_nats(TOY, folder)
    return str(caught.value)


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    value = pickle.loads(bz2.decompress(path.read_bytes()))
    edit(value)
    save(path, value)


def test_the_package_gives_the_same_means(folder: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    api = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    table = read_nats(TOY, folder)
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        theirs = [api.get_more_info(cell, dataset, hp="200", is_random=False)["test-accuracy"] for cell in CELLS]
        assert table.accuracies[dataset.lower()].tolist() == pytest.approx(theirs, abs=1e-12)


def test_the_package_writes_what_is_read(tmp_path: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    folder = tmp_path / "simple"
    folder.mkdir()
    nats_bench.pickle_save({"meta_archs": SHUFFLED, "evaluated_indexes": set()}, str(folder / "meta.pickle"))
    for index, cell in enumerate(SHUFFLED):
        results = nats_bench.ArchResults(index, cell)
        for dataset, split in {"cifar10": "ori-test", "cifar100": "x-test", "ImageNet16-120": "x-test"}.items():
            one = nats_bench.ResultsCount(dataset, None, {}, {}, 0.1, 15.6, {"arch_str": cell}, 777, 200, None)
            one.update_OLD_eval(split, {199: TRUTH[dataset.lower()][CELLS.index(cell)]}, {199: 0.5})
            results.update(dataset, 777, one)
        nats_bench.pickle_save({"200": results.state_dict()}, str(folder / f"{index:06d}.pickle"))
    table = read_nats(TOY, folder)
    assert {name: values.tolist() for name, values in table.accuracies.items()} == TRUTH


def test_the_source_tells_the_training_and_the_digest_can_be_made_by_hand(folder: Path) -> None:
    table = read_nats(TOY, folder)
    for words in ("NATS-tss-v1_0-3ffb9-simple", "200 epochs", "mean over seeds", "ori-test", "x-test"):
        assert words in table.source
    files = sorted(folder.iterdir())
    lines = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    assert table.sha256 == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("seeds", [[777], [999, 777]])
def test_only_the_seeds_that_are_listed_count(seeds: list[int], folder: Path) -> None:
    change(folder / ONE, lambda both: both["200"]["dataset_seed"].update(cifar10=seeds))
    off = {777: -1.5, 888: 0.25, 999: 1.25}
    wanted = TRUTH["cifar10"][2] + sum(off[seed] for seed in seeds) / len(seeds)
    assert read_nats(TOY, folder).accuracies["cifar10"][2] == wanted


@pytest.mark.parametrize("missing", [1, 4])
def test_missing_architectures_are_counted(missing: int, folder: Path) -> None:
    for index in range(missing):
        (folder / f"{index:06d}.pickle.pbz2").unlink()
    assert f"lacks {missing} of the 9 architectures of toy" in refusal(folder)


def test_an_architecture_without_trials_on_a_data_set_is_missing(folder: Path) -> None:
    change(folder / ONE, lambda both: both["200"]["dataset_seed"].pop("cifar100"))
    assert "lacks 1 of the 9" in refusal(folder)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda m: m["meta_archs"].__setitem__(3, SHUFFLED[4]), "000003.pickle.pbz2 holds the results of another"),
        (
            lambda m: m["meta_archs"].__setitem__(3, "|conv~0|+|none~1|"),
            "meta.pickle.pbz2 entry 3: '|conv~0|+|none~1|'",
        ),
        (lambda m: m["meta_archs"].__setitem__(3, 3), "entry 3: an architecture of toy is a text, not a int"),
        (lambda m: m["meta_archs"].pop(), "000008.pickle.pbz2, which is none of the 8"),
        (lambda m: m.pop("meta_archs"), "has no list 'meta_archs'"),
    ],
    ids=["other-cell", "unknown-operation", "no-text", "out-of-range", "no-cells"],
)
def test_a_wrong_meta_file_is_told(edit: Callable[[Any], Any], words: str, folder: Path) -> None:
    change(folder / "meta.pickle.pbz2", edit)
    assert words in refusal(folder)


def test_an_architecture_given_twice_is_told(folder: Path) -> None:
    change(folder / "meta.pickle.pbz2", lambda m: m["meta_archs"].__setitem__(4, SHUFFLED[3]))
    (folder / "000004.pickle.pbz2").write_bytes((folder / ONE).read_bytes())
    message = refusal(folder)
    assert "000004.pickle.pbz2" in message and "given twice" in message


def trials(both: Any) -> Any:
    return both["200"]["all_results"]["cifar10", 888]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda b: b.pop("200"), "no results of 200 epochs"),
        (lambda b: b["200"]["all_results"].pop(("cifar10", 888)), "no results of 200 epochs"),
        (lambda b: trials(b).update(epochs=12), "no results of 200 epochs"),
        (lambda b: trials(b)["eval_acc1es"].pop("ori-test@199"), "no results of 200 epochs"),
        (lambda b: trials(b)["eval_acc1es"].update({"ori-test@199": "99"}), "no results of 200 epochs"),
        (lambda b: b["200"].update(dataset_seed=[777]), "no results of 200 epochs"),
        (lambda b: trials(b)["eval_acc1es"].update({"ori-test@199": 400.0}), "cifar10 must be a percentage"),
        (lambda b: trials(b)["eval_acc1es"].update({"ori-test@199": float("nan")}), "cifar10 must be a percentage"),
    ],
)
def test_wrong_results_are_told_with_their_file(edit: Callable[[Any], Any], words: str, folder: Path) -> None:
    change(folder / ONE, edit)
    message = refusal(folder)
    assert ONE in message and words in message


@pytest.mark.parametrize("name", ["meta.pickle.pbz2", ONE])
def test_a_hostile_file_is_refused_and_never_runs(name: str, folder: Path, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    (folder / name).write_bytes(bz2.compress(HOSTILE % str(sentinel).encode()))
    message = refusal(folder)
    assert name in message and "it names 'posix.system'" in message
    assert not sentinel.exists()


def test_a_file_that_unpacks_without_end_is_refused(folder: Path) -> None:
    (folder / ONE).write_bytes(bz2.compress(bytes(LIMIT + 1)))
    assert "holds more than 64 MiB" in refusal(folder)


LITTER = [
    "._000003.pickle.pbz2",
    "000003 (1).pickle.pbz2",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._meta.pickle.pbz2",
]


def test_litter_is_passed_over(folder: Path) -> None:
    digest = read_nats(TOY, folder).sha256
    for name in LITTER:
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / "__MACOSX").mkdir()
    table = read_table(TOY, folder)
    assert {name: values.tolist() for name, values in table.accuracies.items()} == TRUTH
    assert table.sha256 == digest


def test_the_meta_file_stands_for_its_folder(folder: Path) -> None:
    assert read_table(TOY, folder / "meta.pickle.pbz2").sha256 == read_table(TOY, folder).sha256


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, lambda content: content], ids=["gzip", "xz", "plain"])
def test_first_bytes_say_how_a_file_is_packed(pack: Callable[[bytes], bytes], folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(pack(bz2.decompress(path.read_bytes())))
    assert read_nats(TOY, folder).accuracies["cifar10"].tolist() == TRUTH["cifar10"]


def test_fractions_are_refused(folder: Path) -> None:
    def edit(both: Any) -> None:
        for trial in both["200"]["all_results"].values():
            trial["eval_acc1es"] = {name: value / 100 for name, value in trial["eval_acc1es"].items()}

    for path in folder.glob("0*.pbz2"):
        change(path, edit)
    assert "'cifar10' lies in 0 .. 1 for every architecture" in refusal(folder)


def test_a_folder_in_place_of_a_file_is_missing_and_an_empty_file_is_named(folder: Path) -> None:
    (folder / ONE).write_bytes(b"")
    assert ONE in refusal(folder)
    (folder / ONE).unlink()
    (folder / ONE).mkdir()
    assert "lacks 1 of the 9" in refusal(folder)
