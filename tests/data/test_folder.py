"""Image files by class: the layouts, the fixed test share, and pixels of every kind of image file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxnas.config import DataConfig
from jaxnas.data import Split, read_images
from jaxnas.data.folder import read_folder
from jaxnas.types import UserError
from tests.data.files import write_images

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)


def read(root: Path, part: str, **settings: Any) -> Split:
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


def test_hidden_files_and_files_that_are_no_images_are_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b": 2, ".cache": 1})
    for name in ("a/.hidden.png", "a/notes.txt", "b/Thumbs.db", "labels.csv"):
        (tmp_path / name).write_text("junk")
    assert len(read(tmp_path, "train")) + len(read(tmp_path, "test")) == 4


def test_every_suffix_in_either_case_is_read(tmp_path: Path) -> None:
    write_images(tmp_path, {"a": 2, "b": 2})
    for suffix in ("jpg", "JPEG", "bmp", "gif", "webp", "tif", "TIFF", "PNG"):
        Image.fromarray(COLOURS).save(tmp_path / "b" / f"x.{suffix}")
    assert len(read(tmp_path, "train")) + len(read(tmp_path, "test")) == 12


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
        ({"a": 2, "b\n": 2}, "printable"),
    ],
    ids=["empty", "one-class", "empty-class", "one-image", "nested", "no-test", "other-classes", "empty-test", "name"],
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


def test_no_images_are_an_empty_array() -> None:
    assert read_images([], 8, True).shape == (0, 8, 8, 1)


def test_the_central_square_is_averaged(tmp_path: Path) -> None:
    wide = np.full((8, 24, 3), 255, np.uint8)
    wide[:, 8:16] = COLOURS[:8, :8]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(read_images([tmp_path / "wide.png"], 8, False)[0], COLOURS[:8, :8])
    checks = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)
    Image.fromarray(checks).save(tmp_path / "checks.png")
    small = read_images([tmp_path / "checks.png"], 8, True).astype(int)
    assert np.abs(small - 100).max() <= 3  # every block of 8x8 is half 0, half 200


def test_grey_is_the_luma_of_colours(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    luma = COLOURS @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(read_images([tmp_path / "a.png"], 12, True)[0, ..., 0] - luma).max() <= 1


def test_grey_files_become_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(COLOURS[..., 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_images([tmp_path / "a.png"], 12, False)[0], COLOURS[..., :1].repeat(3, -1))


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, lambda x: x), (3, lambda x: x[::-1, ::-1]), (6, lambda x: np.rot90(x, -1)), (8, np.rot90), (2, np.fliplr)],
)
def test_images_are_turned_upright(orientation: int, upright: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation  # the tag Orientation of EXIF; 6: the camera was turned to the right by a quarter
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_images([tmp_path / "a.png"], 12, False)[0], upright(COLOURS))


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    half = np.dstack([np.full((12, 12, 3), 100, np.uint8), np.full((12, 12, 1), 255, np.uint8)])
    half[:6, :, 3], half[6:9, :, 3] = 0, 51
    Image.fromarray(half).save(tmp_path / "a.png")
    image = read_images([tmp_path / "a.png"], 12, False)[0]
    # 100 * 51 / 255 + 255 * 204 / 255 = 224
    assert (image[:6] == 255).all() and (image[6:9] == 224).all() and (image[9:] == 100).all()


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_are_looked_up(transparent: bool, tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat([[0], [1]], 6, 0).repeat(12, 1).astype(np.uint8), "L")
    image = image.convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", **({"transparency": 1} if transparent else {}))
    read_back = read_images([tmp_path / "a.png"], 12, False)[0]
    assert (read_back[:6] == (10, 20, 30)).all()
    assert (read_back[6:] == ((255, 255, 255) if transparent else (40, 50, 60))).all()


def test_black_and_white_and_printing_colours_are_converted(tmp_path: Path) -> None:
    Image.fromarray(COLOURS[..., 0] > 99).save(tmp_path / "bits.png")
    bits = read_images([tmp_path / "bits.png"], 12, True)[0, ..., 0]
    np.testing.assert_array_equal(bits, np.where(COLOURS[..., 0] > 99, 255, 0))
    Image.new("CMYK", (12, 12), (255, 0, 0, 0)).save(tmp_path / "cyan.tif")
    assert read_images([tmp_path / "cyan.tif"], 12, False)[0, 0, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32], ids=["16-bit", "32-bit", "float"])
def test_more_than_8_bits_are_refused(kind: Any, tmp_path: Path) -> None:
    Image.fromarray(COLOURS[..., 0].astype(kind)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="8 bits") as caught:
        read_images([tmp_path / "a.tif"], 12, False)
    assert str(tmp_path / "a.tif") in str(caught.value)


@pytest.mark.parametrize("side", [10_000, 30_000, 2**31 - 1])
def test_an_image_that_claims_too_many_pixels_is_refused_before_it_is_decoded(side: int, tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.fromarray(COLOURS).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:18] + side.to_bytes(4, "little") * 2 + whole[26:])  # a bitmap's width and height
    with pytest.raises(UserError, match=r"a\.bmp.*DecompressionBomb"):
        read_images([path], 12, False)


def test_other_kinds_of_file_are_not_opened_whatever_their_name(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.ppm")
    (tmp_path / "a.ppm").rename(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png"):
        read_images([tmp_path / "a.png"], 12, False)


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (12, 12), value) for value in (50, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_images([tmp_path / "a.gif"], 12, True) == 50).all()
