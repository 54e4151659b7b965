"""The file of a trained network: what is saved is loaded, predictions are the network's own, damage is told."""

import io
import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnas
from jaxnas.config import DataConfig, to_dict
from jaxnas.data import Colours
from jaxnas.nets import build_network
from jaxnas.predictor import Description, delivered_shape, load, save_network
from jaxnas.spaces import TOY
from jaxnas.types import UserError

ABOUT = Description(
    architecture="|nor_conv_3x3~0|+|skip_connect~1|",
    space="toy",
    channels=4,
    cells=1,
    image_shape=(8, 8, 3),
    classes=("cat", "dög", "a, b"),
    colours=Colours((0.2, 0.5, 0.7), (0.1, 0.2, 0.3)),
    data=DataConfig(name="folder", root=Path("somewhere"), size=8, train=None, distort=1.0),  # one's own images are not
    test_accuracy=61.25,
)
SMALL = ABOUT._replace(image_shape=(4, 4, 3))
NETWORK = build_network(TOY, channels=4, cells=1, classes=3, image_shape=(8, 8, 3), affine=True)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 128, (257, 8, 8, 3), dtype=np.uint8) + RNG.integers(0, 128, (257, 1, 1, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights() -> tuple[Any, Any]:
    """Parameters off their initial values, and the statistics of other images."""
    params = jax.jit(NETWORK.init)(jax.random.key(3))
    rng = np.random.default_rng(1)
    noisy = jax.tree.map(lambda leaf: leaf + jnp.asarray(rng.normal(0, 0.1, leaf.shape), jnp.float32), params)
    seen = jnp.asarray(rng.normal(size=(64, 8, 8, 3)), jnp.float32)
    return noisy, jax.jit(NETWORK.forward)(noisy, seen, jnp.array([2, 1]))[1]


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network")
    save_network(path / "network.npz", ABOUT, *weights)
    return path


@pytest.fixture(scope="module")
def arrays(folder) -> dict[str, np.ndarray]:
    with np.load(folder / "network.npz", allow_pickle=False) as archive:
        return dict(archive)


def changed(arrays: dict[str, np.ndarray], about: Any) -> dict[str, np.ndarray]:
    return {**arrays, "description": np.frombuffer(json.dumps(about).encode(), np.uint8)}


def plain(about: Description = ABOUT) -> dict[str, Any]:
    return {**about._asdict(), "data": to_dict(about.data)}


def test_what_is_saved_is_loaded(folder, weights, arrays) -> None:
    assert jaxnas.load is load
    assert load(folder).description == load(str(folder / "network.npz")).description == ABOUT
    leaves = jax.tree.leaves({"params": weights[0], "stats": weights[1]})
    stored = [value for name, value in arrays.items() if name != "description"]
    assert len(stored) == len(leaves) > 20
    assert all((a == b).all() for a, b in zip(stored, leaves, strict=True))


def test_predictions_are_the_networks_own_with_its_given_statistics(folder, weights) -> None:
    mean, deviation = (np.array(c, np.float32) for c in ABOUT.colours)
    inputs = (IMAGES.astype(np.float32) / 255 - mean) / deviation
    forward = jax.jit(lambda *given: NETWORK.forward(given[0], given[1], given[2], "given", given[3])[0])
    logits = np.asarray(forward(weights[0], inputs, jnp.array([2, 1]), weights[1]), float)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    expected = powers / powers.sum(1, keepdims=True)
    other = np.asarray(forward(weights[0], inputs, jnp.array([1, 2]), weights[1]), float)
    assert np.abs(other - logits).max() > 0.01 and len(set(logits.argmax(1))) > 1  # it matters what runs, and on what
    predict = load(folder).predict
    for n in (0, 1, 256, 257):
        found = predict(IMAGES[:n])
        assert found.probabilities.shape == (n, 3)
        np.testing.assert_allclose(found.probabilities, expected[:n], atol=1e-5)
        assert found.labels.tolist() == expected[:n].argmax(1).tolist()
        assert found.names == tuple(ABOUT.classes[label] for label in found.labels)


def test_images_are_averaged_as_the_run_averaged_them(weights, tmp_path) -> None:
    about = SMALL._replace(data=DataConfig(name="folder", size=8, downsample=2))
    save_network(tmp_path / "halved.npz", about, *weights)
    save_network(tmp_path / "whole.npz", SMALL, *weights)
    halves = np.zeros((5, 4, 4, 3))
    for dy in (0, 1):
        for dx in (0, 1):
            halves += IMAGES[:5, dy::2, dx::2] / 4
    assert delivered_shape(about) == (8, 8, 3)
    found = load(tmp_path / "halved.npz").predict(IMAGES[:5]).probabilities
    # A half is rounded to the even number, as numpy rounds.
    expected = load(tmp_path / "whole.npz").predict(np.rint(halves).astype(np.uint8)).probabilities
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "images",
    [
        *(IMAGES[0], IMAGES[:2, :4], IMAGES[..., :1], IMAGES[:1].astype(np.float32), np.uint8(3)),
        *(IMAGES.reshape(257, 3, 8, 8), np.zeros((0, 8, 8), np.uint8), np.array([["a"]])),
    ],
    ids=lambda images: f"{images.dtype} {images.shape}",
)
def test_other_images_are_refused_with_the_shape_that_is_taken(folder, images) -> None:
    with pytest.raises(UserError, match=r"takes uint8 images \[n, 8, 8, 3\], not ") as error:
        load(folder).predict(images)
    assert f"{images.dtype} {images.shape}" in str(error.value)


@pytest.mark.parametrize("path", ["none", "none/network.npz", "."])
def test_an_unfinished_run_has_no_network(path, tmp_path) -> None:
    with pytest.raises(UserError, match=r"no trained network at .*: the run has not ended"):
        load(tmp_path / path)


def test_a_truncated_file_is_told_wherever_it_ends(folder, tmp_path) -> None:
    whole = (folder / "network.npz").read_bytes()
    with zipfile.ZipFile(folder / "network.npz") as archive:
        members, directory = archive.infolist(), archive.start_dir
    places = {0, 1, 4, len(whole) - 1, len(whole) - 22, directory, directory + 1, (directory + len(whole)) // 2}
    for member in members:  # within its header, its name, its data
        places |= {member.header_offset + n for n in (0, 3, 29, 40, 60 + member.compress_size // 2)}
    for place in sorted(places):
        (tmp_path / "cut.npz").write_bytes(whole[:place])
        with pytest.raises(UserError, match="is damaged, or no network of jaxnas"):
            load(tmp_path / "cut.npz")


def test_a_flipped_byte_is_told_or_changes_nothing(folder, arrays, tmp_path) -> None:
    whole = (folder / "network.npz").read_bytes()
    places = np.random.default_rng(0).choice(len(whole), 150, replace=False)
    told = 0
    for place in places.tolist():
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        (tmp_path / "flipped.npz").write_bytes(flipped)
        try:
            assert load(tmp_path / "flipped.npz").description == ABOUT
            with np.load(tmp_path / "flipped.npz", allow_pickle=False) as archive:
                kept = dict(archive)
            assert all((kept[name] == arrays[name]).all() for name in kept) and len(kept) == len(arrays)
        except UserError as error:
            told += "damaged" in str(error)
    assert told > 90  # the rest are dates and the like


class Bomb:
    """An object whose unpickling creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_nothing_in_a_file_is_executed(arrays, tmp_path) -> None:
    bomb = np.array([Bomb(tmp_path / "executed")], object)
    name = next(name for name in arrays if name != "description")
    buffer = io.BytesIO()
    np.save(buffer, bomb, allow_pickle=True)
    np.savez(tmp_path / "weights.npz", allow_pickle=True, **{**arrays, name: bomb})
    np.savez(tmp_path / "description.npz", allow_pickle=True, **{**arrays, "description": bomb})
    (tmp_path / "array.npz").write_bytes(buffer.getvalue())
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(bomb))
    for file in sorted(tmp_path.glob("*.npz")):
        with pytest.raises(UserError, match="is damaged, or no network of jaxnas"):
            load(file)
    assert len(list(tmp_path.iterdir())) == 4
    np.load(tmp_path / "array.npz", allow_pickle=True)
    assert (tmp_path / "executed").exists()  # the bomb is a real one


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (plain() | {"space": "darts"}, r"unknown search space 'darts'; allowed: \['nas-bench-201', 'toy'\]"),
        (plain() | {"space": ["toy"]}, "TypeError"),
        (plain() | {"architecture": "|a~0|+|b~1|"}, "is no architecture of toy"),
        (plain() | {"architecture": 3}, "AttributeError"),
        (plain() | {"channels": 5}, "its arrays are not those of"),
        (plain() | {"channels": -4}, "positive numbers, not"),
        (plain() | {"cells": 2**70}, "describes a network of"),
        (plain() | {"cells": "1"}, "positive numbers, not"),
        (plain() | {"image_shape": [8, 8]}, "positive numbers, not"),
        (plain() | {"image_shape": [6, 6, 3]}, "multiples of 4"),
        (plain() | {"classes": ["a", "b"]}, "its arrays are not those of"),
        (plain() | {"classes": [1, 2, 3]}, "classes must be names"),
        (plain() | {"classes": []}, "classes must be names"),
        (plain() | {"colours": [[0.5], [0.2]]}, "colours must be 3 means and deviations"),
        (plain() | {"colours": [[0.5, 0.5, float("nan")], [0.2] * 3]}, "colours must be 3 means and deviations"),
        (plain() | {"data": {"name": "digits", "run": "rm"}}, r"network data has unknown names \['run'\]"),
        (plain() | {"data": [1]}, "damaged"),
        (plain() | {"data": to_dict(DataConfig(downsample=0))}, "positive numbers, not"),
        (plain() | {"more": 1}, "unexpected keyword"),
        ({"space": "toy"}, "missing"),
        ([1, 2], "damaged"),
        ("text", "damaged"),
    ],
)
def test_a_description_that_cannot_be_is_told(about, told, arrays, tmp_path) -> None:
    np.savez(tmp_path / "x.npz", **changed(arrays, about))
    with pytest.raises(UserError, match=told) as error:
        load(tmp_path / "x.npz")
    assert str(error.value).startswith(f"{tmp_path / 'x.npz'} is damaged, or no network of jaxnas (")


def test_arrays_that_are_not_the_networks_are_told(arrays, tmp_path) -> None:
    name = next(name for name in arrays if name != "description")
    fewer = {key: value for key, value in arrays.items() if key != name}
    for other in (
        fewer,
        {**arrays, "more": np.zeros(3)},
        {**arrays, name: arrays[name].astype(float)},
        {**arrays, name: arrays[name][..., :-1]},
        {"description": arrays["description"]},
        {key: value for key, value in arrays.items() if key != "description"},
        {**arrays, "description": np.frombuffer(b"[" * 100_000, np.uint8)},
        {**arrays, "description": np.zeros(3, np.uint8)},
    ):
        np.savez(tmp_path / "x.npz", **other)
        with pytest.raises(UserError, match="is damaged, or no network of jaxnas"):
            load(tmp_path / "x.npz")


def refused(file: Path) -> tuple[int, str]:
    """The most memory that loading a file took, in bytes, and why it was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            load(file)
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("member", ["more", "weights", "description"])
def test_a_file_that_claims_much_is_refused_before_it_is_unpacked(member, arrays, folder, tmp_path) -> None:
    load(folder)
    largest = max(arrays, key=lambda name: arrays[name].size)
    name = {"weights": largest}.get(member, member)
    kind = np.uint8 if member == "description" else np.float32
    claimed = (100 * 2**20 // np.dtype(kind).itemsize,)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.dtype(kind).str, "fortran_order": False, "shape": claimed}
    )
    np.savez_compressed(tmp_path / "x.npz", **{key: value for key, value in arrays.items() if key != name})
    archive = zipfile.ZipFile(tmp_path / "x.npz", "a", zipfile.ZIP_DEFLATED)
    with archive, archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
        stream.write(header.getvalue())
        for _ in range(100):
            stream.write(bytes(2**20))
    assert (tmp_path / "x.npz").stat().st_size < 2**20
    peak, error = refused(tmp_path / "x.npz")
    assert "is damaged, or no network of jaxnas (" in error and peak < 20 * 2**20


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"channels": 10**9}, "describes a network of"),
        ({"channels": 2**40}, "describes a network of"),
        ({"cells": 10**9}, "describes a network of"),
        ({"image_shape": [10**6, 10**6, 3]}, "describes images of 1000000000000 pixels"),
        ({"image_shape": [8, 8, 10**9], "colours": [[0.5] * 3, [0.2] * 3]}, "colours must be 1000000000 means"),
        ({"data": to_dict(DataConfig(downsample=10**9))}, "describes images of"),
    ],
)
def test_a_description_that_asks_for_much_makes_no_arrays(about, told, arrays, tmp_path) -> None:
    np.savez(tmp_path / "x.npz", **changed(arrays, plain() | about))
    peak, error = refused(tmp_path / "x.npz")
    assert told in error and peak < 20 * 2**20
