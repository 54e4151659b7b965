"""Modules from outside: what they register, how they are refused, what a run records of them, and resuming without."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxnas import cli, plugins
from jaxnas.config import SearchConfig, SelectionConfig, SplitConfig
from jaxnas.distributed import parallel
from jaxnas.few_shot import run as few_shot
from jaxnas.few_shot.run_context import validate_few_shot
from jaxnas.metrics import BACKGROUNDS, METRICS, edge_similarity
from jaxnas.plugins import Plugin, load_plugins, loaded, split_imports
from jaxnas.selection import ESTIMATES
from jaxnas.spaces import TOY
from jaxnas.splitting import by_similarity, grow
from jaxnas.studies.launch import LaunchConfig, run_jobs
from jaxnas.testing import TRIANGLE
from jaxnas.types import UserError
from tests.experiments.toy_truth import read, write_table
from tests.few_shot.small import FLAGS, SMALL

ROOT = Path(__file__).parent.parent
MINE = """
import jax.numpy as jnp

from jaxnas.metrics import BACKGROUNDS, METRICS, scalar
from jaxnas.search import ALGORITHMS
from jaxnas.search.uniform import uniform
from jaxnas.selection import ESTIMATES, RULES, SELECTORS, Selected
from jaxnas.selection.base import connected_of
from jaxnas.selection.leaves import by_estimate
from jaxnas.splitting import EDGE_RULES, OBJECTIVES, TIES


def weighed(network, space):
    weights = jnp.arange(1, 1 + len(space.edges))
    return scalar(lambda probe: (probe.choice * weights).sum().astype(float), disconnected_value=-1.0)


def convolutions(space):
    return lambda key, mask, edge: jnp.full(len(space.edges), 2)


def last():
    return lambda rng, trained, mask, budget: Selected(connected_of(trained.space, mask)[-1], 0.0, 0)


def whole(scores, share):
    return float(scores.sum())


METRICS["weighed"] = weighed
BACKGROUNDS["convolutions"] = convolutions
ALGORITHMS["paths"] = lambda space: uniform(space)
SELECTORS["last"] = last
OBJECTIVES["balance"] = lambda similarity, groups: float(max(map(len, groups)))
EDGE_RULES["highest"] = lambda settings, rng: lambda mask, candidates: candidates[-1:]
TIES["final"] = lambda tied, rng: tied[-1]
ESTIMATES["total"] = whole
RULES["total"] = by_estimate(whole)
"""
NAMES = {
    "METRICS": ["weighed"],
    "BACKGROUNDS": ["convolutions"],
    "ALGORITHMS": ["paths"],
    "SELECTORS": ["last"],
    "OBJECTIVES": ["balance"],
    "EDGE_RULES": ["highest"],
    "TIES": ["final"],
    "ESTIMATES": ["total"],
    "RULES": ["total"],
}
SPLIT = SplitConfig(
    groups=(2, 2),
    batches=1,
    metric="weighed",
    background="convolutions",
    objective="balance",
    edges="highest",
    ties="final",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with one plugin; what tests load is taken back."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "4")  # commands would take a device for each core
    registries = [getattr(import_module(place), name) for name, place in plugins.REGISTRIES.items()]
    before, modules = [dict(registry) for registry in registries], {*sys.modules}
    yield tmp_path
    plugins._LOADED.clear()
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)
    for name in {*sys.modules} - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def forget(module: str) -> None:
    """As in a new process without the plugin."""
    (plugin,) = [of for of in loaded() if of.module == module]
    plugins._LOADED.remove(plugin)
    for registry, names in plugin.names.items():
        for name in names:
            del getattr(import_module(plugins.REGISTRIES[registry]), registry)[name]
    del sys.modules[module]


def installed(folder: Path, package: str, modules: tuple[str, ...]) -> None:
    """Makes `folder` hold an installed package, whose entry points name modules."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{module} = {module}" for module in modules]
    (about / "entry_points.txt").write_text("\n".join(["[jaxnas.plugins]", *lines, ""]))


def test_modules_to_import_are_named_anywhere_on_a_command_line() -> None:
    given = ["--import", "a", "few-shot", "digits", "--import=b.c", "--workdir", "w", "--import", "d"]
    assert split_imports(given) == (["a", "b.c", "d"], ["few-shot", "digits", "--workdir", "w"])
    assert split_imports(["search", "--imports", "x"]) == ([], ["search", "--imports", "x"])


def test_a_module_of_the_current_directory_registers_in_every_registry() -> None:
    load_plugins(["mine"])
    load_plugins(["mine"])
    assert loaded() == (Plugin("mine", NAMES),)
    assert set(plugins.REGISTRIES) == {*NAMES, "LOOKS"}


