"""The PyTorch peer against the library: the same loss, gradients, updates and alpha gradients on the same weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.data.pipeline import Images
from jaxnas.nets import Network
from jaxnas.nets.losses import cross_entropy
from jaxnas.spaces import NAS_BENCH_201, TOY, SearchSpace
from jaxnas.training import build_optimizer, build_step, new_state

torch = pytest.importorskip("torch")

from experiments.bench.reference import steps  # noqa: E402
from experiments.bench.reference.supernet import PeerSupernet  # noqa: E402
from experiments.bench.reference.weights import gradients_of, load_weights, weights_of  # noqa: E402

# Every operation on some edge, no symmetry between edges, and in the last one a node that nothing reaches.
PATHS = ((3, 2, 4, 1, 3, 2), (2, 1, 3, 0, 4, 3), (0, 3, 2, 4, 1, 1))
CONFIG = OptimizerConfig()
RATE = 0.05
CLIPS = {"clipped": 0.5, "free": 100.0}


def batch(seed: int) -> tuple[Images, tuple]:
    """The same batch of 4 for both sides."""
    rng = np.random.default_rng(seed)
    images, labels = rng.normal(size=(4, 8, 8, 3)).astype(np.float32), rng.integers(0, 10, 4)
    theirs = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return Images(jnp.asarray(images), jnp.asarray(labels, jnp.int32)), (theirs, torch.tensor(labels))


def draw(space: SearchSpace) -> np.ndarray:
    return np.random.default_rng(3).normal(size=space.shape).astype(np.float32)


TRAIN, VALID = batch(1), batch(2)
ALPHA = draw(TOY)
OP_WEIGHTS = np.asarray(jax.nn.softmax(ALPHA))


def assert_close(theirs, ours, tolerance: float) -> None:
    """Leaf by leaf, relative to the norm of the leaf."""
    ours = jax.tree.map(np.asarray, ours)
    assert jax.tree.structure(theirs) == jax.tree.structure(ours)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(theirs), jax.tree.leaves(ours), strict=True):
        assert a.shape == b.shape
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b), jax.tree_util.keystr(path)


def weights(network: Network):
    """Weights with no norm at scale 1 and bias 0, where a mistake in loading them would not show."""
    drawn, rng = network.init(jax.random.key(5)), np.random.default_rng(4)
    return jax.tree.map(lambda leaf: leaf + 0.1 * jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), drawn)


def peer(space: SearchSpace, cells: int, params) -> PeerSupernet:
    model = PeerSupernet(space.ops, space.edges, channels=4, cells=cells, classes=10)
    load_weights(model, params)
    return model.to(memory_format=torch.channels_last)


# The whole space, two cells: is it the same function?


@pytest.fixture(scope="module")
def params201(cell201):
    return weights(cell201)


@pytest.fixture
def model201(params201):
    return peer(NAS_BENCH_201, 2, params201)


@pytest.fixture(scope="module")
def value_and_gradients(cell201):
    def loss(params, choice, data: Images):
        return cross_entropy(cell201.forward(params, data.images, choice)[0], data.labels)

    argnums = lambda choice: (0,) if jnp.issubdtype(choice.dtype, jnp.integer) else (0, 1)  # noqa: E731
    return jax.jit(lambda params, choice, data: jax.value_and_grad(loss, argnums(choice))(params, choice, data))


def test_weights_come_back_as_they_were_loaded(model201, params201) -> None:
    assert_close(weights_of(model201), params201, 0)
    assert not list(model201.buffers())


def test_mixed_loss_and_gradients_are_ours(model201, params201, value_and_gradients) -> None:
    op_weights = jax.nn.softmax(draw(NAS_BENCH_201))
    value, (into_params, into_op_weights) = value_and_gradients(params201, op_weights, TRAIN[0])
    images, labels = TRAIN[1]
    leaf = torch.tensor(np.asarray(op_weights), requires_grad=True)
    loss = torch.nn.functional.cross_entropy(model201(images, leaf), labels)
    loss.backward()
    np.testing.assert_allclose(loss.item(), value, rtol=1e-5)
    assert_close(gradients_of(model201), into_params, 5e-5)
    assert_close(leaf.grad.numpy(), into_op_weights, 5e-5)
    assert (leaf.grad[:, 0] == 0).all()


@pytest.mark.parametrize("op_ids", PATHS)
def test_path_loss_and_gradients_are_ours(model201, params201, value_and_gradients, op_ids) -> None:
    value, (into_params,) = value_and_gradients(params201, jnp.asarray(op_ids, jnp.int32), TRAIN[0])
    images, labels = TRAIN[1]
    loss = torch.nn.functional.cross_entropy(model201.forward_path(images, op_ids), labels)
    loss.backward()
    np.testing.assert_allclose(loss.item(), value, rtol=1e-5)
    assert_close(gradients_of(model201), into_params, 5e-5)
    for e, chosen in enumerate(op_ids):
        for o, operation in enumerate(model201.stages[0][0].edges[e].operations):
            assert all((kernel.grad is None) == (o != chosen) for kernel in operation.parameters())


# The toy space, which compiles in a third of the time: are they the same steps?


@pytest.fixture(scope="module")
def params(toy):
    return weights(toy)


@pytest.fixture
def model(params):
    return peer(TOY, 1, params)


@pytest.fixture(scope="module")
def step(toy):
    """The library's own step, (state, batch, clip) -> state; what runs is what lies in the state's mask."""

    def step(state, data, clip):
        config = dataclasses.replace(CONFIG, rate=RATE, final_rate=RATE, clip=clip)
        return build_step(toy, lambda key, images: images, config, lambda key, mask: mask)(state, data)[0]

    return jax.jit(step)


@pytest.fixture(scope="module")
def alpha_gradient(toy):
    """(alpha, params, opt, clip, rate) -> gradient of the validation loss after one optax update of that rate by the
    training loss, differentiated through the update; at rate 0 it is the first-order gradient."""

    def valid_loss(alpha, params, opt, clip, rate):
        def loss(params, data: Images):
            return cross_entropy(toy.forward(params, data.images, jax.nn.softmax(alpha))[0], data.labels)

        optimizer = build_optimizer(dataclasses.replace(CONFIG, clip=clip))
        updates, _ = optimizer.update(jax.grad(loss)(params, TRAIN[0]), opt, params)
        return loss(jax.tree.map(lambda weight, update: weight + rate * update, params, updates), VALID[0])

    return jax.jit(jax.grad(valid_loss))


def state_of(params, choice):
    return new_state(jax.random.key(0), np.asarray(choice), params, build_optimizer(CONFIG), steps=10)


def momentum_of(model, optimizer) -> dict:
    for weight in model.parameters():
        weight.grad = optimizer.state[weight]["momentum_buffer"]
    return gradients_of(model)


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_mixed_training_ends_at_our_weights(model, params, step, clip) -> None:
    state, optimizer = state_of(params, OP_WEIGHTS), steps.build_weight_optimizer(model)
    for ours, theirs in (TRAIN, VALID, TRAIN):
        state = step(state, ours, clip)
        steps.mixed_step(model, optimizer, *theirs, torch.tensor(OP_WEIGHTS), RATE, clip)
    assert_close(weights_of(model), state.params, 1e-5)


def test_path_training_ends_at_our_weights_and_momenta(model, params, step) -> None:
    paths = ((2, 1), (1, 2), (2, 1))  # every kernel is off the path once
    state, optimizer = state_of(params, np.array(paths[0], np.int32)), steps.build_weight_optimizer(model)
    for op_ids, (ours, theirs) in zip(paths, (TRAIN, VALID, TRAIN), strict=True):
        state = step(state.replace(mask=jnp.array(op_ids, jnp.int32)), ours, CLIPS["clipped"])
        steps.path_step(model, optimizer, *theirs, op_ids, RATE, CLIPS["clipped"])
    assert_close(weights_of(model), state.params, 1e-5)
    assert_close(momentum_of(model, optimizer), optax.tree.get(state.opt, "trace"), 5e-5)


def test_a_bilevel_step_moves_alpha_and_weights_as_ours(model, params, alpha_gradient, step) -> None:
    alpha, leaf, clip = jnp.asarray(ALPHA), torch.tensor(ALPHA, requires_grad=True), CLIPS["clipped"]
    state, optimizer = state_of(params, OP_WEIGHTS), steps.build_weight_optimizer(model)
    adam = optax.chain(optax.add_decayed_weights(1e-3), optax.adam(3e-4, 0.5, 0.999))
    moments, alpha_optimizer = adam.init(alpha), steps.build_alpha_optimizer(leaf)
    for _ in range(2):
        gradient = alpha_gradient(alpha, state.params, state.opt, clip, 0.0)
        with jax.numpy_dtype_promotion("standard"):  # for optax
            updates, moments = adam.update(gradient, moments, alpha)
        alpha = alpha + updates
        state = step(state.replace(mask=jax.nn.softmax(alpha)), TRAIN[0], clip)
        steps.bilevel_step(model, optimizer, leaf, alpha_optimizer, TRAIN[1], VALID[1], RATE, clip)
        assert_close(leaf.grad.numpy(), gradient, 1e-4)
    assert_close(leaf.detach().numpy() - ALPHA, alpha - ALPHA, 1e-3)  # differences of 6e-4 between numbers of 1
    assert_close(weights_of(model), state.params, 1e-5)


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_a_second_order_step_follows_the_gradient_through_optax(model, params, alpha_gradient, step, clip) -> None:
    state = step(state_of(params, OP_WEIGHTS), VALID[0], clip)  # momentum is not 0 any more
    optimizer, leaf = steps.build_weight_optimizer(model), torch.tensor(ALPHA, requires_grad=True)
    steps.mixed_step(model, optimizer, *VALID[1], torch.tensor(OP_WEIGHTS), RATE, clip)
    alpha_optimizer = steps.build_alpha_optimizer(leaf)
    steps.second_order_step(model, optimizer, leaf, alpha_optimizer, TRAIN[1], VALID[1], RATE, clip)
    gradient, first_order = (alpha_gradient(ALPHA, state.params, state.opt, clip, rate) for rate in (RATE, 0.0))
    assert_close(leaf.grad.numpy(), gradient, 1e-4)
    assert np.linalg.norm(gradient - first_order) > 0.05 * np.linalg.norm(gradient)
    op_weights = jax.nn.softmax(jnp.asarray(leaf.detach().numpy()))
    assert_close(weights_of(model), step(state.replace(mask=op_weights), TRAIN[0], clip).params, 1e-5)
