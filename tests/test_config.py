"""Configs as JSON and back, the errors of wrong names and values, and a comment on every field."""

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jaxnas import config as configs
from jaxnas.config import DataConfig, NetConfig, SplitConfig, from_dict, to_dict
from jaxnas.few_shot.config import FewShotConfig
from jaxnas.few_shot.presets import PRESETS
from jaxnas.types import UserError


def through_json(config: FewShotConfig) -> FewShotConfig:
    return from_dict(FewShotConfig, json.loads(json.dumps(to_dict(config), allow_nan=False)))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name: str) -> None:
    assert through_json(PRESETS[name]) == PRESETS[name]
    assert repr(through_json(PRESETS[name])) == repr(PRESETS[name])  # repr tells 1 from 1.0


def test_a_config_without_any_default_survives_json() -> None:
    config = FewShotConfig(
        data=DataConfig("digits", Path("/some/where"), 1, 2, 3, 4, 5, 6, 7, False, 8),
        net=NetConfig("toy", 1, 2),
        split=SplitConfig("other", (3,), 3, 1, 0.5, "uniform", "cross_sum", "fixed", (1, 0), "keep", 2),
        warmup_epochs=1,
        strategy="shard",
        seed=9,
    )
    assert repr(through_json(config)) == repr(config)
    assert through_json(config).data.root == Path("/some/where")


def test_the_json_of_a_config_is_plain_and_nested() -> None:
    values = to_dict(replace(PRESETS["smoke"], data=DataConfig(root=Path("a") / "b")))
    assert values["data"]["root"] == "a/b"
    assert values["data"]["test"] is None
    assert values["split"]["groups"] == [2]
    assert values["seed"] == 0


def test_absent_names_keep_their_defaults() -> None:
    config = from_dict(FewShotConfig, {"seed": 3, "data": {"batch": 8}})
    assert config == FewShotConfig(data=DataConfig(batch=8), seed=3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sed": 1}, ["sed", "seed", "warmup_epochs"]),
        ({"seed": 1, "zeta": 1, "alpha": 2}, ["alpha", "zeta", "strategy"]),
        ({"data": {"nmae": "digits"}}, ["data", "nmae", "name", "eval_batch"]),
        ({"split": {"group": [2]}}, ["split", "group", "groups", "background"]),
    ],
)
def test_an_unknown_name_is_told_with_the_allowed_ones(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(FewShotConfig, values)
    for word in words:
        assert word in str(caught.value)


def nested(name: str, value: Any) -> dict[str, Any]:
    """`data.train` and 3 -> {"data": {"train": 3}}."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "1"),
        ("seed", True),
        ("seed", 1.0),
        ("seed", None),
        ("data.train", "many"),
        ("data.test", "all"),
        ("data.test", False),
        ("data.flip", 1),
        ("data.flip", "yes"),
        ("data.name", 10),
        ("data.root", 10),
        ("data", 3),
        ("data", None),
        ("data", ["digits"]),
        ("optimizer.rate", "0.1"),
        ("optimizer.rate", True),
        ("optimizer.rate", None),
        ("split.groups", "22"),
        ("split.groups", 2),
        ("split.leaves", 2.0),
        ("split.background", 0),
        ("strategy", ["loop"]),
        ("strategy", None),
    ],
)
def test_a_value_of_another_type_is_told_with_its_name(name: str, value: Any) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(FewShotConfig, nested(name, value))
    assert f"{name} must be " in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("wrong", ["2", True, 2.0, None, [2]])
def test_an_element_of_another_type_is_told_with_the_name_of_its_field(wrong: Any) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(FewShotConfig, {"split": {"groups": [2, wrong]}})
    assert "split.groups must be " in str(caught.value)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strategy": "fast"}, ["strategy", "'fast'", "auto", "loop", "map", "vmap", "shard", "mesh"]),
        ({"leaf_weights": "old"}, ["leaf_weights", "'old'", "parent", "new"]),
    ],
)
def test_a_word_that_is_no_choice_is_told_with_the_choices(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(FewShotConfig, values)
    for word in words:
        assert word in str(caught.value)


def test_a_whole_number_is_a_float_where_a_float_is_wanted() -> None:
    rate = from_dict(FewShotConfig, {"optimizer": {"rate": 1}}).optimizer.rate
    assert (rate, type(rate)) == (1.0, float)


PACKAGE = Path(configs.__file__).parent.parent
FILES = sorted([*PACKAGE.glob("config/*.py"), *PACKAGE.rglob("config.py")])
CLASSES = [node for path in FILES for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]


def test_every_config_is_looked_at() -> None:
    assert {"DataConfig", "NetConfig", "FewShotConfig", "StudyConfig"} <= {node.name for node in CLASSES}


@pytest.mark.parametrize("node", CLASSES, ids=lambda node: node.name)
def test_every_field_has_a_comment(node: ast.ClassDef) -> None:
    def is_text(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
            and bool(statement.value.value.strip())
        )

    following = [*node.body[1:], ast.Pass()]
    fields = [(field, after) for field, after in zip(node.body, following, strict=True) if type(field) is ast.AnnAssign]
    assert fields
    assert [ast.unparse(field.target) for field, after in fields if not is_text(after)] == []


def test_a_whole_number_that_no_float_holds_is_refused_by_the_name_of_its_setting() -> None:
    settings = to_dict(FewShotConfig())
    settings["optimizer"]["rate"] = 10**400
    with pytest.raises(
        UserError, match=r"^config\.optimizer\.rate must lie in -2147483647 \.\. 2147483647, it is 10{20}"
    ) as told:
        from_dict(FewShotConfig, settings, "config")
    assert len(str(told.value)) < 250


@pytest.mark.parametrize(
    "change",
    [{"x" * 5000: 1}, {"net": "x" * 5000}, {"net": {"space": "toy", "channels": "x" * 5000, "cells": 1}}],
    ids=["name", "part", "value"],
)
def test_a_long_foreign_text_is_told_briefly(change: dict[str, Any]) -> None:
    with pytest.raises(UserError) as told:
        from_dict(FewShotConfig, to_dict(FewShotConfig()) | change, "config")
    assert "xxx" in str(told.value) and len(str(told.value)) < 600


def test_a_huge_whole_number_is_told_briefly() -> None:
    with pytest.raises(UserError, match=r"^seed must lie in -2147483647 \.\. 2147483647, it is 10{20}") as told:
        configs.check_numbers(replace(FewShotConfig(), seed=10**400))
    assert len(str(told.value)) < 250
