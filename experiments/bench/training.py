"""Training steps against PyTorch: mixed, path, and both orders of DARTS; what choosing a path costs."""

from functools import partial
from typing import Literal

from experiments.bench import jaxnas_steps, torch_steps
from experiments.bench.rows import Measured, Setting
from experiments.bench.timing import Call, interleave


def mixed(setting: Setting) -> list[Measured]:
    """Seconds of a mixed step."""
    return [_against(setting, setting.repeats, jaxnas_steps.mixed(setting), torch_steps.mixed(setting))]


def path(setting: Setting) -> list[Measured]:
    """Seconds of a path step, the mean over a few paths."""
    return [_against(setting, setting.repeats, jaxnas_steps.path(setting), torch_steps.path(setting))]


def switch(setting: Setting) -> list[Measured]:
    """Seconds of a path step, beside one whose path the compiler knows."""
    return [
        _against(
            setting, setting.repeats, jaxnas_steps.switched(setting), jaxnas_steps.timed(jaxnas_steps.fixed(setting))
        )
    ]


def bilevel(order: Literal["first", "second"], setting: Setting) -> list[Measured]:
    """Seconds of a step of DARTS."""
    return [
        _against(
            setting, setting.slow_repeats, jaxnas_steps.bilevel(setting, order), torch_steps.bilevel(setting, order)
        )
    ]


first_order = partial(bilevel, "first")
second_order = partial(bilevel, "second")


def mixed_compiled(setting: Setting) -> list[Measured]:
    """Seconds of a mixed step, the peer under torch.compile; where that fails the note says why."""
    peer = torch_steps.mixed(setting, True)
    note = None
    if peer is not None:
        try:
            peer()
        except Exception as error:  # whatever it lacks here: a compiler, a header, an operation
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            peer, note = None, f"torch.compile failed: {first_line}"
    return [_against(setting, setting.slow_repeats, jaxnas_steps.mixed(setting), peer)._replace(note=note)]


def _against(setting: Setting, repeats: int, program: jaxnas_steps.Program, peer: Call | None) -> Measured:
    contenders = {"ours": jaxnas_steps.timed(program), **({} if peer is None else {"theirs": peer})}
    seconds = interleave(contenders, repeats)
    per_step = {name: [call / setting.steps for call in calls] for name, calls in seconds.items()}
    return Measured(per_step["ours"], per_step.get("theirs"))
