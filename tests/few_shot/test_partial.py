"""An algorithm that asks for part of the channels is trained and judged in a supernet of its own."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import Images
from jaxnas.few_shot.one_shot import build_evaluators, build_search_programs, flat
from jaxnas.few_shot.run_context import RunContext
from jaxnas.search import ALGORITHMS
from jaxnas.spaces import TOY
from jaxnas.studies.search.presets import STUDIES

CONFIG = STUDIES["smoke"]


@pytest.fixture(scope="module")
def traced(context: RunContext) -> RunContext:
    """Programs that are one function, so that shapes are known without compiling."""
    return context._replace(config=replace(context.config, strategy="map"))


@pytest.mark.parametrize(("name", "width"), [("darts", 4), ("pc_darts", 1)])
def test_an_algorithm_trains_and_is_judged_in_its_own_network(traced: RunContext, name: str, width: int) -> None:
    algorithm = ALGORITHMS[name](TOY)
    network = traced.programs.supernet(algorithm.partial)
    assert (network is traced.programs.network) == (name == "darts")
    base, config = traced.programs, traced.config
    programs, judges = (
        build_search_programs(base, config, algorithm),
        build_evaluators(base, config, network, CONFIG.score),
    )
    keys, steps = jax.random.split(jax.random.key(0)), jnp.ones(2, jnp.int32)
    states = jax.eval_shape(programs.start, keys, jnp.ones((2, 2, 3), bool), steps)
    assert states.subnet.params["stage1"]["nor_conv_3x3_kernel"].shape == (2, 1, 2, 3, 3, width, width)
    later, metrics = jax.eval_shape(programs.epoch, states, (traced.train, flat(traced.valid)))
    assert jax.tree.map(jnp.shape, later) == jax.tree.map(jnp.shape, states)
    assert metrics.loss.shape == (2, len(traced.train.labels) // CONFIG.data.batch)
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), states.subnet.params)
    paths, none = np.zeros((5, 2), np.int32), jax.tree.map(lambda leaf: leaf[:0], traced.valid)
    assert jax.eval_shape(judges.validate, paths, params, traced.valid, Images(*none)).accuracy.shape == (5,)
