"""The answer in plain sentences; what may be said follows from the intervals alone."""

from typing import Any

from jaxnas.analysis import Interval
from jaxnas.few_shot.result_file import Contender, RandomDraw, Result
from jaxnas.report.format import UNKNOWN, UNSURE, listed, sign, spoken, stage_name
from jaxnas.spaces.tree import SplitTree

CONTROLS = ("unsplit", "random_split", "random_alone")  # kinds, in the order in which they are spoken of
SPLIT_CONTROLS = ("unsplit", "random_split")  # those that say whether this split helped


def how_good(result: Result) -> list[str]:
    """How good the chosen architecture is: of one seed."""
    said = []
    if result.test is not None:
        images = "the" if result.test_images is None else f"{result.test_images:,}"
        right = f"{spoken(result.test)} of {images} test images"
        said.append(f"Trained alone from new weights, it classifies {right} correctly.")
    if result.true is not None:
        source = "Its" if result.ranking is None else f"By {result.ranking.truth}, its"
        said.append(f"{source} true accuracy is {result.true:.2f} %.")
    # Without a table of true accuracies, the truth is the test accuracy of networks trained alone.
    compared = result.test if result.true is None else Interval(result.true, result.true, result.true)
    if result.random is not None and compared is not None:
        said.append(_one_against_random(compared, result.random))
    return said


def verdict(result: Result) -> tuple[str, list[str]]:
    """Whether splitting helped: one short sentence, and what it rests on."""
    method = next((c for c in result.contenders if c.kind == "method"), None)
    controls = [c for kind in CONTROLS for c in result.contenders if c.kind == kind]
    if method is None or not any(c.kind in SPLIT_CONTROLS for c in controls):
        said = [_against_one(method, c) for c in controls if method is not None]
        return "Whether splitting helped cannot be told: there is no control, neither unsplit nor randomly split.", said
    if len(result.seeds) < 2:
        return "One seed cannot tell whether splitting helped; several seeds can.", [
            _against_one(method, c) for c in controls
        ]
    said = [_against_seeds(method, control) for control in controls]
    if result.random is not None and (method.true or method.test):
        said.append(_seeds_against_random(method, result.random))
    behind = any(sign(c.difference) == -1 for c in controls if c.kind == "random_alone")
    beside = " Random architectures trained alone did better." if behind else ""
    return _headline(controls, len(result.seeds)) + beside, said


def answer(result: Result) -> list[str]:
    """All sentences of the answer, for the terminal: what was chosen, how good it is, whether splitting helped."""
    headline, said = verdict(result)
    chosen = [f"Chosen architecture: {result.architecture}"] if result.architecture is not None else []
    return [*chosen, *how_good(result), headline, *said]


