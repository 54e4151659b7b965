"""Every case with its goals."""

from dataclasses import replace

from experiments.bench import devices, leaves, machine, probing, training
from experiments.bench.inputs import space
from experiments.bench.rows import Case, Line, Measure, Setting

PEER = "PyTorch"


def catalogue(setting: Setting) -> list[Case]:
    """The cases of a setting, what takes least first."""
    edges, ops = space(setting).shape
    probes, k = f"{edges} edges x {ops} operations", f"K = {setting.leaves} leaves"
    gradients = f"{edges * ops} mixed gradients"
    big = replace(setting, cells=5, batch=64, repeats=3)
    sizes = f"N = {big.cells}, batch {big.batch}"

    def case(measure: Measure, *lines: Line, setting: Setting = setting) -> Case:
        return Case(setting, measure, lines)

    found = [
        case(
            machine.arithmetic,
            Line("counted arithmetic of a mixed step", "M multiply-adds", "the minimum", goal=1.15),
            Line("counted arithmetic of a path step", "M multiply-adds", "the minimum", goal=1.15),
        ),
        case(training.path, Line("path step", "s", PEER, goal=1.5, aim=1.0)),
        case(training.switch, Line("path step, one path", "s", "the path known when compiled", goal=1.5)),
        case(training.mixed, Line("mixed step", "s", PEER, goal=1.0, aim=0.8)),
        case(
            machine.roofline,
            Line(f"matrix product of side {setting.matrix}", "GFLOP/s"),
            Line("copy of a large array", "GB/s"),
            Line("mixed step, arithmetic achieved", "GFLOP/s", "large matrix product"),
        ),
        case(training.first_order, Line("first-order bilevel step", "s", PEER, goal=1.0, aim=0.8)),
        case(training.second_order, Line("second-order DARTS step", "s", PEER, goal=1.0, aim=0.7)),
        case(
            probing.scoring,
            Line(f"scoring {probes}, one batch", "s", gradients, goal=1.0, aim=0.7),
            Line(f"scoring {probes}, one batch, uniform background", "s", gradients),
        ),
        case(
            leaves.one_program,
            Line(f"{k} in one program", "s", f"{setting.leaves} separate programs", goal=1.1),
            Line(f"temporary memory of {k}", "bytes", "one leaf", goal=1.2),
        ),
        case(devices.spread, *devices.lines(setting)),
        case(leaves.spread, Line(k, "s", f"{setting.leaves} sequential PyTorch supernets", goal=1.0, aim=0.8)),
        case(
            machine.compile_mixed,
            Line("cold compile of the mixed step", "s", goal=30.0, aim=15.0),
            Line("warm compile of the mixed step", "s", goal=3.0),
        ),
        case(
            machine.compile_path,
            Line("cold compile of the path step", "s", goal=30.0, aim=15.0),
            Line("warm compile of the path step", "s", goal=3.0),
        ),
        case(probing.evaluation, Line("whole-space evaluation", "architectures/s", PEER)),
    ]
    if setting.confirm:
        found += [
            case(training.path, Line(f"path step, {sizes}", "s", PEER, goal=1.5, aim=1.0), setting=big),
            case(training.mixed, Line(f"mixed step, {sizes}", "s", PEER, goal=1.0, aim=0.8), setting=big),
        ]
    if setting.compiled_peer:
        found.append(case(training.mixed_compiled, Line("mixed step, torch.compile", "s", "PyTorch, torch.compile")))
    return found
