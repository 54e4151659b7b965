"""Training steps against PyTorch: mixed, path, and both orders of DARTS; what choosing a path costs."""

from functools import partial
from typing import Literal

from experiments.cases import ours, theirs
from experiments.cases.rows import Measured, Setting
from experiments.cases.timing import Call, interleave


def mixed(setting: Setting) -> list[Measured]:
    """Seconds of a mixed step."""
    return [_against(setting, setting.repeats, ours.mixed(setting), theirs.mixed(setting))]


def path(setting: Setting) -> list[Measured]:
    """Seconds of a path step, the mean over a few paths."""
    return [_against(setting, setting.repeats, ours.path(setting), theirs.path(setting))]


def switch(setting: Setting) -> list[Measured]:
    """Seconds of a path step, beside one whose path the compiler knows."""
    return [_against(setting, setting.repeats, ours.switched(setting), ours.timed(ours.fixed(setting)))]


def bilevel(order: Literal["first", "second"], setting: Setting) -> list[Measured]:
    """Seconds of a step of DARTS."""
    return [_against(setting, setting.slow_repeats, ours.bilevel(setting, order), theirs.bilevel(setting, order))]


first_order = partial(bilevel, "first")
second_order = partial(bilevel, "second")


def mixed_compiled(setting: Setting) -> list[Measured]:
    """Seconds of a mixed step, the peer under torch.compile; where that fails the note says why."""
    peer = theirs.mixed(setting, True)
    note = None
    if peer is not None:
        try:
            peer()
        except Exception as error:  # whatever it lacks here: a compiler, a header, an operation
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            peer, note = None, f"torch.compile failed: {first_line}"
    return [_against(setting, setting.slow_repeats, ours.mixed(setting), peer)._replace(note=note)]


def _against(setting: Setting, repeats: int, program: ours.Program, peer: Call | None) -> Measured:
    contenders = {"ours": ours.timed(program), **({} if peer is None else {"theirs": peer})}
    seconds = interleave(contenders, repeats)
    per_step = {name: [call / setting.steps for call in calls] for name, calls in seconds.items()}
    return Measured(per_step["ours"], per_step.get("theirs"))
