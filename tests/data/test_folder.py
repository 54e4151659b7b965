"""Folders of images: the layouts, the fixed test share, names of classes, and files that are left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxnas.config import DataConfig
from jaxnas.data import Split
from jaxnas.data.folder import read_folder
from jaxnas.data.split import Reading
from jaxnas.types import UserError
from tests.data.files import write_images

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)


def read(root: Path, part: str, **settings: Any) -> Split:
    return reading(root, part, **settings).split


def reading(root: Path, part: str = "train", **settings: Any) -> Reading:
    return read_folder(DataConfig(name="folder", root=root, **{"size": 12, **settings}), part)


def refusal(root: Path, part: str = "train", **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(root, part, **settings)
    return str(caught.value)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_parts_in_folders_of_their_own_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    write_images(tmp_path, {"train/b": 2, "train/a": 3, "test/a": 1, "test/b": 1, "val/a": 1})
    train, test = read(tmp_path, "train"), read(tmp_path, "test")
    assert train.labels.tolist() == [0, 0, 0, 1, 1]
    assert test.labels.tolist() == [0, 1]
    assert train.names == test.names == ("a", "b")
    assert (train.images.dtype, train.images.shape) == (np.uint8, (5, 12, 12, 3))
    np.testing.assert_array_equal(train.images[3], pixels(tmp_path / "train" / "b" / "00.png"))


@pytest.mark.parametrize(("count", "tests"), [(2, 1), (4, 1), (9, 1), (10, 2), (15, 3)])
def test_a_fifth_of_every_class_is_the_test_part(count: int, tests: int, tmp_path: Path) -> None:
    write_images(tmp_path, {"a": count, "b": 2})
    train, test = read(tmp_path, "train"), read(tmp_path, "test")
    assert np.bincount(test.labels).tolist() == [tests, 1]
    assert np.bincount(train.labels).tolist() == [count - tests, 1]
    files = {pixels(path).tobytes() for path in tmp_path.rglob("*.png")}
    assert {image.tobytes() for image in (*train.images, *test.images)} == files


def test_the_test_share_follows_the_names_and_nothing_else(tmp_path: Path) -> None:
    # `printf a/03.png | sha256sum` begins 185aba45 and that of a/01.png 284abd9e: the smallest of a/00.png .. a/09.png
    write_images(tmp_path, {"a": 10, "b": 10})
    test = read(tmp_path, "test")
    chosen = {image.tobytes() for image in test.images[test.labels == 0]}
    assert {p.name for p in (tmp_path / "a").iterdir() if pixels(p).tobytes() in chosen} == {"01.png", "03.png"}


def test_only_the_files_of_the_part_are_opened(tmp_path: Path) -> None:
    write_images(tmp_path, {"train/a": 1, "train/b": 1, "test/a": 1, "test/b": 1})
    (tmp_path / "test" / "a" / "00.png").write_bytes(b"broken")
    assert len(read(tmp_path, "train")) == 2
    assert str(tmp_path / "test" / "a" / "00.png") in refusal(tmp_path, "test")


def test_what_systems_leave_among_images_is_passed_over_in_silence(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b": 2, ".cache": 1, "__MACOSX": 1})
    for name in ("a/.hidden.png", "a/._00.png", "a/desktop.ini", "b/Thumbs.db", "b/.DS_Store", "labels.csv"):
        (tmp_path / name).write_text("junk")
    for part in ("train", "test"):
        found = reading(tmp_path, part)
        assert found.split.names == ("a", "b") and len(found.split) == 2
        assert found.warnings == ()


def test_every_file_that_is_no_image_is_counted_and_named(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b": 2})
    for name in ("a/README.txt", "a/notes", "b/cat.heic", "b/scan.PDF", "b/labels.csv"):
        (tmp_path / name).write_text("junk")
    Image.fromarray(COLOURS).save(tmp_path / "b" / "x.tif")
    (tmp_path / "b" / "x.tif").rename(tmp_path / "b" / "photo.dng")  # of a camera's raw file Pillow shows a preview
    Image.fromarray(COLOURS).save(tmp_path / "lost.jpg")
    found = [reading(tmp_path, part) for part in ("train", "test")]
    assert [len(part.split) for part in found] == [2, 2]
    told = (
        f"left out of {tmp_path}: 3 files that are no images, a/README.txt, a/notes, b/labels.csv",
        f"left out of {tmp_path}: 3 pictures in formats not read here (convert to PNG or JPEG), b/cat.heic, "
        "b/photo.dng, b/scan.PDF",
        f"left out of {tmp_path}: 1 image in the folder of no class, lost.jpg",
    )
    assert found[0].warnings == found[1].warnings == told


def test_of_many_files_that_are_no_images_the_first_are_named(tmp_path: Path) -> None:
    write_images(tmp_path, {"train/a": 1, "train/b": 1, "test/a": 1, "test/b": 1})
    for i in range(9):
        (tmp_path / ("train" if i < 2 else "test") / "a" / f"{i}.txt").write_text("junk")
    for part in ("train", "test"):  # both parts are told of with either
        names = ", ".join(f"test/a/{i}.txt" for i in range(2, 7))
        assert reading(tmp_path, part).warnings == (
            f"left out of {tmp_path}: 9 files that are no images, {names} and 4 more",
        )


def test_what_lies_beside_images_does_not_move_them_between_the_parts(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 10, "b": 10})
    before = read(tmp_path, "test").images
    for i in range(20):
        (tmp_path / "a" / f"{i}.txt").write_text("junk")
    np.testing.assert_array_equal(read(tmp_path, "test").images, before)


def test_numbers_in_brackets_are_names_of_images_and_classes(tmp_path: Path) -> None:
    write_images(tmp_path, {"a (1)": 2, "a (2)": 2})
    for i in (1, 2):
        (tmp_path / "a (1)" / f"0{i - 1}.png").rename(tmp_path / "a (1)" / f"benign ({i}).png")
    found = reading(tmp_path)
    assert (len(found.split), found.split.names, found.warnings) == (2, ("a (1)", "a (2)"), ())


def test_the_setting_says_what_a_folder_holds(tmp_path: Path) -> None:
    write_images(tmp_path / "classes", {"train": 5, "test": 5, "bus": 5})
    assert read(tmp_path / "classes", "test", layout="classes").names == ("bus", "test", "train")
    assert "--data.layout classes" in refusal(tmp_path / "classes")
    write_images(tmp_path / "parts", {"train/a": 5, "train/b": 5, "test/a": 1, "test/b": 1})
    assert len(read(tmp_path / "parts", "test", layout="parts")) == len(read(tmp_path / "parts", "test")) == 2
    assert "holds folders" in refusal(tmp_path / "parts", layout="classes")
    write_images(tmp_path / "plain", {"a": 5, "b": 5})
    assert str(tmp_path / "plain" / "train") in refusal(tmp_path / "plain", layout="parts")
    assert "['auto', 'parts', 'classes'], not 'part'" in refusal(tmp_path / "plain", layout="part")


@pytest.mark.parametrize("name", ["b\n", "\x1b[2J", "caf\udce9", "<script>", "\u202egnp", "a\\b"])
def test_classes_of_any_name_are_read(name: str, tmp_path: Path) -> None:
    try:
        write_images(tmp_path, {"zebra": 2, name: 2})
    except OSError:
        pytest.skip("the file system refuses the name")
    assert set(read(tmp_path, "train").names) == {"zebra", name}


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "at least 2 classes"),
        ({"a": 3}, "at least 2 classes"),
        ({"a": 3, "b": 0}, "no image of the class 'b'"),
        ({"a": 3, "b": 1}, "at least 2 images"),
        ({"a": 3, "b": 2, "b/c": 2}, "holds folders: ['c']"),
        ({"train/a": 2, "train/b": 2, "valid/a": 2}, "train and test must both be there"),
        ({"train/a": 2, "train/b": 2, "test/a": 1, "test/c": 1}, "['b', 'c']"),
        ({"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 0}, "no image of the class 'b'"),
        ({"train": 3, "test": 3}, "--data.layout classes"),
        ({"train/a": 2, "test/a": 2}, "--data.layout classes"),
    ],
    ids=[
        *("empty", "one-class", "empty-class", "one-image", "nested", "no-test", "other-classes", "empty-test"),
        *("classes-called-parts", "one-class-in-parts"),
    ],
)
def test_other_layouts_are_refused(counts: dict[str, int], words: str, tmp_path: Path) -> None:
    root = write_images(tmp_path / "images", counts)
    root.mkdir(exist_ok=True)
    message = refusal(root)
    assert words in message
    assert "images" in message


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 2, -4, 30, 33])
def test_a_side_that_cannot_be_halved_twice_is_refused(size: int, tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b": 2})
    assert f"it is {size}" in refusal(tmp_path, size=size)


def test_errors_show_names_of_any_characters_in_one_line(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b\n\udcff": 2})
    (tmp_path / "b\n\udcff" / "00.png").write_bytes(b"damaged")
    message = next(m for m in (str(error) for error in _errors(tmp_path)) if "damaged" in m)
    assert message.isprintable() and "b\\n\\udcff/00.png" in message
    (tmp_path / "b\n\udcff" / "00.png").unlink()
    assert refusal(tmp_path).isprintable()
    (tmp_path / "b\n\udcff" / "01.png").unlink()
    assert refusal(tmp_path).isprintable()


def _errors(root: Path) -> Iterator[UserError]:
    for part in ("train", "test"):
        try:
            read(root, part)
        except UserError as error:
            yield error