def how_far(stages: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    """What an unfinished run has done, by its own records."""
    status = {name: value.get("status") if isinstance(value, dict) else None for name, value in stages.items()}
    done = [stage_name(name) for name, state in status.items() if state == "done"]
    rest = [name for name, state in status.items() if state != "done"]
    said = f"Done: {listed(done)}." if done else "No stage is done."
    if rest:
        said += f" {'Started' if status[rest[0]] == 'running' else 'Next'}: {stage_name(rest[0])}."
    if metrics:
        last = metrics[-1]
        step = next((f", {unit} {last[unit]}" for unit in ("epoch", "generation") if unit in last), "")
        said += f" The last record is of {stage_name(last['stage'])}{step}."
    return said


def doubts(tree: SplitTree) -> list[str]:
    """Which splits the noise between batches could turn, and which nodes were not split although they should be."""
    said = []
    for node in tree.nodes:
        cut = node.split
        if cut is not None and cut.margin_low is not None and cut.margin_high is not None and cut.margin_low <= 0:
            wins = "" if cut.stability is None else f"; the same grouping wins in {cut.stability:.0%} of resamplings"
            said.append(
                f"Node {node.id}: the margin of this split lies inside the noise between batches: 95 % interval "
                f"{cut.margin_low:.4f} to {cut.margin_high:.4f}{wins}."
            )
        if node.unsplit_reason is not None:
            said.append(f"Node {node.id} stays whole: {node.unsplit_reason}.")
        if cut is not None and cut.joined:
            names = listed([tree.space.ops[op] for op in cut.joined])
            said.append(
                f"Node {node.id}: {names} disconnects every cell there and was not compared; a group was chosen for it "
                f"by the tie policy."
            )
    return said


def effort(tree: SplitTree) -> list[str]:
    """How many batches each node was scored on, where that was left to the node, and over how many backgrounds."""
    splits = [(node.id, node.split) for node in tree.nodes if node.split is not None]
    drawn = [(i, cut) for i, cut in splits if cut.backgrounds is not None]
    over = listed([f"{cut.backgrounds} of {cut.batches} at node {i}" for i, cut in drawn])
    backgrounds = [f"Distinct backgrounds of the batches: {over}."] if drawn else []
    asked = [(i, cut) for i, cut in splits if cut.settled is not None]
    if not asked:
        return backgrounds
    took = [f"node {i} {cut.batches}{'' if cut.settled else ' without being settled'}" for i, cut in asked]
    return [f"Batches scored until the split was settled: {listed(took)}.", *backgrounds]


def _headline(controls: list[Contender], seeds: int) -> str:
    signs = {kind: [sign(c.difference) for c in controls if c.kind == kind] for kind in SPLIT_CONTROLS}
    unsplit, random = signs["unsplit"], signs["random_split"]
    over = f" ({seeds} seeds)"
    if -1 in unsplit:
        return f"Splitting did harm: it is worse than not splitting{over}."
    if unsplit and all(s == 1 for s in unsplit):
        if random and all(s == 1 for s in random):
            return f"Splitting helped: better than not splitting and than splitting at random{over}."
        if -1 in random:
            return f"Splitting helped, but splitting at random helped more: the metric chose badly{over}."
        if random:
            return f"Splitting helped, but {UNSURE} from splitting at random: the metric may not matter{over}."
        return (
            f"Splitting helped: better than not splitting; there is no random split to compare the metric with{over}."
        )
    if -1 in random:
        return f"This split is worse than one at random, and {UNSURE} from not splitting{over}."
    if random and all(s == 1 for s in random):
        beside = f", but {UNSURE} from not splitting" if unsplit else "; there is no unsplit control"
        return f"This split is better than one at random{beside}{over}."
    return f"Whether splitting helped cannot be told: {UNSURE} from the controls{over}."


def _against_seeds(method: Contender, control: Contender) -> str:
    side, found = sign(control.difference), control.difference
    if found is None or side is None:
        return f'Against "{control.name}": the seeds give no interval, so nothing can be told.'
    pair = f"test accuracy {_values(method, control)}, {_points(found.value)}"
    interval = f"95 % interval of the difference {found.low:+.2f} to {found.high:+.2f}, {found.n or 0} seeds"
    word = {1: "better than", -1: "worse than", 0: f"{UNSURE} from"}[side]
    return f'{word[0].upper()}{word[1:]} "{control.name}": {pair} ({interval}).'


def _against_one(method: Contender, control: Contender) -> str:
    if method.test is None or control.test is None:
        return f'Against "{control.name}": no test accuracy was recorded.'
    pair = f'Against "{control.name}": test accuracy {_values(method, control)}, '
    pair += _points(method.test.value - control.test.value)
    if method.architecture is not None and method.architecture == control.architecture:
        return f"{pair}. Both chose the same architecture: here the search made no difference."
    if None in (method.test.low, method.test.high, control.test.low, control.test.high):
        return f"{pair}; without intervals, {UNSURE}."
    apart = method.test.low > control.test.high or control.test.low > method.test.high  # type: ignore[operator]
    if apart:
        return f"{pair}. The intervals are apart: these two networks do differ, but another seed may turn that around."
    return f"{pair}. The intervals overlap: this comparison decides nothing."


def _one_against_random(found: Interval, random: RandomDraw) -> str:
    mean = random.accuracy
    low, high = mean.value if mean.low is None else mean.low, mean.value if mean.high is None else mean.high
    said = f"Beside the mean of architectures drawn at random, {spoken(mean)}: {_side(found, low, high)} it"
    if random.best is not None:
        best = f"the expected best of {random.best_of} random ones, {random.best:.2f} %"
        said += f"; {_side(found, random.best, random.best)} {best}"
    return said + "."


def _seeds_against_random(method: Contender, random: RandomDraw) -> str:
    mean, found = random.accuracy, method.true or method.test
    assert found is not None
    kind = "true" if method.true else "test"
    low, high = mean.value if mean.low is None else mean.low, mean.value if mean.high is None else mean.high
    said = f"Mean {kind} accuracy {spoken(found)}: {_side(found, low, high)} one random architecture, {spoken(mean)}"
    if random.best is not None:
        said += f"; {_side(found, random.best, random.best)} the expected best of {random.best_of} random ones, "
        said += f"{random.best:.2f} %"
    return said + "."


def _side(value: Interval, low: float, high: float) -> str:
    if value.low is None or value.high is None:
        return f"{UNSURE} from"
    return "better than" if value.low > high else "worse than" if value.high < low else f"{UNSURE} from"


def _values(method: Contender, control: Contender) -> str:
    return " to ".join(UNKNOWN if c.test is None else f"{c.test.value:.2f} %" for c in (method, control))


def _points(difference: float) -> str:
    if round(difference, 2) == 0:
        return "the same"
    return f"{abs(difference):.2f} points {'more' if difference > 0 else 'less'}"