def test_what_is_registered_is_named_by_settings_and_without_it_is_not() -> None:
    config = replace(
        SMALL,
        split=SPLIT,
        search=replace(SearchConfig(budget=4, population=2, parents=2), algorithm="paths", leaf="total"),
        selection=SelectionConfig(name="last", score="weighed"),
    )
    load_plugins(["mine"])
    assert validate_few_shot(config) is TOY
    forget("mine")
    for part, field in (
        *(("split", name) for name in ("metric", "background", "objective", "edges", "ties")),
        *(("search", "algorithm"), ("search", "leaf"), ("selection", "name"), ("selection", "score")),
    ):
        value = getattr(getattr(config, part), field)
        alone = replace(SMALL, **{part: replace(getattr(SMALL, part), **{field: value})})
        with pytest.raises(UserError, match=f"unknown .*{field} '{value}'; allowed: "):
            validate_few_shot(alone)


def test_operations_are_compared_by_a_metric_and_a_background_from_outside(triangle_batches) -> None:
    load_plugins(["mine"])
    network, images, labels = triangle_batches
    metric = METRICS["weighed"](network, TRIANGLE)
    arguments = (jax.random.key(0), network.init(jax.random.key(1)), TRIANGLE.full_mask(), 1, images, labels)
    for background in ("convolutions", BACKGROUNDS["convolutions"]):
        similarity, compared = edge_similarity(metric, TRIANGLE, background)(*arguments)
        # The sum of 1 x 2, 2 x operation and 3 x 2.
        np.testing.assert_allclose(similarity, -2.0 * np.abs(np.subtract.outer(range(3), range(3))))
        assert compared.all()


@pytest.fixture
def triangle_batches():
    from tests.conftest import small_network

    rng = np.random.default_rng(0)
    return small_network(TRIANGLE), np.float32(rng.normal(size=(1, 4, 8, 8, 3))), rng.integers(0, 10, (1, 4))


def test_a_tree_is_grown_by_an_objective_an_edge_rule_and_a_tie_policy_from_outside() -> None:
    load_plugins(["mine"])
    alike = np.zeros((3, 3, 3))
    tree = grow(TRIANGLE, (3,), by_similarity(TRIANGLE, lambda node: alike, replace(SPLIT, groups=(3,))))
    (split,) = [node.split for node in tree.nodes if node.split is not None]
    assert (split.edge, split.value, split.groups) == (2, 1.0, ((0,), (1,), (2,)))


