"""The benchmark: how it times, judges, refuses and goes on. No time of this machine is a test."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from experiments.bench import catalogue, devices, inputs, rows, timing, torch_steps, training
from experiments.bench import command as benchmark
from experiments.bench.rows import Case, Line, Measured, Setting, build_row
from jaxnas.distributed import parallel
from jaxnas.spaces import TOY

TINY = Setting(
    space="toy",
    **{"channels": 4, "cells": 1, "batch": 4, "image": 8, "steps": 2, "repeats": 2, "slow_repeats": 2, "leaves": 2},
    **{"architectures": 2, "eval_batches": 1, "eval_batch": 8, "matrix": 16, "copied": 64},
    **{"confirm": False, "compiled_peer": False},
)


# Timing.


def test_contenders_run_in_turn_and_the_first_round_is_not_timed() -> None:
    calls, now = [], [0.0]

    def contender(name: str, costs: list[float]):
        left = iter(costs)

        def call() -> None:
            calls.append(name)
            now[0] += next(left)

        return call

    contenders = {"a": contender("a", [100, 1, 2, 3]), "b": contender("b", [200, 10, 30, 20])}
    seconds = timing.interleave(contenders, 3, clock=lambda: now[0])
    assert "".join(calls) == "abababab"
    assert seconds == {"a": [1, 2, 3], "b": [10, 30, 20]}


def test_middle_and_spread_by_hand() -> None:
    assert timing.middle([5.0, 1.0, 3.0, 100.0]) == 4.0
    assert timing.spread([4.0, 1.0, 3.0, 2.0, 5.0]) == [2.0, 4.0]
    assert timing.spread([1.0, 2.0]) == [1.25, 1.75]
    assert timing.spread([7.0]) is None


def test_a_fresh_process_runs_the_function() -> None:
    assert timing.apart(divmod, 17, 5) == (3, 2)


# Rows.


def test_the_ratio_of_medians_is_judged() -> None:
    line = Line("a step", "s", "peer", goal=1.5, aim=1.0)
    row = build_row(line, Measured([2.0, 3.0, 10.0], [2.0, 1.0, 9.0]), TINY)
    assert (row["value"], row["peer_value"], row["ratio"], row["met"]) == (3.0, 2.0, 1.5, True)
    assert (row["spread"], row["peer_spread"], row["n"]) == ([2.5, 6.5], [1.5, 5.5], 3)
    assert (row["goal"], row["aim"], row["peer"], row["note"]) == (1.5, 1.0, "peer", None)
    assert row["setting"] == {"channels": 4, "cells": 1, "batch": 4, "image": 8}
    assert build_row(line, Measured([3.1], [2.0]), TINY)["met"] is False


def test_without_a_peer_the_value_itself_is_judged() -> None:
    assert build_row(Line("compile", "s", goal=3.0), Measured([2.0]), TINY)["met"] is True
    assert build_row(Line("compile", "s", goal=3.0), Measured([4.0]), TINY)["met"] is False
    assert build_row(Line("rate", "GB/s"), Measured([4.0]), TINY)["met"] is None


def test_a_peer_that_cannot_run_leaves_its_numbers_empty() -> None:
    row = build_row(Line("a step", "s", "PyTorch", goal=1.0), Measured([2.0], None, "why"), TINY)
    assert (row["value"], row["note"]) == (2.0, "why")
    assert [row[name] for name in ("peer_value", "peer_spread", "ratio", "met", "spread")] == [None] * 5


def test_without_a_goal_nothing_is_met() -> None:
    row = build_row(Line("a step", "s", "PyTorch"), Measured([2.0], [4.0]), TINY)
    assert (row["ratio"], row["met"]) == (0.5, None)


def test_names_of_rows_differ_and_settings_add_theirs() -> None:
    names = {
        name: [line.case for case in catalogue.catalogue(s) for line in case.lines] for name, s in rows.SETTINGS.items()
    }
    assert all(len(set(found)) == len(found) for found in names.values())
    extra = set(names["full"]) - set(names["quick"])
    assert extra == {"path step, N = 5, batch 64", "mixed step, N = 5, batch 64", "mixed step, torch.compile"}


# The command.


@pytest.fixture
def fake(monkeypatch):
    """Three cases whose measurements are counted; the second has two lines. The value of `stop` fails."""
    measured: list[str] = []

    def case(*names: str) -> Case:
        def measure(setting: Setting) -> list[Measured]:
            measured.append(names[0])
            if fake.stop == names[0]:
                raise KeyboardInterrupt
            return [Measured([float(setting.channels)], [2.0]) for _ in names]

        return Case(TINY, measure, tuple(Line(name, "s", "peer", goal=1.0) for name in names))

    class fake:
        stop = ""
        calls = measured

    monkeypatch.setattr(benchmark, "catalogue", lambda setting: [case("one"), case("two", "deux"), case("three")])
    return fake


def command(workdir, *flags: str) -> int:
    return benchmark.main(["quick", "--workdir", str(workdir), *flags])


def cases(workdir) -> list[str]:
    return [row["case"] for row in json.loads((workdir / "benchmark.json").read_text())]


def test_a_stopped_benchmark_keeps_what_is_done_and_goes_on(fake, tmp_path, capsys) -> None:
    fake.stop = "three"
    assert command(tmp_path) == 130
    assert cases(tmp_path) == ["one", "two", "deux"]
    assert "goes on" in capsys.readouterr().err
    fake.stop = ""
    assert command(tmp_path) == 0
    assert cases(tmp_path) == ["one", "two", "deux", "three"]
    assert fake.calls == ["one", "two", "three", "three"]
    made_with = json.loads((tmp_path / "environment.json").read_text())
    assert made_with["started"]["seed"] == 0
    assert {"cores", "machine", "packages", "torch"} <= set(made_with["inputs"]["environment"])
    assert len(made_with["resumed"]) == 1
    assert "deux" in capsys.readouterr().out


def test_some_cases_now_and_the_others_later_in_their_order(fake, tmp_path) -> None:
    assert command(tmp_path, "--only", "deux") == 0
    assert cases(tmp_path) == ["two", "deux"]
    assert command(tmp_path) == 0
    assert cases(tmp_path) == ["one", "two", "deux", "three"]
    assert fake.calls == ["two", "one", "three"]


def test_another_setting_or_environment_is_refused(fake, tmp_path, capsys, monkeypatch) -> None:
    assert command(tmp_path) == 0
    before = (tmp_path / "benchmark.json").read_bytes()
    assert command(tmp_path, "--channels", "12") == 2
    assert "channels: 8 there, 12 now" in capsys.readouterr().err
    installed = benchmark.torch_steps.installed()
    monkeypatch.setattr(benchmark.torch_steps, "installed", lambda: not installed)
    monkeypatch.setattr(benchmark.metadata, "version", lambda name: "0.1")
    assert command(tmp_path) == 2
    assert "torch" in capsys.readouterr().err
    assert (tmp_path / "benchmark.json").read_bytes() == before


@pytest.mark.parametrize("text", ["[", "{}", "[1]"])
def test_a_file_of_something_else_is_refused(fake, tmp_path, text) -> None:
    assert command(tmp_path) == 0
    (tmp_path / "benchmark.json").write_text(text)
    assert command(tmp_path) == 2
    (tmp_path / "config.json").unlink()
    assert command(tmp_path) == 2
    assert (tmp_path / "benchmark.json").read_text() == text


@pytest.mark.parametrize(
    "flags", [("--only", "nothing like it"), ("--repeats", "0"), ("--seed", "-1"), ("--space", "none")]
)
def test_bad_flags_are_refused_before_anything_is_written(fake, tmp_path, flags) -> None:
    assert command(tmp_path, *flags) == 2
    assert not list(tmp_path.iterdir())


# Real cases, tiny.


def test_inputs_are_drawn_by_the_seed() -> None:
    other = dataclasses.replace(TINY, seed=1)
    images, labels = inputs.batches(TINY)
    assert images.shape == (2, 4, 8, 8, 3) and images.dtype == np.float32 and labels.shape == (2, 4)
    assert (images == inputs.batches(TINY).images).all() and (images != inputs.batches(other).images).any()
    assert (images != inputs.batches(TINY, inputs.VALID).images).any()
    many = inputs.paths(dataclasses.replace(TINY, steps=500))
    assert many.shape == (500, 2) and TOY.connected(many).all()


def test_counted_arithmetic_is_written_by_the_command(tmp_path) -> None:
    written = benchmark.run(benchmark.Command(tmp_path, TINY, ("counted",)), lambda row: None)
    assert cases(tmp_path) == [f"counted arithmetic of a {form} step" for form in ("mixed", "path")]
    for row in written:
        assert 0.99 <= row["ratio"] < 2 and row["met"] == (row["ratio"] <= row["goal"])


LOOP = """HloModule jit_f

