"""Arithmetic and memory traffic of a function, counted over its jaxpr, and the least that a training step needs.

A compiler's own cost analysis counts the body of a loop once and a switch as its dearest branch. Here a loop counts
as often as it runs and a switch as the branch that runs.
"""

import math
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from jax.interpreters.partial_eval import dce_jaxpr_consts

from jaxnas.spaces.base import Architecture, SearchSpace
from jaxnas.spaces.counts import widths
from jaxnas.spaces.operations import CONVOLUTIONS

Value = np.ndarray | None  # of a small integer or boolean array; None for what the given arguments do not decide
Odds = Callable[[int], np.ndarray]  # number of branches -> how often each runs, as shares
FOLLOWED = 1024  # elements of the largest array whose value is followed

CALLS = {  # primitive -> its parameter that holds what it runs
    **{"jit": "jaxpr", "remat2": "jaxpr", "custom_vmap_call": "call"},
    **{"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"},
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _names("""
    abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp cos cosh div eq erf erf_inv erfc exp exp2
    digamma expm1 floor ge gt integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or
    pow random_bits random_fold_in random_gamma random_gamma_grad random_seed random_split rem round rsqrt select_n
    shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square sub tan tanh threefry2x32 xor
""")
REDUCTIONS = _names("""
    argmax argmin cumlogsumexp cummax cummin cumprod cumsum reduce_and reduce_max reduce_min reduce_or reduce_prod
    reduce_sum reduce_xor top_k
""")
PARTS = _names("dynamic_slice gather slice")  # read no more of their operand than they return
MOVES = PARTS | _names("""
    bitcast_convert_type broadcast_in_dim concatenate convert_element_type copy dynamic_update_slice empty2 iota name
    optimization_barrier pad platform_index random_unwrap random_wrap reshape rev scatter split squeeze stack
    stop_gradient transpose unstack
""")


class Cost(NamedTuple):
    """Arithmetic and memory traffic of one call."""

    products: int
    """multiply-adds of convolutions and matrix products: what the rate of a device's matrix units bounds"""
    elementwise: int
    """other operations of any dtype: one for each output element, in reductions one for each input element"""
    bytes: int
    """read and written if every primitive ran on its own: an upper bound, for a compiler fuses them"""


def count(fn: Callable[..., Any], *args: Any) -> Cost:
    """What `fn(*args)` costs, by tracing alone. args: pytrees of arrays or of jax.ShapeDtypeStruct.

    A lax.switch or lax.cond counts as the branch that runs. To decide it, integers and booleans that are given as
    arrays (up to 1024 elements; constants of `fn` too) are followed through the program and each turn of its scans.
    Under vmap a lax.switch runs, and counts, every branch; that of a path (nets.switch) does not.

    A convolution counts every tap of every output pixel: those on padding too, those on the zeros between the
    pixels of a dilated image not. What has no effect on the result is left out, as compilers do. Of a while_loop ONE
    turn counts, for nobody knows how many it takes. Inside shard_map all devices count.

    Raises ValueError for a branch that nothing decides, and for a primitive that has no rule here.
    """
    return counter(fn, *args)(None)


def counter(fn: Callable[..., Any], *args: Any) -> Callable[[Odds | None], Cost]:
    """`count` for any `odds`, by tracing once: a branch that nothing decides counts as the mean of all by these shares,
    rounded to whole numbers.
    """
    closed = jax.make_jaxpr(fn)(*args)
    live, live_consts, live_args = dce_jaxpr_consts(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    given = [*compress(closed.consts, live_consts), *compress(jax.tree.leaves(args), live_args)]
    inputs = [_follow(x, var.aval) for x, var in zip(given, [*live.constvars, *live.invars], strict=True)]
    return lambda odds: _walk(live, inputs, odds)[0]


def minimum(
    space: SearchSpace,
    channels: int,
    cells: int,
    classes: int,
    image_shape: tuple[int, int, int],
    batch: int,
    architecture: Architecture | None = None,
) -> int:
    """The least multiply-adds of one training step, loss and gradients, on a batch of images [H, W, C].

    Of an architecture's path form or, by default, of the mixed form, which runs every operation. Every convolution
    and matrix product runs three times: forward, gradient on its weights, gradient on its input; the stem twice, for
    nothing asks for a gradient on images. Edges that lead nowhere run too. H and W are multiples of 4.
    """
    height, width, colours = image_shape
    pixels = [height * width // 4**stage for stage in range(len(widths(channels)))]
    chosen = [space.ops] * len(space.edges) if architecture is None else [(space.ops[o],) for o in architecture.op_ids]
    taps = sum(CONVOLUTIONS[op] ** 2 for ops in chosen for op in ops if op in CONVOLUTIONS)
    stem = 9 * colours * channels * pixels[0]
    forward = widths(channels)[-1] * classes
    for area, wide in zip(pixels, widths(channels), strict=True):
        forward += cells * taps * wide**2 * area
    for area, narrow, wide in zip(pixels[1:], widths(channels)[:-1], widths(channels)[1:], strict=True):
        forward += (9 * narrow * wide + 9 * wide**2 + narrow * wide) * area  # a reduction: two 3x3 and the shortcut
    return batch * (2 * stem + 3 * forward)


def _follow(value: Any, aval: Any) -> Value:
    """The value itself if it is one to follow."""
    known = _is_followed(aval) and not isinstance(value, jax.ShapeDtypeStruct)
    return np.asarray(value, aval.dtype) if known else None


def _is_followed(aval: Any) -> bool:
    discrete = jnp.issubdtype(aval.dtype, jnp.integer) or jnp.issubdtype(aval.dtype, jnp.bool_)
    return discrete and aval.size <= FOLLOWED


def _walk(jaxpr: Jaxpr, inputs: Sequence[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    """Cost of a jaxpr and the values of its outputs. inputs: constants, then arguments."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], inputs, strict=True))

    def values(atoms: Sequence[Any]) -> list[Value]:
        return [_follow(atom.val, atom.aval) if isinstance(atom, Literal) else known[atom] for atom in atoms]

    costs = []
    for eqn in jaxpr.eqns:
        cost, outputs = _equation(eqn, values(eqn.invars), odds)
        costs.append(cost)
        known.update(zip(eqn.outvars, outputs, strict=True))
    return _sum(costs), values(jaxpr.outvars)


def _enter(jaxpr: Jaxpr | ClosedJaxpr, inputs: Sequence[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    """`_walk` for a jaxpr that may hold its constants; inputs: arguments."""
    if isinstance(jaxpr, Jaxpr):
        return _walk(jaxpr, inputs, odds)
    # Not all calls were entered when what has no effect was left out of the whole.
    live, live_consts, live_inputs = dce_jaxpr_consts(jaxpr.jaxpr, [True] * len(jaxpr.jaxpr.outvars))
    consts = [_follow(x, var.aval) for x, var in zip(compress(jaxpr.consts, live_consts), live.constvars, strict=True)]
    return _walk(live, [*consts, *compress(inputs, live_inputs)], odds)


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(*(sum(part) for part in zip(*costs, strict=True))) if costs else Cost(0, 0, 0)


def _equation(eqn: JaxprEqn, inputs: list[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    name = eqn.primitive.name
    if name in CALLS:
        return _enter(eqn.params[CALLS[name]], inputs, odds)
    if name in CONTROL:
        return CONTROL[name](eqn, inputs, odds)
    return _cost(eqn), _evaluate(eqn, inputs)


def _evaluate(eqn: JaxprEqn, inputs: list[Value]) -> list[Value]:
    """Outputs of a primitive whose inputs are known and whose outputs are to be followed."""
    if any(value is None for value in inputs) or not all(_is_followed(out.aval) for out in eqn.outvars):
        return [None] * len(eqn.outvars)
    outputs = eqn.primitive.bind(*inputs, **eqn.params)
    return [np.asarray(out) for out in (outputs if eqn.primitive.multiple_results else [outputs])]


def _scan(eqn: JaxprEqn, inputs: list[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    first_carry, length = eqn.params["num_consts"], eqn.params["length"]
    first_slice = first_carry + eqn.params["num_carry"]
    consts, carry, stacked = inputs[:first_carry], inputs[first_carry:first_slice], inputs[first_slice:]
    turns: dict[Any, tuple[Cost, list[Value]]] = {}  # by what they start from, for most are alike
    costs, slices = [], []
    for i in reversed(range(length)) if eqn.params["reverse"] else range(length):
        varying = [*carry, *(None if x is None else x[i] for x in stacked)]
        key = tuple(None if x is None else x.tobytes() for x in varying)
        if key not in turns:
            turns[key] = _enter(eqn.params["jaxpr"], [*consts, *varying], odds)
        cost, outputs = turns[key]
        costs.append(cost)
        carry = outputs[: len(carry)]
        slices.append(outputs[len(carry) :])
    if eqn.params["reverse"]:
        slices.reverse()
    returned = [_stack([turn[j] for turn in slices], x.aval) for j, x in enumerate(eqn.outvars[len(carry) :])]
    return _sum(costs), [*carry, *returned]


def _stack(slices: Sequence[Value], aval: Any) -> Value:
    known = [x for x in slices if x is not None]
    return _follow(np.stack(known), aval) if known and len(known) == len(slices) else None


def _while(eqn: JaxprEqn, inputs: list[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    for_condition, for_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    carry: list[Value] = [None] * len(eqn.outvars)  # changes from turn to turn
    condition, _ = _enter(eqn.params["cond_jaxpr"], [*inputs[:for_condition], *carry], odds)
    body, _ = _enter(eqn.params["body_jaxpr"], [*inputs[for_condition:][:for_body], *carry], odds)
    return _sum([condition, body]), carry


def _cond(eqn: JaxprEqn, inputs: list[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    index, *operands = inputs
    branches = eqn.params["branches"]
    if index is None and odds is not None:
        costs = [_enter(branch, operands, odds)[0] for branch in branches]
        shares = odds(len(branches))
        return Cost(*(round(np.dot(shares, part)) for part in zip(*costs, strict=True))), [None] * len(eqn.outvars)
    if index is None:
        raise ValueError(
            f"nothing decides which of {len(branches)} branches runs: give the integers or booleans it "
            f"depends on as arrays of at most {FOLLOWED} elements, not as shapes"
        )
    return _enter(branches[int(index)], operands, odds)


def _shard_map(eqn: JaxprEqn, inputs: list[Value], odds: Odds | None) -> tuple[Cost, list[Value]]:
    # What is split differs from device to device, and so is not followed.
    specs = zip(inputs, eqn.params["in_specs"], strict=True)
    cost, _ = _enter(eqn.params["jaxpr"], [None if any(spec) else value for value, spec in specs], odds)
    axes = eqn.params["newly_manual_axes" if "newly_manual_axes" in eqn.params else "manual_axes"]  # jax < 0.10
    devices = math.prod(eqn.params["mesh"].shape[axis] for axis in axes)
    return _sum([cost] * devices), [None] * len(eqn.outvars)


CONTROL = {"scan": _scan, "while": _while, "cond": _cond, "shard_map": _shard_map}


def _cost(eqn: JaxprEqn) -> Cost:
    """Cost of a primitive that holds no program of its own."""
    name = eqn.primitive.name
    read: list[Any] = [x.aval for x in eqn.invars]
    written: list[Any] = [x.aval for x in eqn.outvars]
    products = elementwise = 0
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        products = written[0].size * math.prod(read[0].shape[axis] for axis in contracted)
    elif name == "conv_general_dilated":
        products = _convolution_products(eqn.params, read[1].shape, written[0].shape)
    elif name in ELEMENTWISE:
        elementwise = sum(x.size for x in written)
    elif name in REDUCTIONS:
        elementwise = read[0].size
    elif name == "scatter-add":
        elementwise = read[2].size
    elif name == "sort":
        elementwise = read[0].size * (read[0].shape[eqn.params["dimension"]] - 1).bit_length()  # comparisons
    elif name not in MOVES:
        raise ValueError(f"no rule counts what the primitive {name!r} costs")
    if name in PARTS:
        read[0] = written[0]
    return Cost(products, elementwise, sum(x.size * x.dtype.itemsize for x in [*read, *written]))


def _convolution_products(params: dict[str, Any], kernel: tuple[int, ...], out: tuple[int, ...]) -> int:
    """Taps on a pixel or on padding, for each pair of an output channel and an input channel of its group."""
    numbers = params["dimension_numbers"]
    (_, inputs, *kernel_axes), (images, outputs, *out_axes) = numbers.rhs_spec, numbers.out_spec
    products = out[images] * out[outputs] * kernel[inputs]
    geometry = (params[name] for name in ("window_strides", "rhs_dilation", "padding", "lhs_dilation"))
    axes = zip(out_axes, kernel_axes, *geometry, strict=True)
    for out_axis, kernel_axis, stride, spread, (before, _), gap in axes:
        starts = np.arange(out[out_axis])[:, None] * stride - before
        taps = np.arange(kernel[kernel_axis])[None, :] * spread
        products *= int(((starts + taps) % gap == 0).sum())  # what lies between is no pixel
    return products
