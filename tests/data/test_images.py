"""Image files of every kind: which are images, and their pixels."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxnas.data import images, read_images
from jaxnas.data.images import FORMATS, SUFFIXES, UNREAD, is_image, is_unread_picture
from jaxnas.types import UserError

COLOURS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
WITHOUT_LOSS = ("png", "bmp", "dib", "tif", "ppm", "pcx", "tga", "qoi", "sgi", "rgb", "dds")
WITH_LOSS = ("jpg", "JPEG", "jfif", "mpo", "gif", "webp", "jp2", "j2k", "avif")
OF_OTHER_MODES = {"pgm": "L", "pbm": "1", "xbm": "1", "msp": "1", "blp": "P", "ico": "RGB", "icns": "RGBA"}


def write(path: Path, pixels: np.ndarray | Image.Image = COLOURS, **options: Any) -> Path:
    """One image, or a skipped test where this Pillow cannot write it."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    try:
        image.save(path, **options)
    except (KeyError, OSError, ValueError):
        pytest.skip(f"this Pillow writes no {path.suffix}")
    return path


@pytest.mark.parametrize("suffix", WITHOUT_LOSS)
def test_formats_without_loss_are_read_exactly(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{suffix}")
    assert is_image(path)
    np.testing.assert_array_equal(read_images([path], 12, False)[0], COLOURS)


@pytest.mark.parametrize("suffix", WITH_LOSS)
def test_formats_with_loss_are_read_nearly(suffix: str, tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(12), np.arange(12))[..., None] * np.array([4, 8, 10])
    path = write(tmp_path / f"a.{suffix}", smooth.astype(np.uint8), quality=95)
    assert is_image(path)
    assert np.abs(read_images([path], 12, False)[0].astype(int) - smooth).mean() < 8


@pytest.mark.parametrize("suffix", OF_OTHER_MODES)
def test_formats_of_other_modes_are_read(suffix: str, tmp_path: Path) -> None:
    square = Image.new("RGB", (32, 32))
    square.paste((255, 255, 255), (0, 0, 32, 16))
    path = write(tmp_path / f"a.{suffix}", square.convert(OF_OTHER_MODES[suffix]))
    assert is_image(path)
    found = read_images([path], 32, True)[0, ..., 0]
    assert (found[:14] > 250).all() and (found[18:] < 5).all()


@pytest.mark.parametrize("name", ["a", "a.jpg.bak", "a.JPG_large", "a.data"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "JPEG2000", "PPM", "WEBP"])
def test_what_begins_as_an_image_is_one_whatever_its_name(name: str, format: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(COLOURS).save(path, format=format)
    assert is_image(path)
    assert read_images([path], 12, False).shape == (1, 12, 12, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"P6 is a printer", b"BMW", b"#define X 1", b"\0\0\2" + bytes(9) + b"\4\0\4\0\x18\0" + bytes(48)],
    ids=["empty", "text", "ppm-like", "bmp-like", "header-file", "a TGA, which any bytes may be"],
)
def test_other_files_are_no_images(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert not is_image(path) and not is_unread_picture(path)
    path.rename(tmp_path / "a.png")
    assert is_image(tmp_path / "a.png")  # it says so, and is told to be damaged when it is read
    with pytest.raises(UserError, match=r"a\.png"):
        read_images([tmp_path / "a.png"], 12, False)


def test_folders_pipes_and_links_that_lead_nowhere_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    assert not any(is_image(path) for path in tmp_path.iterdir())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png.*no plain file"):
        read_images([tmp_path / "a.png"], 12, False)


@pytest.mark.parametrize("name", ["a.png", "a.eps", "a"])
def test_formats_that_start_other_programs_are_not_opened_whatever_their_name(name: str, tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / name, format="EPS")
    with pytest.raises(UserError, match=name):
        read_images([tmp_path / name], 12, False)


def test_pictures_that_are_not_read_are_known_by_their_names(tmp_path: Path) -> None:
    assert all(is_unread_picture(Path(f"a{suffix.upper()}")) for suffix in UNREAD)
    assert not set(UNREAD) & set(SUFFIXES)
    write(tmp_path / "a.tif").rename(tmp_path / "a.nef")  # Pillow would show the preview of a raw file
    assert not is_image(tmp_path / "a.nef")


def test_a_format_that_this_pillow_lacks_is_told_and_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for function in (images._formats, images._suffixes, images._formats_of):
        function.cache_clear()
    Image.init()
    monkeypatch.setattr(Image, "EXTENSION", {k: v for k, v in Image.EXTENSION.items() if v != "AVIF"})
    try:
        (tmp_path / "a.avif").write_bytes(b"\0\0\0\x1cftypavif")
        assert not is_image(tmp_path / "a.avif") and is_unread_picture(tmp_path / "a.avif")
    finally:
        for function in (images._formats, images._suffixes, images._formats_of):
            function.cache_clear()


def test_every_format_and_suffix_is_one_that_pillow_knows() -> None:
    Image.init()
    known = {*Image.OPEN}
    if "AVIF" in known and "QOI" in known:  # of a recent Pillow
        assert {*FORMATS} <= known
        registered = {suffix: name for suffix, name in Image.registered_extensions().items() if name in FORMATS}
        ours = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
        assert registered.items() <= ours.items()
        assert ours.keys() - registered.keys() <= {".mpo", ".pxr", ".pcd"}


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


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (12, 12), value) for value in (50, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_images([tmp_path / "a.gif"], 12, True) == 50).all()
