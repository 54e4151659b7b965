"""What grows with leaves, devices and sizes, by hand and by brute force; the guide's tables are the command's."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from experiments.bench import growth, jaxnas_steps, programs, scaling
from experiments.bench.growth import Part
from experiments.bench.rows import Setting
from jaxnas.arithmetic import count, minimum
from jaxnas.config import NetConfig, OptimizerConfig, SplitConfig
from jaxnas.data import Images
from jaxnas.search import ALGORITHMS
from jaxnas.spaces import TOY, Architecture
from jaxnas.studies.split_ablation.config import SplitAblationConfig
from jaxnas.studies.split_ablation.presets import SPLITS
from jaxnas.training.bilevel import build_bilevel_step

ROOT = Path(__file__).parent.parent.parent
TINY = Setting(space="toy", channels=4, cells=1, batch=4, image=8, steps=1, leaves=2)
WIDE = replace(TINY, channels=32)  # the stem, whose images need no gradient, hardly counts


def test_the_guide_holds_what_the_command_prints(monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    assert scaling.main([]) == 0
    printed = capsys.readouterr().out
    guide = (ROOT / "docs" / "scaling.md").read_text()
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(rows) > 30 and not [row for row in rows if row not in guide]
    kept = json.loads((scaling.KEPT / "programs.json").read_text())
    assert [(row["form"], row["strategy"]) for row in kept] == list(programs.PROGRAMS)


def test_the_mean_path_costs_the_mean_of_all_connected_paths() -> None:
    every = TOY.enumerate()
    each = [
        minimum(TOY, 4, 1, 10, (8, 8, 3), 4, Architecture(tuple(op_ids)))
        for op_ids in every[np.asarray(TOY.connected(every))].tolist()
    ]
    assert growth.path_step(TINY) == pytest.approx(sum(each) / len(each), rel=1e-12)


def test_the_state_of_a_leaf_is_its_weights_and_momentum() -> None:
    state = jax.eval_shape(jaxnas_steps.path(TINY).start)
    leaves = [leaf for leaf in jax.tree.leaves((state.params, state.opt)) if leaf.dtype == jnp.float32]
    assert growth.state_bytes(TINY) == 4 * sum(leaf.size for leaf in leaves) and state.stats is None


@pytest.mark.parametrize("name", growth.UNITS)
def test_a_search_step_costs_so_many_forward_passes(name: str, monkeypatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # whose convolutions have no columns of zeros
    path = np.array([1, 2], np.int32)
    for module, draw in (("uniform", "sample_connected"), ("scored_paths", "draw_path")):
        monkeypatch.setattr(import_module(f"jaxnas.search.{module}"), draw, lambda *of: jnp.asarray(path))
    algorithm = ALGORITHMS[name](TOY, **({"fix_at": None} if name == "dsnas" else {}))  # a sort has no rule
    step = build_bilevel_step(jaxnas_steps.build(WIDE), jaxnas_steps.unchanged, OptimizerConfig(), algorithm)
    state = jax.eval_shape(jaxnas_steps.mixed(WIDE).start)
    search = jax.eval_shape(lambda s: algorithm.init(jax.random.key(0), s.mask, s.params), state)
    batch = Images(jax.ShapeDtypeStruct((4, 8, 8, 3), jnp.float32), jax.ShapeDtypeStruct((4,), jnp.int32))
    forward = [growth.least(WIDE, architecture) / 3 for architecture in (None, Architecture((1, 2)))]
    assert count(step, state, search, batch, batch).products == pytest.approx(
        np.dot(growth.UNITS[name], forward), rel=0.03
    )


def test_the_parts_of_a_small_study_by_hand() -> None:
    study = replace(
        SPLITS["cifar10"].study,
        **{"net": NetConfig("toy", 4, 1), "algorithms": ("uniform", "darts"), "seeds": (0, 1), "epochs": 5},
        **{"ranked": 7, "random": 2},
    )
    config = SplitAblationConfig(study, splits=("random:1", "none"), split=SplitConfig(groups=(2,)), warmup_epochs=3)
    setting = Setting("toy", 4, 1, 64)
    path, mixed, steps = growth.path_step(setting), growth.mixed_step(setting), 25_000 // 64
    found = growth.study(config, named=1)
    assert [part[:3] for part in found] == [
        ("warm-up", 1, 2),
        ("uniform", 1, 2 * 3 * 2),  # seeds, splits, leaves
        ("darts", 1, 2 * 3 * 2),
        ("validation", 2 * 12, 8),
        ("random search", 1, 4),
    ]
    # The dearer algorithm, of two passes, sees 3 + 2 leaves x 2 passes x 5 epochs; two networks share them.
    expected = [
        3 * steps * path,
        5 * steps * path,
        5 * steps * 5 / 3 * mixed,
        25_000 / 64 * path / 3,
        11.5 * steps * path,
    ]
    assert [part.products for part in found] == pytest.approx(expected)


def test_the_busiest_device_by_hand() -> None:
    parts = [Part("a", 1, 5, 10.0), Part("b", 3, 4, 1.0)]
    assert [growth.on_devices(parts, devices) for devices in (1, 2, 4, 8)] == [62, 36, 23, 13]


def test_equations_run_as_often_as_their_loop_turns() -> None:
    def fn(index, x, y):
        x = lax.scan(lambda x, _: (jnp.tanh(x @ y) + 1, None), x, length=3)[0]  # 3 each of dot_general, tanh, add
        return lax.switch(index, (lambda x: x, lambda x: lax.sin(x @ x)), x)

    square = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    found = programs.equations(jax.make_jaxpr(fn)(1, square, square).jaxpr)
    assert (found["dot_general"], found["tanh"], found["add"], found["sin"]) == (4, 3, 3, 1)


def test_the_cost_of_a_program_by_hand(monkeypatch) -> None:
    def run(x, y):
        return lax.scan(lambda z, _: (z @ y, None), x, length=2)

    shapes = jax.ShapeDtypeStruct((2, 4, 4), jnp.float32), jax.ShapeDtypeStruct((4, 4), jnp.float32)
    monkeypatch.setattr(programs, "_program", lambda setting, form: (run, *shapes, 50))
    two_steps = replace(TINY, steps=2)
    one, both = (programs.cost(two_steps, "mixed", strategy) for strategy in ("map", "vmap"))
    assert one[:5] == ("mixed", "map", 2, 2 * 4**3, 50) and both[:5] == ("mixed", "vmap", 2, 2 * 4**3, 50)
    assert (one.kernels, both.kernels) == (2, 1)  # one after the other, at once
    assert (one.arguments, one.results) == (both.arguments, both.results) == (4 * (32 + 16), 4 * 32)


def test_paths_one_after_the_other_cost_little_more_than_the_least() -> None:
    run, states, items, least = programs._program(TINY, "path")
    counted = count(programs.parallel.over(run, "map"), states, items).products
    assert least <= counted <= 1.25 * least  # columns of zeros between images of 8 pixels
    assert least < 2 * growth.mixed_step(TINY)


def test_vectorised_leaves_and_accelerators_run_the_least(monkeypatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    run, states, items, least = programs._program(TINY, "mixed")
    assert count(jax.vmap(run, (0, None)), states, items).products == least
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), states)
    assert 2 * count(run, one, items).products == least
