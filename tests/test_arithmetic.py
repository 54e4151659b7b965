"""Counted costs against hand counts, published counts of a benchmark and, for a plain program, the compiler's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.custom_batching import custom_vmap
from jax.experimental import pallas
from jax.sharding import PartitionSpec

from jaxnas.arithmetic import Cost, count, counter, minimum
from jaxnas.config import OptimizerConfig
from jaxnas.data import Images
from jaxnas.distributed import parallel
from jaxnas.nets import build_network
from jaxnas.nets.losses import cross_entropy
from jaxnas.spaces import NAS_BENCH_201, TOY, Architecture
from jaxnas.training import build_optimizer, build_step, new_state

SQUARE = jax.ShapeDtypeStruct((4, 4), jnp.float32)
PRODUCT = 4 * 4 * 4  # multiply-adds of SQUARE @ SQUARE
BRANCHES = (lambda x: x, lambda x: x @ x, lambda x: x @ x @ x)  # 0, 1 and 2 products
NHWC = ("NHWC", "HWIO", "NHWC")
GOAL = 1.15  # most that a step may cost, as a multiple of the least it needs
PATHS = [(3,) * 6, (2,) * 6, (1,) * 6, (0, 0, 0, 3, 0, 0), (0, 1, 2, 3, 4, 3), (3, 1, 3, 1, 1, 2), (4, 2, 4, 0, 3, 1)]


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def products(fn, *args) -> int:
    return count(fn, *args).products


def switch(index, x):
    return lax.switch(index, BRANCHES, x)


def convolution(strides, padding, groups=1):
    def convolve(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=NHWC, feature_group_count=groups)

    return convolve


# --- primitives


def test_a_matrix_product_costs_its_multiply_adds_and_reads_and_writes_its_matrices() -> None:
    assert count(jnp.matmul, shape(2, 3), shape(3, 5)) == Cost(2 * 3 * 5, 0, 4 * (2 * 3 + 3 * 5 + 2 * 5))


def test_a_batch_of_matrix_products_contracts_over_two_axes() -> None:
    def contract(x, y):
        return jnp.einsum("bijk,bjkl->bil", x, y)

    assert products(contract, shape(7, 2, 3, 4), shape(7, 3, 4, 5)) == 7 * 2 * 5 * (3 * 4)


def test_elementwise_operations_count_outputs_reductions_count_inputs_and_moves_count_bytes_only() -> None:
    assert count(lambda x: jnp.tanh(x + x), shape(3, 5)) == Cost(0, 2 * 15, 4 * (3 * 15 + 2 * 15))
    assert count(lambda x: x.max(0), shape(3, 5)) == Cost(0, 15, 4 * (15 + 5))
    assert count(lambda x: lax.cumsum(x, 1), shape(3, 5)) == Cost(0, 15, 4 * (15 + 15))
    assert count(jnp.transpose, shape(3, 5)) == Cost(0, 0, 4 * (15 + 15))
    assert count(lax.sort, shape(5, 8)).elementwise == 5 * 8 * 3


def test_a_slice_reads_no_more_than_it_returns() -> None:
    assert count(lambda x: x[2:4], shape(1000)) == Cost(0, 0, 4 * (2 + 2))


def test_random_numbers_count_once_for_each_number() -> None:
    assert count(lambda key: jax.random.bits(key, (100,)), jax.random.key(0)) == Cost(0, 100, 4 * (2 + 100))


@pytest.mark.parametrize(
    ("strides", "padding", "groups", "pixels"),
    [((1, 1), "SAME", 1, 8 * 12), ((2, 2), "SAME", 1, 4 * 6), ((1, 1), "VALID", 1, 6 * 10), ((2, 3), "SAME", 2, 4 * 4)],
)
def test_a_convolution_counts_every_tap_of_every_output_pixel_and_its_gradients_as_much(
    strides, padding, groups, pixels
) -> None:
    convolve, x, kernel = convolution(strides, padding, groups), shape(2, 8, 12, 4), shape(3, 3, 4 // groups, 6)
    forward = 2 * pixels * 9 * (4 // groups) * 6
    assert products(convolve, x, kernel) == forward

    def gradients(x, kernel, into_y):
        return jax.vjp(convolve, x, kernel)[1](into_y)

    # The input gradient of a VALID convolution pads, and padding counts.
    into_x = 2 * (8 * 12 if padding == "VALID" else pixels) * 9 * (4 // groups) * 6
    assert products(gradients, x, kernel, jax.eval_shape(convolve, x, kernel)) == into_x + forward


@pytest.mark.parametrize(
    ("stride", "padding", "spread", "pairs"),
    [
        (1, (1, 1), 1, 1 + 2 + 1 + 2 + 1 + 2 + 1),  # an odd start meets its middle tap only, an even one its outer two
        (1, (0, 2), 1, 2 + 1 + 2 + 1 + 2 + 1 + 2),
        (2, (1, 1), 1, 1 + 1 + 1 + 1),
        (1, (1, 1), 2, 0 + 3 + 0 + 3 + 0),
    ],
)
def test_taps_between_the_pixels_of_a_dilated_image_do_not_count(stride, padding, spread, pairs) -> None:
    def convolve(x, kernel):  # 4 pixels lie at 0, 2, 4 and 6
        return lax.conv_general_dilated(x, kernel, (stride,), [padding], (2,), (spread,), ("NWC", "WIO", "NWC"))

    assert products(convolve, shape(5, 4, 2), shape(3, 2, 7)) == 5 * pairs * 2 * 7


# --- programs


def test_the_gradient_of_a_matrix_product_costs_twice_as_much_again() -> None:
    def loss(x, y):
        return jnp.square(x @ y).sum()

    assert products(jax.grad(loss, (0, 1)), SQUARE, SQUARE) == 3 * PRODUCT
    assert products(jax.grad(loss), SQUARE, SQUARE) == 2 * PRODUCT  # the other gradient has no effect


def test_a_scan_counts_as_often_as_it_runs() -> None:
    def scanned(x, length=5):
        return lax.scan(lambda carry, _: (carry @ carry, None), x, length=length)[0]

    def nested(x):
        return lax.scan(lambda carry, _: (scanned(carry, 3), None), x, length=7)[0]

    assert products(scanned, SQUARE) == 5 * PRODUCT
    assert products(nested, SQUARE) == 7 * 3 * PRODUCT
    assert products(jax.grad(lambda x: nested(x).sum()), SQUARE) == 3 * 7 * 3 * PRODUCT
    assert products(lambda x: lax.map(lambda row: row @ row, x), shape(6, 4, 4)) == 6 * PRODUCT


def test_a_while_loop_counts_one_turn() -> None:
    def loop(x):
        return lax.while_loop(lambda x: (x @ x).sum() > 0, lambda x: x @ x @ x, x)

    assert products(loop, SQUARE) == (1 + 2) * PRODUCT


@pytest.mark.parametrize(
    ("wrap", "complete"),
    [
        (jax.jit, lambda wrapped: None),
        (jax.checkpoint, lambda wrapped: None),
        (custom_vmap, lambda wrapped: wrapped.def_vmap(lambda *_: None)),
        (jax.custom_jvp, lambda wrapped: wrapped.defjvp(lambda *_: None)),
        (jax.custom_vjp, lambda wrapped: wrapped.defvjp(lambda *_: None, lambda *_: None)),
    ],
    ids=["jit", "checkpoint", "custom_vmap", "custom_jvp", "custom_vjp"],
)
def test_calls_are_entered_with_what_is_known(wrap, complete) -> None:
    wrapped = wrap(switch)
    complete(wrapped)
    assert products(wrapped, np.int32(2), SQUARE) == 2 * PRODUCT


def test_vmap_counts_every_item() -> None:
    assert products(jax.vmap(lambda x: x @ x), shape(6, 4, 4)) == 6 * PRODUCT


@pytest.mark.parametrize(("index", "runs"), [(0, 0), (1, 1), (2, 2), (9, 2), (-1, 0)])
def test_a_switch_counts_as_the_branch_that_runs(index: int, runs: int) -> None:
    assert products(switch, np.int32(index), SQUARE) == runs * PRODUCT
    assert products(lambda x: switch(jnp.int32(index), x), SQUARE) == runs * PRODUCT  # a constant of the function


def test_conditions_are_worked_out_from_the_given_integers() -> None:
    def chosen(ids, x):
        return lax.cond(jnp.any(ids[2:] * 2 > 5), BRANCHES[2], BRANCHES[1], x)

    assert products(chosen, np.array([9, 9, 3]), SQUARE) == 2 * PRODUCT
    assert products(chosen, np.array([9, 9, 2]), SQUARE) == PRODUCT


def test_switches_of_a_scan_are_decided_turn_by_turn() -> None:
    ids = np.array([2, 0, 1, 2, 2], np.int32)

    def sliced(x, ids):
        return lax.scan(lambda carry, index: (switch(index, carry), None), x, ids)[0]

    def closed_over(x, ids):
        return lax.scan(lambda carry, _: (switch(ids[2], switch(ids[0], carry)), None), x, length=5)[0]

    def counted(x):
        return lax.fori_loop(0, 5, lambda i, carry: switch(i % 3, carry), x)

    assert products(sliced, SQUARE, ids) == (2 + 0 + 1 + 2 + 2) * PRODUCT
    assert products(closed_over, SQUARE, ids) == 5 * (2 + 1) * PRODUCT
    assert products(counted, SQUARE) == (0 + 1 + 2 + 0 + 1) * PRODUCT
    assert products(jax.grad(lambda x: sliced(x, ids).sum()), SQUARE) == 3 * 7 * PRODUCT


@pytest.mark.parametrize(("reverse", "runs"), [(False, 2 + 1), (True, 0)])
def test_a_scan_carries_and_returns_known_values_in_its_order(reverse: bool, runs: int) -> None:
    def fn(x, ids):
        # Beside each id, the id of the turn before: [0, 2, 1], or, from the end, [1, 0, 0].
        _, previous = lax.scan(lambda carry, index: (index, carry), jnp.int32(0), ids, reverse=reverse)
        return switch(previous[1], switch(previous[2], x))

    assert products(fn, SQUARE, np.array([2, 1, 0], np.int32)) == runs * PRODUCT


def test_a_branch_that_nothing_decides_counts_by_its_odds() -> None:
    undecided = counter(switch, jax.ShapeDtypeStruct((), jnp.int32), SQUARE)
    assert undecided(lambda n: np.full(n, 1 / n)).products == PRODUCT
    assert undecided(lambda n: np.array([0.25, 0.25, 0.5])).products == 1.25 * PRODUCT
    # What is decided needs no odds.
    assert counter(switch, np.int32(2), SQUARE)(lambda n: np.full(n, 1 / n)).products == 2 * PRODUCT


def test_a_branch_that_nothing_decides_is_an_error() -> None:
    index = jax.ShapeDtypeStruct((), jnp.int32)
    with pytest.raises(ValueError, match=r"which of 3 branches runs.* as arrays .*, not as shapes"):
        count(switch, index, SQUARE)
    with pytest.raises(ValueError, match="which of 3 branches"):  # a float is not followed
        count(lambda index, x: switch(index.astype(int), x), np.float32(1), SQUARE)


def test_a_vmapped_switch_counts_every_branch() -> None:
    ids = jax.ShapeDtypeStruct((6,), jnp.int32)
    assert products(jax.vmap(switch), ids, shape(6, 4, 4)) == 6 * 3 * PRODUCT


def test_all_devices_of_a_shard_map_count() -> None:
    def on_devices(index, x):
        split = PartitionSpec(parallel.AXIS)
        spread = jax.shard_map(
            jax.vmap(switch, (None, 0)),
            mesh=parallel.make_mesh(2),
            in_specs=(PartitionSpec(), split),
            out_specs=split,
        )
        return spread(index, x)

    assert products(on_devices, np.int32(1), shape(6, 4, 4)) == 6 * PRODUCT


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("pallas_call", lambda x: pallas.pallas_call(lambda i, o: None, out_shape=SQUARE)(x)),
        ("custom_linear_solve", lambda x: lax.custom_linear_solve(lambda y: y @ x, x, lambda _, b: b, symmetric=True)),
        ("cholesky", jnp.linalg.cholesky),
    ],
)
def test_primitives_without_a_rule_are_an_error(name: str, fn) -> None:
    with pytest.raises(ValueError, match=f"'{name}'"):
        count(fn, SQUARE)


def test_a_program_without_loops_costs_what_the_compiler_says() -> None:
    """XLA counts two operations for a multiply-add and no taps on padding, so the convolutions here have none."""

    def fn(x, first, second, dense):
        x = jnp.maximum(convolution((1, 1), "VALID")(x, first), 0.0)
        x = jnp.maximum(convolution((2, 2), "VALID")(x, second), 0.0)
        return x.reshape(x.shape[0], -1) @ dense

    args = shape(4, 12, 12, 3), shape(3, 3, 3, 8), shape(3, 3, 8, 16), shape(4 * 4 * 16, 10)
    cost = count(fn, *args)
    said = jax.jit(fn).lower(*args).compile().cost_analysis()["flops"]
    assert 2 * cost.products + cost.elementwise == pytest.approx(said, rel=1e-3)


# --- networks


def counted_forward(network, image_shape, op_ids) -> int:
    params = jax.eval_shape(network.init, jax.random.key(0))
    return products(lambda *args: network.forward(*args)[0], params, shape(1, *image_shape), op_ids)


def separators(convolutions: int) -> int:
    """What columns of zeros between images cost on CPU, one for each row of each 3x3 convolution of stride 1: of the
    stem, the two reductions, and so many in the cells of each stage. 32x32 images, 16 channels."""
    per_row = {32: 9 * 16**2, 16: 9 * 32**2, 8: 9 * 64**2}
    reductions = 16 * per_row[16] + 8 * per_row[8]
    return 32 * 9 * 3 * 16 + reductions + convolutions * sum(rows * cost for rows, cost in per_row.items())


@pytest.mark.parametrize(
    ("classes", "op", "published"),
    [(10, 3, 220_119_690), (10, 1, 7_783_050), (100, 3, 220_125_540), (100, 1, 7_788_900)],
)
def test_architectures_cost_what_the_benchmark_publishes(classes: int, op: int, published: int) -> None:
    """NAS-Bench-201 counts multiply-adds of convolutions and classifier, and one for each bias of the classifier."""
    size = {"channels": 16, "cells": 5, "classes": classes, "image_shape": (32, 32, 3)}
    forward = counted_forward(build_network(NAS_BENCH_201, **size), (32, 32, 3), np.full(6, op, np.int32))
    forward -= separators(5 * 6 if op == 3 else 0)
    assert forward == published - classes
    stem = 32 * 32 * 9 * 3 * 16
    assert minimum(NAS_BENCH_201, **size, batch=7, architecture=Architecture((op,) * 6)) == 7 * (3 * forward - stem)


def test_a_path_of_the_toy_space_costs_its_hand_count(toy) -> None:
    # 8x8 pixels of 4 channels, 4x4 of 8, 2x2 of 16; one cell each, a 3x3 convolution on its first edge. On CPU a
    # convolution of stride 1 computes a column more.
    cells = 72 * 9 * 4 * 4 + 20 * 9 * 8 * 8 + 6 * 9 * 16 * 16
    halvings = 16 * (9 * 4 * 8 + 4 * 8) + 4 * (9 * 8 * 16 + 8 * 16)
    reductions = halvings + 20 * 9 * 8 * 8 + 6 * 9 * 16 * 16
    rest = 72 * 9 * 3 * 4 + 16 * 10
    assert counted_forward(toy, (8, 8, 3), np.array([2, 1], np.int32)) == cells + reductions + rest
    assert counted_forward(toy, (8, 8, 3), np.array([2, 2], np.int32)) == 2 * cells + reductions + rest


def test_the_least_cost_of_the_mixed_form_is_that_of_every_operation_on_every_edge() -> None:
    size = (4, 2, 10, (8, 8, 3), 16)
    bare, large, small = (minimum(NAS_BENCH_201, *size, Architecture((op,) * 6)) for op in (0, 3, 2))
    assert minimum(NAS_BENCH_201, *size) - bare == (large - bare) + (small - bare)


@pytest.fixture(scope="module")
def gradients(cell201):
    """(choice) -> products of loss and gradients on 16 images of 32x32."""
    params = jax.eval_shape(cell201.init, jax.random.key(0))

    def gradient(params, images, labels, choice):
        def loss(params):
            return cross_entropy(cell201.forward(params, images, choice)[0], labels)

        return jax.value_and_grad(loss)(params)

    labels = jax.ShapeDtypeStruct((16,), jnp.int32)
    return lambda choice: products(gradient, params, shape(16, 32, 32, 3), labels, choice)


def test_a_mixed_step_costs_little_more_than_it_needs(gradients) -> None:
    least = minimum(NAS_BENCH_201, 4, 2, 10, (32, 32, 3), 16)
    assert least <= gradients(shape(6, 5)) <= GOAL * least


@pytest.mark.parametrize("op_ids", PATHS)
def test_a_path_step_costs_little_more_than_it_needs(gradients, op_ids) -> None:
    least = minimum(NAS_BENCH_201, 4, 2, 10, (32, 32, 3), 16, Architecture(op_ids))
    assert least <= gradients(np.array(op_ids, np.int32)) <= GOAL * least


def test_training_steps_of_several_items_cost_little_more_than_they_need(toy) -> None:
    config, op_ids = OptimizerConfig(), np.array([2, 2], np.int32)
    step = build_step(toy, lambda key, images: images, config, lambda key, mask: jnp.asarray(op_ids))
    state = jax.eval_shape(
        lambda key: new_state(key, TOY.full_mask(), toy.init(key), build_optimizer(config), 10), jax.random.key(0)
    )
    states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((3, *leaf.shape), leaf.dtype), state)
    images = Images(shape(16, 32, 32, 3), jax.ShapeDtypeStruct((16,), jnp.int32))
    least = minimum(TOY, 4, 1, 10, (32, 32, 3), 16, Architecture((2, 2)))
    assert 3 * least <= products(parallel.over(step, "map"), states, images) <= 3 * GOAL * least
