"""What a command says of images that are not as their distributor published them."""

import ast
from pathlib import Path

import pytest

from jaxnas.config import DataConfig
from jaxnas.data import load
from jaxnas.few_shot import images

STUDIES = Path(images.__file__).parent.parent / "studies"


def test_each_warning_of_a_data_set_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    config = DataConfig(name="digits", train=64, valid=64)
    dataset = load(config, 0)
    given = []

    def damaged(*arguments):
        given.append(arguments)
        return dataset._replace(warnings=("a.bin is not as published", "b.bin is not as published"))

    monkeypatch.setattr(images, "load", damaged)
    assert images.load_and_warn(config, 3, True).train is dataset.train and given == [(config, 3, True)]
    told = capsys.readouterr().err.splitlines()
    assert told == ["warning: a.bin is not as published", "warning: b.bin is not as published"]


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*/command.py")), ids=lambda path: path.parent.name)
def test_no_study_reads_images_without_saying_what_is_wrong_with_them(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert "load" not in {name.id for name in calls if isinstance(name, ast.Name)}