%product (a: f32[4,6], b: f32[6,5]) -> f32[4,5] {
  %a = f32[4,6]{1,0} parameter(0)
  %b = f32[6,5]{1,0} parameter(1)
  ROOT %dot.1 = f32[4,5]{1,0} dot(%a, %b), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

%body (x: (s32[], f32[4,6], f32[6,5])) -> (s32[], f32[4,6], f32[6,5]) {
  %x = (s32[], f32[4,6]{1,0}, f32[6,5]{1,0}) parameter(0)
  %p = f32[4,6]{1,0} get-tuple-element(%x), index=1
  %q = f32[6,5]{1,0} get-tuple-element(%x), index=2
  %f = f32[4,5]{1,0} fusion(%p, %q), kind=kLoop, calls=%product
  %s = (f32[4,5]{1,0}, f32[4,5]{1,0}) all-reduce-start(%f), to_apply=%sum
  ROOT %t = (s32[], f32[4,6]{1,0}, f32[6,5]{1,0}) tuple(%p, %p, %q)
}

%sum (c: f32[], d: f32[]) -> f32[] {
  %c = f32[] parameter(0)
  %d = f32[] parameter(1)
  ROOT %e = f32[] add(%c, %d)
}

ENTRY %main (x: (s32[], f32[4,6], f32[6,5])) -> (s32[], f32[4,6], f32[6,5]) {
  %start = (s32[], /*index=1*/f32[4,6]{1,0}, f32[6,5]{1,0}) parameter(0)
  %image = f32[1,8,10,2]{3,2,1,0} constant({...})
  %kernel = f32[3,3,2,7]{3,2,1,0} constant({...})
  %conv = f32[1,8,10,7]{3,2,1,0} convolution(%image, %kernel), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
  ROOT %w = (s32[], f32[4,6]{1,0}, f32[6,5]{1,0}) while(%start), condition=%less, body=%body, backend_config={TURNS}
}
"""


def test_instructions_of_a_compiled_module_by_hand() -> None:
    three = LOOP.replace("TURNS", '"known_trip_count":{"n":"3"}')
    found = devices.instructions(three)
    assert found["products"] == 3 * (4 * 5 * 6) + (8 * 10 * 7) * (3 * 3 * 2)
    assert (found["all-reduce"], found["add"], found["while"], found["dot"]) == (3, 3, 1, 3)
    with pytest.raises(ValueError, match="how often w turns"):
        devices.instructions(LOOP.replace("TURNS", ""))
    with pytest.raises(ValueError, match="which branch f takes"):
        devices.instructions(three.replace("fusion(", "conditional("))


def test_a_device_of_two_does_half_as_much_and_sends_nothing() -> None:
    def powers(x, y):
        return lax.scan(lambda z, _: (jnp.tanh(z @ y), None), x, length=3)[0]

    shapes = jax.ShapeDtypeStruct((2, 4, 4), jnp.float32), jax.ShapeDtypeStruct((4, 4), jnp.float32)
    one, two = (devices.compiled(powers, *shapes, n) for n in (1, 2))
    assert devices.numbers(TINY) == [1, 2] and (one.products, two.products) == (2 * 3 * 4**3, 3 * 4**3)
    assert one.collectives == two.collectives == 0 and 0 < two.bytes < one.bytes
    assert judged([one, two], one.products) == [True, None, True, True, True, True]
    assert judged([one, two._replace(products=one.products)], one.products)[3] is False  # all is done twice
    sending = devices.compiled(lambda x, y: lax.psum(x @ y, parallel.AXIS), *shapes, 2)
    assert sending.collectives == 1 and judged([one, sending], 0.9 * one.products)[::5] == [False, False]


def judged(found: list[devices.Device], products: float) -> list[bool | None]:
    lines = zip(devices.lines(TINY), devices.against_one(found, products), strict=True)
    return [build_row(line, measured, TINY)["met"] for line, measured in lines]


def test_a_path_step_of_both_sides() -> None:
    pytest.importorskip("torch")
    (one,) = training.path(TINY)
    assert one.peer_samples is not None and len(one.samples) == len(one.peer_samples) == TINY.repeats
    assert min(*one.samples, *one.peer_samples) > 0


def test_without_pytorch_ours_is_measured_alone(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch_steps, "installed", lambda: False)
    monkeypatch.setattr(training.jaxnas_steps, "timed", lambda program: lambda: None)
    (one,) = training.mixed(TINY)
    assert len(one.samples) == TINY.repeats and one.peer_samples is None
    benchmark.Console().print(benchmark.table([build_row(Line("a", "s", "PyTorch"), one, TINY)]))
    assert "pip install torch" in capsys.readouterr().out
