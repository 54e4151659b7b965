"""The prediction command: images of any kind in, the network's own classes out, one sentence for what cannot be."""

import csv
import io
import os
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest
from rich.console import Console

import jaxnas
from jaxnas.commands import predict
from jaxnas.config import DataConfig
from jaxnas.data import Colours, read_images
from jaxnas.nets import build_network
from jaxnas.predictor import Description, save_network
from jaxnas.spaces import TOY

CLASSES = ("cat", "dog", "[red]bird")


def saved(folder: Path, shape: tuple[int, int, int], downsample: int = 1) -> Path:
    """A work directory with a network of random weights."""
    folder.mkdir()
    about = Description(
        *("|nor_conv_3x3~0|+|skip_connect~1|", "toy", 4, 1, shape, CLASSES),
        colours=Colours((0.5,) * shape[2], (0.3,) * shape[2]),
        data=DataConfig(name="npz", size=32, downsample=downsample),
        test_accuracy=50.0,
    )
    network = build_network(TOY, channels=4, cells=1, classes=3, image_shape=shape, affine=True)
    save_network(folder / "network.npz", about, jax.jit(network.init)(jax.random.key(0)), network.init_stats())
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Of a network that takes 16x16 colour images and averages them to 8x8."""
    return saved(tmp_path_factory.mktemp("predict") / "run", (8, 8, 3), downsample=2)


@pytest.fixture(scope="module")
def grey(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("predict") / "grey", (8, 8, 1))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    (folder / "inner").mkdir()
    for name, size in (("b.png", (20, 30)), ("a.JPG", (64, 48)), ("inner/c.bmp", (5, 5)), (".hidden.png", (9, 9))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def printed(capsys: pytest.CaptureFixture) -> list[list[str]]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return list(csv.reader(io.StringIO(captured.out), delimiter="\t"))


def error(capsys: pytest.CaptureFixture) -> str:
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


def test_every_image_of_a_folder_gets_the_networks_class(run, pictures, capsys) -> None:
    assert predict.main([str(run), str(pictures)]) == 0
    header, *rows = printed(capsys)
    files = [pictures / "a.JPG", pictures / "b.png", pictures / "inner" / "c.bmp"]
    assert header == ["file", "class", "probability"]
    assert [row[0] for row in rows] == list(map(str, files))
    found = jaxnas.load(run).predict(read_images(files, 16, grey=False))
    assert [row[1] for row in rows] == list(found.names)
    assert [row[2] for row in rows] == [str(round(float(p), 4)) for p in found.probabilities.max(1)]


def test_all_classes_of_an_image_come_most_probable_first_and_go_to_a_csv(run, pictures, tmp_path, capsys) -> None:
    out = tmp_path / "rows.csv"
    assert predict.main([str(run), str(pictures / "b.png"), "--top", "3", "--csv", str(out)]) == 0
    rows = printed(capsys)
    assert sorted(row[1] for row in rows[1:]) == sorted(CLASSES)
    values = [float(row[2]) for row in rows[1:]]
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1, abs=2e-4)
    assert list(csv.reader(out.read_text().splitlines())) == rows


def test_images_are_grey_where_the_data_set_is(grey, pictures, capsys) -> None:
    assert predict.main([str(grey), str(pictures / "b.png")]) == 0
    found = jaxnas.load(grey).predict(read_images([pictures / "b.png"], 8, grey=True))
    assert printed(capsys)[1][1:] == [found.names[0], str(round(float(found.probabilities.max()), 4))]


def test_arrays_are_taken_as_they_are_beside_files(grey, pictures, tmp_path, capsys) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    np.save(tmp_path / "a.npy", images[..., 0])
    np.savez(tmp_path / "b.npz", anything=images[:1])
    paths = [tmp_path / "a.npy", pictures / "b.png", tmp_path / "b.npz"]
    assert predict.main([str(grey), *map(str, paths)]) == 0
    rows = printed(capsys)[1:]
    assert [row[0] for row in rows] == [*(f"{paths[0]}:{i}" for i in range(3)), str(paths[1]), f"{paths[2]}:0"]
    found = jaxnas.load(grey).predict(images)
    assert [rows[i][1] for i in (0, 1, 2, 4)] == [found.names[i] for i in (0, 1, 2, 0)]


def test_a_terminal_gets_a_table_with_names_as_they_are(run, pictures, capsys, monkeypatch) -> None:
    monkeypatch.setattr(predict, "Console", lambda **options: Console(force_terminal=True, width=200, **options))
    assert predict.main([str(run), str(pictures / "b.png"), "--top", "3"]) == 0
    shown = capsys.readouterr().out
    assert "probability" in shown and "[red]bird" in shown and "\t" not in shown and "│" in shown


def test_a_file_name_of_any_bytes_can_be_printed_and_written(run, pictures, tmp_path, capsys) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xffd\n.png"))
    odd.write_bytes((pictures / "b.png").read_bytes())
    assert predict.main([str(run), str(odd), "--csv", str(tmp_path / "rows.csv")]) == 0
    shown = f"{tmp_path}/o\\udcffd\\n.png"
    assert printed(capsys)[1][0] == shown
    assert shown in (tmp_path / "rows.csv").read_text()


def test_a_folder_is_searched_by_what_files_are_and_without_litter(run, pictures, tmp_path, capsys) -> None:
    for name in ("old.png.bak", "none", "__MACOSX/a.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes((pictures / "b.png").read_bytes())
    (tmp_path / "in" / "Thumbs.db").write_bytes(b"litter")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    assert predict.main([str(run), str(tmp_path / "in")]) == 0
    assert [Path(row[0]).name for row in printed(capsys)[1:]] == ["none", "old.png.bak"]


def test_an_archive_that_claims_more_than_it_holds_is_refused_before_it_is_unpacked(run, tmp_path, capsys) -> None:
    path, header = tmp_path / "lies.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 8, 8, 1)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(64))
    assert predict.main([str(run), str(path)]) == 2
    told = capsys.readouterr().err
    assert f"{path}:images claims (1099511627776, 8, 8, 1) in a member of 192 bytes" in told and told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{tmp}", "{pictures}"], "no trained network at {tmp}/network.npz: the run has not ended"),
        (["{run}"], "name at least one image"),
        (["{run}", "{pictures}/notes.txt"], "cannot read the image {pictures}/notes.txt"),
        (["{run}", "{tmp}/none.png"], "cannot read the image {tmp}/none.png"),
        (["{run}", "{tmp}/cut.png"], "cannot read the image {tmp}/cut.png"),
        (["{run}", "{tmp}/empty"], "{tmp}/empty holds no image; allowed: .png"),
        (["{run}", "{tmp}/none.npy"], "cannot read the array {tmp}/none.npy: absent"),
        (["{run}", "{tmp}/cut.npz"], "cannot read the array {tmp}/cut.npz"),
        (["{run}", "{tmp}/object.npy"], "cannot read the array {tmp}/object.npy"),
        (["{run}", "{tmp}/two.npz"], "must hold one array, of images, and holds ['x', 'y']"),
        (["{run}", "{tmp}/small.npy"], "uint8 [n, 16, 16, 3], not 'uint8 (2, 8, 8, 3)'"),
        (["{run}", "{tmp}/float.npy"], "uint8 [n, 16, 16, 3], not 'float64 (2, 16, 16, 3)'"),
        (["{run}", "{tmp}/none_of_them.npy"], "name at least one image"),
        (["{run}", "{pictures}", "--top", "4"], "--top must be 1 to 3, the number of classes; it is 4"),
        (["{run}", "{pictures}", "--top", "0"], "--top must be 1 to 3"),
        (["{run}", "{pictures}", "--csv", "{tmp}/none/rows.csv"], "No such file"),
        (["{wide}", "{pictures}"], "the network takes images of 8x12x2"),
    ],
)
def test_what_cannot_be_read_ends_with_one_sentence(arguments, told, run, wide, pictures, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.png").write_bytes((pictures / "b.png").read_bytes()[:200])
    np.savez(tmp_path / "two.npz", x=np.zeros(2), y=np.zeros(2))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:100])
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "small.npy", np.zeros((2, 8, 8, 3), np.uint8))
    np.save(tmp_path / "float.npy", np.zeros((2, 16, 16, 3)))
    np.save(tmp_path / "none_of_them.npy", np.zeros((0, 16, 16, 3), np.uint8))
    names = {"run": run, "wide": wide, "tmp": tmp_path, "pictures": pictures}
    assert predict.main([argument.format(**names) for argument in arguments]) == 2
    assert told.format(**names) in error(capsys)


def test_good_images_are_classified_beside_bad_ones_and_these_are_named(run, pictures, tmp_path, capsys) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cut.png").write_bytes((pictures / "b.png").read_bytes()[:200])
    (tmp_path / "photos" / "whole.png").write_bytes((pictures / "b.png").read_bytes())
    os.mkfifo(tmp_path / "pipe.png")
    good, out = str(pictures / "a.JPG"), tmp_path / "rows.csv"
    bad = ["/etc/passwd", str(tmp_path / "none.png"), str(tmp_path / "pipe.png"), "-", str(tmp_path / ("x" * 300))]
    given = [good, *bad, str(tmp_path / "photos"), good]
    assert predict.main([str(run), *given, "--csv", str(out)]) == 2
    captured = capsys.readouterr()
    rows = list(csv.reader(io.StringIO(captured.out), delimiter="\t"))
    assert [row[0] for row in rows] == ["file", good, str(tmp_path / "photos" / "whole.png"), good]
    assert rows[1] == rows[3] and list(csv.reader(out.read_text().splitlines())) == rows
    errors = captured.err.splitlines()
    assert len(errors) == len(bad) + 1 and all(line.startswith("error: cannot read ") for line in errors)
    for path, line in zip([*bad, str(tmp_path / "photos" / "cut.png")], errors, strict=True):
        assert path in line


def test_no_good_image_leaves_no_rows(run, tmp_path, capsys) -> None:
    out = tmp_path / "rows.csv"
    assert predict.main([str(run), "/etc/passwd", str(tmp_path / "none.png"), "--csv", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("error: ") == 2 and not out.exists()


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("predict") / "wide", (8, 12, 2))


def test_images_that_are_not_square_come_as_arrays(wide, tmp_path, capsys) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 12, 2), np.uint8))
    assert predict.main([str(wide), str(tmp_path / "a.npy")]) == 0
    assert len(printed(capsys)) == 3
