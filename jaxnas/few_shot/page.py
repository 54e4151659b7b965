"""`report.html`: one page that holds everything it shows, from the files of a work directory."""

from pathlib import Path

from jaxnas.few_shot import ranking_sections, sections
from jaxnas.few_shot.read import Run, read_run, read_total, seed_folders
from jaxnas.few_shot.result_file import Result
from jaxnas.few_shot.verdict import how_far, how_good
from jaxnas.report import figures
from jaxnas.report.document import document, write_page
from jaxnas.report.format import UNKNOWN, estimate, percent
from jaxnas.report.markup import Html, architecture_code, join, table, tag

TERMS = (
    ("Supernet", "one network that holds every architecture (cell) of the search space and shares its weights"),
    ("splitting", "giving parts of the space weights of their own, in sub-supernets (leaves)"),
    (
        "95 % interval",
        "of 100 made like this, about 95 hold what ever more test images (one run) or seeds (means) would give",
    ),
)


def write_report(workdir: Path) -> Path:
    """Writes `report.html` of one seed, or of several with a page for each, and returns its path.

    The same files give the same page. Raises UserError for a directory without a run, or a damaged file.
    """
    seeds = seed_folders(workdir)
    if seeds and not (workdir / "config.json").exists():
        runs = [read_run(folder) for folder in seeds]
        page = seeds_page(runs, read_total(workdir))
        for run in runs:
            write_page(run.path / "report.html", run_page(run))
    else:
        page = run_page(read_run(workdir))
    return write_page(workdir / "report.html", page)


def run_page(run: Run) -> Html:
    """The page of one seed."""
    parts = [
        _answer(run),
        sections.warnings([run]),
        sections.controls(run.result) if run.result else None,
        sections.split(run),
        ranking_sections.ranking(run),
        ranking_sections.curves(run),
        ranking_sections.fusion(run),
        sections.learning(run),
        sections.cost(run.result.seconds if run.result else _stage_seconds(run)),
        sections.settings(run),
    ]
    return document(f"Few-shot architecture search {_of(run)}", [part for part in parts if part is not None])


def seeds_page(runs: list[Run], result: Result | None) -> Html:
    """The page of several seeds: the verdict over seeds, and what each seed chose."""
    seconds: dict[str, float] = {}
    for run in runs:
        for stage, s in (run.result.seconds if run.result else _stage_seconds(run)).items():
            seconds[stage] = seconds.get(stage, 0.0) + s
    body = _chosen_of(runs)
    if result is not None:
        body += sections.said(result)
    else:
        body.append(tag("p", "Unfinished: there is no result over seeds yet.", class_="verdict"))
    parts = [
        tag("section", *body, _terms(), class_="answer"),
        sections.warnings(runs),
        sections.controls(result) if result else None,
        _each_seed(runs),
        sections.cost(seconds),
        sections.settings(runs[0], f"Settings and environment of {runs[0].path.name}"),
    ]
    title = f"Few-shot architecture search on {_data(runs[0])}, {len(runs)} seeds"
    return document(title, [part for part in parts if part is not None])


def _answer(run: Run) -> Html:
    if run.result is None:
        far = how_far(run.stages, run.metrics)
        return tag("section", tag("p", "This run is unfinished.", class_="verdict"), tag("p", far), class_="answer")
    body = [*_cell(run), *(tag("p", sentence) for sentence in how_good(run.result)), *sections.said(run.result)]
    return tag("section", *body, _terms(), class_="answer")


def _cell(run: Run) -> list[Html]:
    result = run.result
    if result is None or result.architecture is None:
        return []
    where = "" if result.leaf is None else f", found in leaf {result.leaf} of the split tree"
    named = tag("p", "Chosen architecture: ", architecture_code(result.architecture), where, ".")
    graph = figures.cell(result.architecture)
    return [*([tag("div", graph, class_="cell")] if graph else []), named]


def _chosen_of(runs: list[Run]) -> list[Html]:
    judged = [(run, run.result) for run in runs if run.result and run.result.validation is not None]
    if not judged:
        return []
    # Validation images choose between seeds, so that the test images stay unseen by every choice.
    run, result = max(judged, key=lambda pair: pair[1].validation or 0.0)
    why = f"{len(judged)} seeds have chosen an architecture; that of {run.path.name} has the best validation accuracy "
    why += f"when trained alone ({percent(result.validation)} %):"
    return [tag("p", why), *_cell(run), *(tag("p", sentence) for sentence in how_good(result))]


def _each_seed(runs: list[Run]) -> Html:
    rows: list[list[str | Html]] = []
    for run in runs:
        link = tag("a", run.path.name, href=f"{run.path.name}/report.html")
        found = run.result
        if found is None:
            rows.append([link, UNKNOWN, UNKNOWN, UNKNOWN, f"unfinished. {how_far(run.stages, run.metrics)}"])
            continue
        rows.append([link, estimate(found.test), percent(found.true), percent(found.validation), "finished"])
    chose = sections.architectures([(run.path.name, run.result and run.result.architecture) for run in runs])
    head = ["seed", "test accuracy", "true accuracy", "validation accuracy", "state"]
    caption = (
        "What each seed chose, trained alone; percent, [95 % interval over test images]. Each has a page of its own."
    )
    return tag("section", tag("h2", "Seed by seed"), table(head, rows, caption), *chose)


def _stage_seconds(run: Run) -> dict[str, float]:
    spent = {name: value.get("seconds") for name, value in run.stages.items() if isinstance(value, dict)}
    return {name: float(s) for name, s in spent.items() if isinstance(s, int | float) and not isinstance(s, bool)}


def _terms() -> Html:
    said = [join(tag("b", term), f": {meaning}. ") for term, meaning in TERMS]
    return tag("p", *said, class_="terms")


def _of(run: Run) -> str:
    seed = run.config.get("seed")
    return f"on {_data(run)}" + (f", seed {seed}" if isinstance(seed, int) else "")


def _data(run: Run) -> str:
    data = run.config.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else "unnamed data"
