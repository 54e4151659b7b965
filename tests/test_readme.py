"""The README's example runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_library_example_prints_a_grouping_of_every_edge(capsys) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    assert all("Partition(groups=((" in line for line in lines)


def test_the_named_files_and_commands_exist() -> None:
    text = README.read_text()
    for folder in re.findall(r"^    (jaxnas/\S+)", text, re.MULTILINE):
        assert (README.parent / folder).exists()
    makefile = (README.parent / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in re.findall(r"^    make (\w+)", text, re.MULTILINE))
