"""Architectures trained alone: what one reaches does not depend on the others, and its accuracy is counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import load
from jaxnas.data.pipeline import padded_batches
from jaxnas.distributed.parallel import item
from jaxnas.few_shot.run_context import RANDOM_ALONE, STANDALONE
from jaxnas.few_shot.standalone import standalone_accuracy, train_standalone
from jaxnas.types import QUIET

OP_IDS = np.array([[2, 1], [1, 1], [2, 2]], np.int32)


@pytest.fixture(scope="module")
def together(context):
    return train_standalone(context, OP_IDS, 2, STANDALONE, QUIET)


def bits(state) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state.params, state.stats, state.opt, state.step))]


def starts(context, op_ids, purpose):
    """The states that training starts from."""
    return train_standalone(context, op_ids, 2, purpose, QUIET._replace(resume=lambda start: (2, start)))


def test_an_architecture_does_not_depend_on_what_is_trained_beside_it(context, together) -> None:
    for rows in ([2], [1, 2]):
        fewer = train_standalone(context, OP_IDS[rows], 2, STANDALONE, QUIET)
        for a, b in zip(bits(fewer), bits(together), strict=True):
            np.testing.assert_array_equal(a, b[rows])


def test_architectures_differ_and_start_from_the_same_weights(context, together) -> None:
    first = starts(context, OP_IDS, STANDALONE)
    for leaf in jax.tree.leaves(first.params):
        np.testing.assert_array_equal(leaf[0], leaf[1])
        np.testing.assert_array_equal(leaf[0], leaf[2])
    assert first.mask.sum((1, 2)).tolist() == [2, 2, 2]  # one operation an edge
    assert np.asarray(first.mask.argmax(-1)).tolist() == OP_IDS.tolist()
    assert first.steps.tolist() == [8, 8, 8] and together.step.tolist() == [8, 8, 8]
    kernels = np.asarray(together.params["classifier"]["kernel"])
    assert not (kernels[0] == kernels[1]).all() and not (kernels[0] == kernels[2]).all()


def test_another_purpose_starts_from_other_weights(context) -> None:
    kernels = [starts(context, OP_IDS[:1], p).params["classifier"]["kernel"] for p in (STANDALONE, RANDOM_ALONE)]
    assert not (kernels[0] == kernels[1]).any()


def test_accuracy_counts_every_image_once_with_running_statistics(context, together) -> None:
    test = load(context.config.data, 0).test()
    found = standalone_accuracy(context, together, OP_IDS, padded_batches(test, 128))
    forward = jax.jit(lambda *given: context.programs.alone.forward(*given[:3], "given", given[3])[0])
    inputs = context.programs.pipeline.normalise(jnp.asarray(test.images))
    for k, op_ids in enumerate(OP_IDS):
        logits = forward(item(together.params, k), inputs, jnp.asarray(op_ids), item(together.stats, k))
        hits = int((np.asarray(logits).argmax(1) == test.labels).sum())
        assert len(test) == 389
        assert found[k] == pytest.approx(100 * hits / 389, abs=1e-4)
