"""Image files by Pillow: which formats are read, which files are images, and their pixels.

An image is turned upright (EXIF), laid on white where it is transparent, cut to its central square and resized to
`size` x `size` with Pillow's Lanczos filter, which averages where it shrinks. Of an animation the first frame counts.
"""

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from jaxnas.types import UserError, shown, truncated_repr

# Pillow opens nothing else, whatever a file is called. Left out are formats that start another program or need one
# (EPS, WMF, MPEG, BUFR, GRIB, HDF5), that hold files of any format (IPTC), that unpack without a bound (FITS), that
# hold measurements (MCIDAS, SPIDER), and that Pillow is to drop (IM).
FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx", ".jpc", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "ICO": (".ico",),
    "ICNS": (".icns",),
    "CUR": (".cur",),
    "DIB": (".dib",),
    "DDS": (".dds",),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "PCX": (".pcx",),
    "DCX": (".dcx",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "XBM": (".xbm",),
    "XPM": (".xpm",),
    "MSP": (".msp",),
    "FLI": (".fli", ".flc"),
    "PCD": (".pcd",),
    "PIXAR": (".pxr",),
    "BLP": (".blp",),
    "FTEX": (".ftc", ".ftu"),
    "GBR": (".gbr",),
    "XVTHUMB": (),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
# Pictures of a kind that is not read: of cameras and telephones, drawings, and of other libraries. A raw file would
# else be read as the small preview in it, which is a TIFF.
UNREAD = (
    *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".svg", ".eps", ".ps", ".ai", ".pdf", ".wmf", ".emf", ".xcf", ".exr"),
    *(".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".fits", ".dcm"),
)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # at most 8 bits a channel


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix, or, if that says nothing, by how it begins. Nothing is decoded.

    A file with an image's suffix is one even if it is damaged, so that `read_images` tells of it.
    """
    suffix = path.suffix.lower()
    if suffix in _suffixes():
        return True
    return not is_unread_picture(path) and path.is_file() and _begins_as_image(path)


def is_unread_picture(path: Path) -> bool:
    """Whether the suffix says that a file is a picture, of a kind that is not read, here or anywhere."""
    suffix = path.suffix.lower()
    return suffix in UNREAD or (suffix in SUFFIXES and suffix not in _suffixes())


def read_images(paths: Sequence[Path], size: int, grey: bool) -> np.ndarray:
    """Pixels uint8 [n, size, size, C] of image files, C 1 if `grey` and else 3.

    Raises UserError naming the file that is broken, no image, too large or of more than 8 bits a channel.
    """
    if size < 4 or size % 4:
        raise UserError(f"data.size must be a multiple of 4, the network halves the sides twice; it is {size}")
    pixels = np.empty((len(paths), size, size, 1 if grey else 3), np.uint8)
    for i, path in enumerate(paths):
        pixels[i] = _decoded(path, size, grey)
    return pixels


@cache
def _formats() -> tuple[str, ...]:
    """The formats that this Pillow has."""
    from PIL import Image, features

    Image.init()
    able = set(Image.EXTENSION.values()) - (set() if features.check("jpg_2000") else {"JPEG2000"})
    return tuple(name for name, suffixes in FORMATS.items() if name in Image.OPEN and (name in able or not suffixes))


@cache
def _suffixes() -> frozenset[str]:
    return frozenset(suffix for name in _formats() for suffix in FORMATS[name])


@cache
def _formats_of(suffix: str) -> tuple[str, ...]:
    """Formats that a file may be of: those with a signature, and of the others, such as TGA, only that of its suffix.

    Almost any bytes may be an image of a format without a signature.
    """
    from PIL import Image

    signed = [name for name in _formats() if Image.OPEN[name][1] is not None]
    return (*(name for name in _formats() if name not in signed and suffix in FORMATS[name]), *signed)


def _begins_as_image(path: Path) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path, formats=_formats_of("")).close()
    except Image.DecompressionBombError:  # an image, which is told to be too large when it is read
        return True
    except Exception:  # what is no image raises almost anything
        return False
    return True


def _decoded(path: Path, size: int, grey: bool) -> np.ndarray:
    """Pixels uint8 [size, size, C] of one image."""
    from PIL import Image, ImageOps

    where = shown(str(path))
    try:
        if path.exists() and not path.is_file():
            raise OSError("no plain file")  # a pipe or device could be read without end
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; pixels that are missing are errors
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow's bound, before any pixel is read
            with Image.open(path, formats=_formats_of(path.suffix.lower())) as image:
                if image.mode not in MODES:
                    raise UserError(f"{where} is of mode {image.mode}; convert it to 8 bits a channel, grey or colour")
                upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                layer = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            plain = upright.convert("L" if grey else "RGB")
            square = ImageOps.fit(plain, (size, size), method=Image.Resampling.LANCZOS)
            return np.asarray(square).reshape(size, size, -1)
    except UserError:
        raise
    except Exception as error:  # a damaged image raises almost anything
        reason = f"{type(error).__name__}: {truncated_repr(str(error))}"
        raise UserError(f"cannot read the image {where}: damaged, too large or no image ({reason})") from error
