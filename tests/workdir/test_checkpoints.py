"""Checkpoints that are whole or do not count."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.distributed import hosts
from jaxnas.types import UserError
from jaxnas.workdir.checkpoints import newest_checkpoint, save_checkpoint

ROOT = Path(__file__).parent.parent.parent
RECORD = {"seconds": 1.25, "metrics_bytes": 118}


def state(seed: int) -> dict[str, Any]:
    """Arrays of several types, large enough that orbax keeps one in a file of its own; a typed key."""
    rng = np.random.default_rng(seed)
    weights = jnp.asarray(rng.normal(size=(40, 50)), jnp.float32).at[0, :2].set(jnp.array([jnp.nan, -0.0]))
    rest = (np.int32(seed), np.array([[True], [False]]))
    return {"weights": [weights, *map(np.asarray, rest)], "key": jax.random.key(seed)}


def raw(tree: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    def plain(leaf: Any) -> np.ndarray:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return [(str(x.dtype), x.shape, x.tobytes()) for x in map(plain, jax.tree.leaves(tree))]


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints" / "leaves"
    for done in (1, 2, 10):
        save_checkpoint(folder, done, state(done), {**RECORD, "metrics_bytes": done})
    return folder


@pytest.fixture
def folder(committed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(committed, tmp_path / "checkpoints" / "leaves"))


def test_the_newest_is_restored_bit_by_bit_with_its_record(committed: Path) -> None:
    found = newest_checkpoint(committed, state(0))
    assert found is not None
    done, kept, record = found
    assert (done, raw(kept), jax.tree.structure(kept)) == (10, raw(state(10)), jax.tree.structure(state(10)))
    assert (record["seconds"], record["metrics_bytes"]) == (1.25, 10)


def test_typed_keys_of_older_versions_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hosts, "bits", lambda leaf: leaf)
        save_checkpoint(tmp_path / "leaves", 1, state(3), RECORD)
    assert "key<fry>[]" in (tmp_path / "leaves" / "1.json").read_text()
    _, kept, _ = newest_checkpoint(tmp_path / "leaves", state(0))
    assert kept["key"].dtype == state(3)["key"].dtype and raw(kept) == raw(state(3))


def test_the_last_two_are_kept(committed: Path) -> None:
    assert {path.name for path in committed.iterdir()} == {"2", "2.json", "10", "10.json"}


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path, state(0)) is None
    assert newest_checkpoint(tmp_path / "absent", state(0)) is None


def test_what_kills_have_left_does_not_count_and_goes(folder: Path) -> None:
    shutil.copytree(folder / "10", folder / "11")  # orbax has committed it, its record was not written
    shutil.copytree(folder / "10", folder / "12.orbax-checkpoint-tmp")
    (folder / "13.json.part").write_text("{")
    found = newest_checkpoint(folder, state(0))
    assert found is not None and found[0] == 10
    save_checkpoint(folder, 14, state(14), RECORD)
    assert {path.name for path in folder.iterdir()} == {"10", "10.json", "14", "14.json"}


def test_a_checkpoint_is_replaced_by_one_of_its_number(folder: Path) -> None:
    save_checkpoint(folder, 10, state(7), RECORD)
    found = newest_checkpoint(folder, state(0))
    assert found is not None and (found[0], raw(found[1])) == (10, raw(state(7)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes() or b"x")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def files(folder: Path, number: int) -> list[Path]:
    """Every file of a checkpoint, its record last."""
    return [*sorted(path for path in (folder / str(number)).rglob("*") if path.is_file()), folder / f"{number}.json"]


def test_every_kind_of_file_is_in_a_checkpoint(committed: Path) -> None:
    names = {path.relative_to(committed / "10").parts[0] for path in files(committed, 10)[:-1]}
    assert names >= {"d", "manifest.ocdbt", "ocdbt.process_0", "_METADATA", "_CHECKPOINT_METADATA", "_sharding"}


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_a_damaged_file_is_never_taken_for_a_whole_one(damage: Any, folder: Path) -> None:
    old, tried = raw(state(2)), 0
    for path in files(folder, 10):
        content = path.read_bytes()
        if damage is not Path.unlink and damage is not flip and not content:
            continue  # an empty file cannot be cut
        damage(path)
        found = newest_checkpoint(folder, state(0))
        assert found is not None and (found[0], raw(found[1])) == (2, old), path
        path.write_bytes(content)
        tried += 1
    assert tried >= 8
    found = newest_checkpoint(folder, state(0))
    assert found is not None and found[0] == 10  # whole again


def test_a_changed_record_is_damage(folder: Path) -> None:
    path = folder / "10.json"
    values = json.loads(path.read_text())
    others = {"seconds": 1.75, "metrics_bytes": 11, "state": {}, "digest": values["digest"][::-1], "more": 0}
    assert set(values) < set(others)
    for name, other in others.items():
        path.write_text(json.dumps({**values, name: other}))
        found = newest_checkpoint(folder, state(0))
        assert found is not None and found[0] == 2, name


def test_a_file_more_is_damage(folder: Path) -> None:
    (folder / "10" / "d" / "more").write_bytes(b"")
    found = newest_checkpoint(folder, state(0))
    assert found is not None and found[0] == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_without_a_whole_one_it_is_told(content: bytes, folder: Path) -> None:
    flip(files(folder, 2)[0])
    (folder / "10.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        newest_checkpoint(folder, state(0))
    assert str(caught.value) == f"the checkpoints [10, 2] in {folder} are damaged; move {folder.parent.parent} away"


@pytest.mark.parametrize(
    "other",
    [
        {"key": jax.random.key(0)},
        {**state(0), "more": np.zeros(1)},
        {**state(0), "key": jax.random.split(jax.random.key(0))},
        {**state(0), "weights": [state(0)["weights"][0].astype(jnp.bfloat16), *state(0)["weights"][1:]]},
    ],
    ids=["less", "more", "shape", "type"],
)
def test_a_state_of_another_form_is_told(other: Any, folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        newest_checkpoint(folder, other)
    told = f"{folder / '10'} was kept by another version of the program; choose another --workdir"
    assert str(caught.value) == told


def test_a_checkpoint_that_cannot_be_written_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "leaves").write_text("a file")
    with pytest.raises(OSError, match="leaves"):
        save_checkpoint(tmp_path / "leaves", 1, {"a": np.zeros(1)}, RECORD)


# In a process of its own: the limit is the process's, and threads of the writer speak after the error was raised.
FULL = """
import resource, sys, time
import numpy as np
from pathlib import Path
from jaxnas.workdir.checkpoints import save_checkpoint
state = {f"w{i}": np.random.default_rng(i).normal(size=(300, 30)).astype(np.float32) for i in range(40)}
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for done in range(1, 5):
    try:
        save_checkpoint(Path(sys.argv[1]), done, state, {})
    except OSError as error:
        print(str(error).split(" could not")[0])
time.sleep(0.5)
"""


def test_a_full_disk_is_an_error_and_nothing_beside_it(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert ended.stdout.splitlines() == [f"checkpoint {tmp_path / str(done)}" for done in range(1, 5)]
    assert (ended.returncode, ended.stderr) == (0, "")
