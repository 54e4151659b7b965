"""The PyTorch references of the metrics against facts known by hand, by differences or by numpy."""

import math

import numpy as np
import pytest

from jaxnas.spaces import NAS_BENCH_201
from jaxnas.spaces.base import Architecture
from jaxnas.spaces.counts import architecture_parameters, supernet_parameters

torch = pytest.importorskip("torch")

from experiments.bench.reference.supernet import PeerSupernet  # noqa: E402
from experiments.bench.reference.weights import weights_of  # noqa: E402
from tests.metrics import peer_metrics as by_weights  # noqa: E402
from tests.metrics import peer_sample_metrics as by_samples  # noqa: E402

SIZES = {"channels": 4, "cells": 1, "classes": 10}
OP_IDS = (3, 2, 4, 1, 3, 2)
PATH = by_weights.path_weights(NAS_BENCH_201, OP_IDS)
NOTHING = by_weights.path_weights(NAS_BENCH_201, (0,) * 6)
MIXED = np.random.default_rng(1).dirichlet(np.ones(5), 6)
CHOICES = pytest.mark.parametrize("op_weights", [PATH, MIXED], ids=["path", "mixed"])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Layers this small lose more by waiting for threads than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def model():
    """Every parameter random, norms and biases too."""
    torch.manual_seed(3)
    model = PeerSupernet(NAS_BENCH_201.ops, NAS_BENCH_201.edges, **SIZES).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 3, 8, 8))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.array([0, 1, 1, 2, 2, 2, 5, 9])


class Powers(torch.nn.Module):
    """A classifier on the flattened images to some power, whose gradients and Jacobians are formulas."""

    def __init__(self, features: int, power: int) -> None:
        super().__init__()
        self.power, self.stages = power, ()
        self.classifier = torch.nn.Linear(features, 3).double()

    def forward(self, images, op_weights):
        return self.classifier(images.flatten(1) ** self.power)


def classifier_gradients(model, images, labels) -> np.ndarray:
    """Per-sample gradients [B, 3, features] of cross-entropy on the matrix of a classifier."""
    x = images.reshape(len(images), -1)
    logits = x @ model.classifier.weight.detach().numpy().T + model.classifier.bias.detach().numpy()
    error = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(3)[labels]
    return error[:, :, None] * x[:, None, :]


def along_weights(model, op_weights, value, step: float = 1e-6) -> float:
    """Central difference of a function of the model when all live weights grow in proportion."""
    weights, ends = by_weights.live_weights(model, op_weights), []
    start = [weight.detach().clone() for weight in weights]
    for factor in (1 + step, 1 - step, 1):
        with torch.no_grad():
            for weight, before in zip(weights, start, strict=True):
                weight.copy_(factor * before)
        ends.append(value(model))
    return (ends[0] - ends[1]) / (2 * step)


def test_a_peer_is_built_from_the_tree_of_weights(model, images) -> None:
    again = by_weights.build_peer(NAS_BENCH_201, weights_of(model), **SIZES)
    assert torch.equal(by_weights.run(again, images, MIXED), by_weights.run(model, images, MIXED))


@CHOICES
def test_given_statistics_leave_the_logits_and_part_the_samples(model, images, op_weights) -> None:
    held = by_weights.with_given_statistics(model, images, op_weights)
    together = by_weights.run(model, images, op_weights)
    alone = torch.cat([by_weights.run(held, images[b : b + 1], op_weights) for b in range(8)])
    torch.testing.assert_close(alone, together, rtol=1e-9, atol=1e-9)
    rows = [by_samples.input_jacobian(held, images[b : b + 1], op_weights) for b in range(8)]
    torch.testing.assert_close(torch.cat(rows), by_samples.input_jacobian(held, images, op_weights))
    assert all(norm.running_mean is None for norm in model.modules() if isinstance(norm, torch.nn.BatchNorm2d))


# Pairs of operations.


