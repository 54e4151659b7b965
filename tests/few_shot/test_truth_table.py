"""What a command says of a table of true accuracies."""

import ast
from pathlib import Path

import pytest

from jaxnas import few_shot
from jaxnas.few_shot.truth_table import read_and_tell
from jaxnas.spaces import TOY
from tests.benchmarks.files import CELLS

PACKAGE = Path(few_shot.__file__).parent.parent
COMMANDS = [PACKAGE / "few_shot" / "command.py", *PACKAGE.glob("studies/*/command.py"), *PACKAGE.glob("commands/*.py")]


def test_what_a_reader_passed_over_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "toy.csv"
    path.write_text("arch,cifar10,flops\n" + "".join(f"{cell},50,1e6\n" for cell in CELLS))
    assert set(read_and_tell(TOY, path).accuracies) == {"cifar10"}
    assert capsys.readouterr().err == f"note: {path}: columns that are no data sets are ignored: ['flops']\n"


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=str)
def test_no_command_reads_a_table_without_saying_what_was_passed_over(path: Path) -> None:
    names = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert "read_table" not in {getattr(name, "id", getattr(name, "attr", None)) for name in names}
