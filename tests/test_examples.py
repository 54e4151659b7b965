"""The code of the documents runs as it stands: how operations group, and the examples from Python."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
QUICK = {  # as the suite itself compiles; on one device, as a script would find it
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
}


def run(name: str, workdir: Path) -> list[str]:
    """The lines that an example prints."""
    command = [sys.executable, "-m", f"docs.examples.{name}", str(workdir)]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **QUICK}, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_example_of_the_concepts_prints_a_grouping_of_every_edge(capsys) -> None:
    text = (ROOT / "docs" / "concepts.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "concepts.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    assert all("Partition(groups=((" in line for line in lines)


def test_a_run_prints_its_contenders_and_writes_its_page(tmp_path) -> None:
    *lines, page = run("run", tmp_path / "run")
    contenders = ["split by snip", "not split", "random split 1", "best of 2 random"]
    assert [line.split("|")[0].strip() for line in lines[-4:]] == contenders
    assert page == str(tmp_path / "run" / "report.html") and Path(page).is_file()
    *table, classes = run("result", tmp_path / "run")
    assert table == lines[-4:] and len(classes.split(",")) == 8


def test_an_ablation_prints_its_splits_and_its_tables_are_read_back(tmp_path) -> None:
    lines = run("ablation", tmp_path)[-3:]
    assert [line.split("  ")[0] for line in lines] == ["metric:snip", "random 1", "none"]
    assert lines[-1].endswith("less not split: None")
    table = [row.split(",") for row in (tmp_path / "table.csv").read_text().splitlines()]
    kept = {row[0]: f"{float(row[4]):.2f} %" for row in table if row[2] == "validation"}
    printed = {line.split("  ")[0]: line for line in run("tables", tmp_path)}
    assert printed.keys() == kept.keys() == {"metric:snip", "random 1", "none"}
    assert all(kept[split] in line and line.endswith("over 2 seeds") for split, line in printed.items())