def test_similarities_of_a_choice_with_itself_and_with_nothing(model, images, labels) -> None:
    skips = by_weights.path_weights(NAS_BENCH_201, (3, 1, 1, 1, 1, 1))
    arguments = (model, images, labels)
    assert by_weights.cosine(*arguments, skips, skips, 0) == pytest.approx(1)
    assert by_weights.negative_squared_distance(*arguments, skips, skips, 0) == 0
    # Only filters of the reductions have a gradient, among those of five edges with two convolutions each.
    reductions, others = 3 * 8 + 3 * 16, 5 * 2 * (4 + 8 + 16)
    share = reductions / (reductions + others)
    assert by_weights.filter_cosine(*arguments, skips, skips, 0) == pytest.approx(share)
    size = sum(g.square().sum().item() for g in by_weights.shared_gradients(*arguments, skips, 0))
    assert by_weights.cosine(*arguments, skips, NOTHING, 0) == 0
    assert by_weights.filter_cosine(*arguments, skips, NOTHING, 0) == 0
    assert by_weights.negative_squared_distance(*arguments, skips, NOTHING, 0) == pytest.approx(-size)


def test_cosine_and_distance_obey_the_law_of_cosines(model, images, labels) -> None:
    other = by_weights.path_weights(NAS_BENCH_201, (*OP_IDS[:4], 1, OP_IDS[5]))
    pair = (model, images, labels, PATH, other, 4)
    sizes = [
        math.sqrt(sum(g.square().sum().item() for g in by_weights.shared_gradients(model, images, labels, choice, 4)))
        for choice in (PATH, other)
    ]
    cosine = by_weights.cosine(*pair)
    assert 0 < abs(cosine) < 1
    distance = sizes[0] ** 2 + sizes[1] ** 2 - 2 * sizes[0] * sizes[1] * cosine
    assert by_weights.negative_squared_distance(*pair) == pytest.approx(-distance)


# Weights and their gradients.


@CHOICES
def test_plain_and_grasp_are_derivatives_along_the_weights(model, images, labels, op_weights) -> None:
    def loss(model):
        return by_samples.validation_loss(model, images, labels, op_weights)

    def half_square(model):
        weights = by_weights.live_weights(model, op_weights)
        found = by_weights.gradients(by_weights.loss(model, images, labels, op_weights), weights)
        return sum(gradient.square().sum().item() for gradient in found) / 2

    plain = by_weights.plain(model, images, labels, op_weights)
    grasp = by_weights.grasp(model, images, labels, op_weights)
    assert by_weights.snip(model, images, labels, op_weights) >= abs(plain) > 1e-6
    assert along_weights(model, op_weights, loss) == pytest.approx(plain, rel=1e-4)
    assert along_weights(model, op_weights, half_square) == pytest.approx(-grasp, rel=1e-4)


def test_fisher_and_zico_of_a_classifier_are_those_of_its_formulas(images, labels) -> None:
    model, labels = Powers(192, power=1), labels % 3
    found, matrix = classifier_gradients(model, images, labels), model.classifier.weight.detach().numpy()
    effects = (found / 8 * matrix).sum(-1)  # [B, 3]
    expected = 192 * (0.5 * (effects**2).mean(0)).sum()
    assert by_weights.fisher(model, images, labels, []) == pytest.approx(expected)
    parts = (slice(0, 3), slice(3, 5), slice(5, 8))
    means = np.stack([found[part].mean(0) for part in parts])
    expected = np.log((np.abs(means).mean(0) / means.std(0)).sum())
    batches = [(images[part], labels[part]) for part in parts]
    assert by_weights.zico(model, batches, []) == pytest.approx(expected)
    assert by_weights.zico(model, batches[:1] * 3, []) == 0
    norm = np.linalg.norm(found.mean(0))
    assert by_weights.grad_norm(model, images, labels, []) == pytest.approx(norm)