def test_a_run_records_its_plugins_and_one_that_lacks_them_says_what_to_import(folder, capsys) -> None:
    write_table(folder / "toy.csv")
    command = ["correlate-metrics", "digits", "--benchmark", "toy.csv", "--workdir", "w", "--net.space", "toy"]
    command += ["--net.channels", "2", "--architectures", "5"]
    assert cli.main(["--import", "mine", *command, "--metrics", "weighed"]) == 0
    (row,) = read(folder / "w" / "correlations.csv")
    assert row["metric"] == "weighed" and row["n"] == "5"
    assert json.loads((folder / "w" / "environment.json").read_text())["started"]["plugins"] == {"mine": NAMES}
    forget("mine")
    capsys.readouterr()
    assert cli.main([*command, "--metrics", "weighed"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: metrics must be different ones of") and error.count("\n") == 1
    assert error.endswith("; the run in w was started with --import mine\n")
    assert cli.main([*command, "--metrics", "loss", "--architectures", "1"]) == 2
    assert "--import" not in capsys.readouterr().err  # what is wrong has nothing to do with it
    assert cli.main([*command, "--metrics", "weighed", "--import=mine"]) == 0


def test_scores_of_all_metrics_are_not_mixed_with_those_of_other_plugins(folder, capsys, monkeypatch) -> None:
    for name in {*METRICS} - {"loss", "naswot"}:
        monkeypatch.delitem(METRICS, name)
    write_table(folder / "toy.csv")
    command = ["correlate-metrics", "digits", "--benchmark", "toy.csv", "--workdir", "w", "--net.space", "toy"]
    command += ["--net.channels", "2", "--architectures", "5"]
    assert cli.main([*command, "--import", "mine"]) == 0
    forget("mine")
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "w holds scores of other metrics than there are now (weighed); load the plugins" in error
    assert error.endswith("; the run in w was started with --import mine\n")


@pytest.mark.parametrize("seeds", [(), ("--seeds", "0", "1")])
def test_a_stopped_run_and_its_config_say_what_to_import(seeds, folder, capsys, monkeypatch) -> None:
    def stop(*arguments) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(few_shot, "_stages", stop)
    flags = (*FLAGS, "--split.metric", "weighed", "--split.background", "convolutions", "--selection.name", "last")
    command = ["smoke", "--workdir", "w", *flags, *seeds]
    assert cli.run("few-shot", ["--import", "mine", *command]) == 130
    (made_with,) = Path("w").rglob("environment.json")
    assert json.loads(made_with.read_text())["started"]["plugins"] == {"mine": NAMES}
    forget("mine")
    capsys.readouterr()
    said = f"; the run in {made_with.parent} was started with --import mine\n"
    for again in (command, [str(made_with.with_name("config.json")), "--workdir", "other"]):
        assert cli.run("few-shot", again) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: unknown metric 'weighed'; allowed: ['accuracy', ") and error.endswith(said)
    for damaged in ("{", "[1]", '{"started": 1, "resumed": []}', '{"started": {"plugins": {"mine": 3}}}'):
        made_with.write_text(damaged)
        assert cli.run("few-shot", command) == 2
        assert capsys.readouterr().err.endswith("'zico']\n")


def test_installed_plugins_are_loaded_for_commands_that_read_registries(folder, capsys, monkeypatch) -> None:
    site = folder / "site"
    installed(site, "jaxnas-mine", ("mine_installed",))
    (site / "mine_installed.py").write_text(MINE)
    installed(site, "jaxnas-broken", ("broken",))
    monkeypatch.syspath_prepend(site)
    assert set(cli.COMMANDS) > cli.FILES_ALONE
    assert cli.main(["report", "w"]) == 2
    assert capsys.readouterr().err.startswith("error: w holds no run")
    assert loaded() == ()
    assert cli.main(["few-shot", "smoke", "--workdir", "w"]) == 2
    told = "error: the installed plugin broken: there is no module broken, neither here nor installed\n"
    assert capsys.readouterr().err == told
    (site / "broken.py").write_text("import mine_installed\n")
    load_plugins(["mine_installed"])
    assert loaded() == (Plugin("broken", NAMES), Plugin("mine_installed", {}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("METRICS['snip'] = min", ("--import bad replaces METRICS['snip'] of jaxnas; it must take another name",)),
        ("del METRICS['snip']", ("--import bad replaces METRICS['snip'] of jaxnas",)),
        ("METRICS['weighed'] = min", ("--import bad replaces METRICS['weighed'] of mine; it must take another name",)),
        ("METRICS['a/b'] = min", ("--import bad registers METRICS['a/b'], which must be a name of letters, digits",)),
        ("METRICS['one'] = Metric(min, max, None)", ("METRICS['one'], which must be ", " a function; it is Metric")),
        ("METRICS['one'] = min; 1 / 0", ("--import bad fails: ZeroDivisionError: ", "bad.py, line 2)")),
        ("METRICS['one'] = ", ("--import bad fails: SyntaxError: ", "bad.py, line 2)")),
        ("import nothing_like_it", ("bad fails: ModuleNotFoundError: ", "'nothing_like_it'", "bad.py, line 2)")),
        ("import sys; sys.exit('no\\nrun')", ("--import bad fails: SystemExit: no run (", "bad.py, line 2)")),
    ],
)
def test_a_plugin_that_cannot_be_is_one_sentence_and_leaves_nothing(text, told, folder, capsys) -> None:
    Path("bad.py").write_text(f"from jaxnas.metrics import METRICS, Metric\n{text}\n")
    load_plugins(["mine"])
    before = dict(METRICS)
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            load_plugins(["bad"])
        assert all(part in str(caught.value) for part in told)
        assert before == METRICS and [plugin.module for plugin in loaded()] == ["mine"]
    assert cli.main(["few-shot", "smoke", "--workdir", "w", "--import", "bad"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --import bad ") and error.count("\n") == 1
    assert not (folder / "w").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--import", "nothing_like_it"], "there is no module nothing_like_it, neither here nor installed"),
        (["--import", "mine.sub"], "there is no module mine.sub, neither"),
        (
            ["--import", "mine.py"],
            "takes the name of a module, such as my_metrics or package.metrics, not 'mine.py'",
        ),
        (["--import=./mine"], "not './mine'"),
        (["--import"], "not ''"),
    ],
)
def test_what_is_no_module_is_one_sentence(arguments, told, capsys) -> None:
    assert cli.main(["few-shot", "smoke", "--workdir", "w", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --import") and told in error and error.count("\n") == 1


def test_arrays_made_before_the_devices_of_a_command_are_chosen_are_one_sentence(monkeypatch) -> None:
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    monkeypatch.setattr(parallel, "cores", lambda: jax.device_count() + 1)
    with pytest.raises(UserError, match="an imported module makes jax arrays when it is imported"):
        parallel.use_every_core()


def test_a_job_loads_the_plugins_of_the_process_that_starts_it(folder, monkeypatch) -> None:
    pytest.importorskip("submitit")
    load_plugins(["mine"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    (there,) = run_jobs("local", LaunchConfig(), folder / "jobs", [partial(loaded)])
    assert there.error == "" and there.value == loaded()
    assert "total" in ESTIMATES
