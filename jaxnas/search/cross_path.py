"""Cross-path learning: a path is taught by what a slower copy of the weights predicts on another one."""

from typing import NamedTuple

import jax

from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, mean_of
from jaxnas.search.sampling import sample_connected
from jaxnas.search.uniform import uniform
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params


class TeacherState(NamedTuple):
    """The teacher: an exponential moving average of the weights."""

    params: Params


def cross_path(space: SearchSpace, momentum: float = 0.999, mix: float = 0.5) -> SearchAlgorithm:
    """Two uniform connected paths a step, each trained towards the teacher's prediction on the other.

    After Pi-NAS (Peng et al., ICCV 2021), where pairs of images and negative samples teach without labels. On
    classification, ours: the targets of a path are (1 - mix) times the labels plus mix times the softmax of the
    teacher on the other path and the same images. Momentum and mix are our choice. The teacher begins as the weights
    that the training starts from and follows those before each step.
    """

    def init(key: Key, mask: Array, params: Params) -> TeacherState:
        del key, mask
        return TeacherState(params)

    def forwards(key: Key, state: TeacherState, mask: Array, context: StepContext) -> Forwards:
        paths = jax.vmap(lambda k: sample_connected(k, space, mask))(jax.random.split(key))
        # One after the other: a batch of paths would be a batch of convolutions.
        taught = jax.lax.map(lambda path: jax.nn.softmax(context.train_logits(state.params, path)), paths[::-1])
        labels = jax.nn.one_hot(context.train_labels, taught.shape[-1])
        return mean_of(paths)._replace(targets=(1 - mix) * labels[None] + mix * taught)

    def update(key: Key, state: TeacherState, mask: Array, context: StepContext) -> TeacherState:
        del key, mask
        return TeacherState(jax.tree.map(lambda t, w: t + (1 - momentum) * (w - t), state.params, context.params))

    return SearchAlgorithm(init, forwards, update, uniform(space).probabilities, passes=4)