@CHOICES
def test_fisher_is_the_effect_of_scaling_the_output_of_every_filter(model, images, labels, op_weights) -> None:
    held = by_weights.with_given_statistics(model, images, op_weights)
    layers = by_weights.live_modules(held, op_weights, torch.nn.Conv2d, torch.nn.Linear)
    scales = {layer: torch.ones(8, len(layer.weight), dtype=torch.float64, requires_grad=True) for layer in layers}

    def scaled(layer, inputs, y):
        bias = 0 if layer.bias is None else layer.bias  # no weight of the classifier's matrix
        return (y - bias) * scales[layer].view(*y.shape[:2], *(1,) * (y.ndim - 2)) + bias

    for layer in layers:
        layer.register_forward_hook(scaled)
    losses = by_weights.loss(held, images, labels, op_weights, reduction="none")
    effects = torch.autograd.grad(losses.mean(), list(scales.values()))
    expected = 0.0
    for layer, effect in zip(layers, effects, strict=True):
        expected += layer.weight[0].numel() * (effect.square().mean(0) / 2).sum().item()
    assert by_weights.fisher(model, images, labels, op_weights) == pytest.approx(expected)


@CHOICES
def test_what_is_closed_counts_nowhere(model, images, labels, op_weights) -> None:
    def scores() -> list[float]:
        arguments = (model, images, op_weights)
        return [
            by_weights.l2_norm(model, op_weights),
            by_weights.grad_norm(model, images, labels, op_weights),
            by_weights.fisher(model, images, labels, op_weights),
            by_weights.synflow(*arguments),
            by_samples.naswot(*arguments),
            by_samples.ntk_smallest(*arguments),
        ]

    op_weights = op_weights.copy()
    op_weights[2, 2:4] = 0
    before = scores()
    with torch.no_grad():
        for operation in (2, 3):
            model.stages[1][0].edges[2].operations[operation][1].weight.mul_(-7)
    assert scores() == pytest.approx(before)
    with torch.no_grad():
        model.stem[0].weight.mul_(2)
    assert by_weights.l2_norm(model, op_weights) > before[0]


@CHOICES
def test_flow_is_conserved(model, images, op_weights) -> None:
    total, by_layer = by_weights.flows(model, images, op_weights)
    assert by_layer[0] == pytest.approx(total)  # the stem
    assert by_layer[-1] == pytest.approx(total)  # the classifier
    assert by_weights.synflow(model, images, op_weights) == pytest.approx(math.log(sum(by_layer)))
    assert by_weights.synflow(model, images, NOTHING) == -math.inf


# Samples.


