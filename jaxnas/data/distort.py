"""Distortions that keep the label of an image, drawn once for each image of a data set; numpy and scipy."""

import numpy as np
from scipy.ndimage import affine_transform

from jaxnas.data.split import Split
from jaxnas.types import UserError

# At strength 1 each is drawn uniformly up to these, at another up to that part of them.
ROTATION = np.pi / 6  # radians, either way
SHEAR = 0.3  # columns for each row, either way
SCALE = 0.3  # natural logarithm of the factor of each axis, either way
SHIFT = 0.15  # of the side, along each axis, either way
PALE = 0.3  # share by which pixels move to the mean of the image
NOISE = 0.05  # deviation of the normal noise of a pixel, where 1 is the way from black to white


def distort(data: Split, strength: float, seed: list[int]) -> Split:
    """Every image scaled, sheared, rotated and shifted (`moved`), then paled, then with noise; labels as they are.

    The same strength and seed give the same images. Raises UserError for a strength outside 0 .. 1.
    """
    if not 0 <= strength <= 1:
        raise UserError(f"data.distort must lie in 0 .. 1, it is {strength:g}")
    if strength == 0:
        return data
    n, rng = len(data), np.random.default_rng(seed)
    angle, shear = (strength * rng.uniform(-most, most, n) for most in (ROTATION, SHEAR))
    scale, shift = (strength * rng.uniform(-most, most, (n, 2)) for most in (SCALE, SHIFT))
    pale, noise = (strength * rng.uniform(0, most, n) for most in (PALE, NOISE))
    sides, images = data.images.shape[1:3], np.empty_like(data.images)
    for i, image in enumerate(data.images):
        x = moved(image, angle[i], shear[i], np.exp(scale[i]), shift[i] * sides)
        x += pale[i] * (x.mean() - x) + 255 * noise[i] * rng.standard_normal(x.shape)
        images[i] = np.clip(np.rint(x), 0, 255)
    return Split(images, data.labels, data.classes, data.names)


def moved(image: np.ndarray, angle: float, shear: float, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The image [H, W, C] about its centre: scaled along (y, x), sheared, rotated, shifted by (y, x) pixels; float64.

    The angle is in radians, from the first axis (down) to the second (right). Between pixels values are bilinear; what
    comes from outside is black.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    forward = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, 0], [shear, 1]]) @ np.diag(scale)
    back, centre = np.eye(3), (np.array(image.shape[:2]) - 1) / 2
    back[:2, :2] = np.linalg.inv(forward)
    offset = np.append(centre - back[:2, :2] @ (centre + shift), 0)
    return affine_transform(image.astype(np.float64), back, offset, order=1, mode="grid-constant")