def test_scores_of_jacobians_that_are_alike_and_that_are_orthogonal() -> None:
    offset, count = by_samples.OFFSET, 4
    images = np.stack([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).astype(float).reshape(3, 1, 2, 2)
    images = np.concatenate([images, images[:1]])[:count]
    linear, squares = Powers(4, power=1), Powers(4, power=2)
    with torch.no_grad():
        squares.classifier.weight.fill_(0.5)  # the Jacobian is 3 times the image
    alike = -sum(math.log(v + offset) + 1 / (v + offset) for v in (0, 0, 0, 4))
    assert by_samples.jacob_cov(linear, images, []) == pytest.approx(alike, rel=1e-6)
    orthogonal = -3 * (math.log(1 + offset) + 1 / (1 + offset))
    assert by_samples.jacob_cov(squares, images[:3], []) == pytest.approx(orthogonal)
    # Two classes of two: orthogonal samples in one, the same sample twice in the other.
    labels, order = np.array([0, 7, 0, 7]), [1, 0, 2, 3]
    apart = 2 * math.log(1 + offset) + 2 * math.log(offset)
    expected = abs(apart) + 4 * math.log(1 + offset)
    assert by_samples.epe_nas(squares, images[order], labels, []) == pytest.approx(expected)


@CHOICES
def test_jacobians_couple_through_the_norms_only(model, images, labels, op_weights) -> None:
    apart, coupled = (by_samples.jacob_cov(model, images, op_weights, coupled=c) for c in (False, True))
    held = by_weights.with_given_statistics(model, images, op_weights)
    assert by_samples.jacob_cov(held, images, op_weights, coupled=True) == pytest.approx(apart)
    assert abs(coupled - apart) > 1e-3
    assert by_samples.epe_nas(model, images, labels, op_weights) > 0


def test_the_tangent_kernel_of_a_classifier_is_that_of_its_inputs(images) -> None:
    rows = images.reshape(8, -1)
    expected = np.linalg.eigvalsh(3 * rows @ rows.T)
    model = Powers(192, power=1)
    assert by_samples.ntk_smallest(model, images, []) == pytest.approx(expected[0])
    assert by_samples.ntk_condition(model, images, []) == pytest.approx(expected[-1] / expected[0])


@CHOICES
def test_every_rectifier_of_a_live_convolution_counts(model, images, op_weights) -> None:
    convolutions = int((op_weights[:, 2:4] != 0).sum())
    in_cells = convolutions * (4 * 64 + 8 * 16 + 16 * 4)
    elsewhere = (4 * 64 + 8 * 16) + (8 * 16 + 16 * 4) + 16 * 4
    agreement = by_samples.pattern_agreement(model, images, op_weights)
    assert (agreement.diagonal() == in_cells + elsewhere).all()
    assert by_samples.naswot(model, images, op_weights) == pytest.approx(np.linalg.slogdet(agreement.numpy())[1])


def test_regions_are_counted_by_hand_where_the_sets_are_one_unit_or_images_repeat(model, images) -> None:
    def first(place: int, size: int) -> np.ndarray:
        return np.zeros((1, 1), int)  # of one unit: one region or two

    rectifiers = by_weights.live_modules(model, PATH, torch.nn.ReLU)
    active = [x[:, 0, 0, 0] > 0 for x in by_weights.inputs_of(rectifiers, model, images, PATH)]
    expected = np.mean([1 + bool(0 < on.sum() < 8) for on in active])
    assert by_samples.linear_regions(model, images, PATH, first) == pytest.approx(expected)
    places: dict[int, int] = {}

    def all_units(place: int, size: int) -> np.ndarray:
        places[place] = size
        return np.arange(size)[None]

    repeated = images[[0, 1, 2, 0, 1, 2, 2, 2]]
    assert by_samples.linear_regions(model, repeated, PATH, all_units) == 3
    sizes = [4 * 64] * 3 + [8 * 16] * 3 + [16 * 4] * 3  # edges leave three nodes of a cell
    assert places == dict(enumerate([*sizes, 4 * 64, 8 * 16, 8 * 16, 16 * 4, 16 * 4]))


def test_parameters_are_those_the_space_counts() -> None:
    model = PeerSupernet(NAS_BENCH_201.ops, NAS_BENCH_201.edges, channels=4, cells=2, classes=10)
    skeleton = 2 * 4 + 4 * 8 + 4 * 16 + 2 * 16 + 10  # norms, and the bias of the classifier
    everything = supernet_parameters(NAS_BENCH_201, 4, 2, 10)
    assert by_samples.parameters(model, MIXED) == everything - skeleton
    alone = architecture_parameters(NAS_BENCH_201, Architecture(OP_IDS), 4, 2, 10)
    norms = 2 * 4 * 2 * (4 + 8 + 16)  # four convolutions in each of two cells
    assert by_samples.parameters(model, PATH) == alone - skeleton - norms


def test_accuracy_is_in_percent(model, images, labels) -> None:
    best = by_weights.run(model, images, PATH).argmax(-1)
    assert by_samples.accuracy(model, images, best, PATH) == 100
    half = np.where(np.arange(8) < 4, best, (best + 1) % 10)
    assert by_samples.accuracy(model, images, half, PATH) == 50
    assert by_samples.validation_loss(model, images, best, PATH) < by_samples.validation_loss(model, images, half, PATH)
