"""What a selector draws from a supernet's algorithm: inside its mask, as its state says, and by its generator alone."""

import jax
import numpy as np

from jaxnas.few_shot.one_shot import begin, build_evaluators, build_search_programs
from jaxnas.few_shot.run_context import RunContext
from jaxnas.search import ALGORITHMS
from jaxnas.spaces import TOY
from jaxnas.studies.search.presets import STUDIES
from jaxnas.studies.shared import trained_of


def test_draws_of_a_view_are_those_of_its_supernet(context: RunContext) -> None:
    config, algorithm = STUDIES["smoke"], ALGORITHMS["enas"](TOY)
    base = context.programs
    programs = build_search_programs(base, context.config, algorithm)
    judges = build_evaluators(base, context.config, base.network, config.score)
    mask = np.array([[False, True, True], [True, True, False]])
    state = begin(context, programs, jax.random.split(jax.random.key(0), 1), mask[None], 1)
    controller = state.search.controller
    # The bias of the head, saturated: operation 1 of every edge, and nothing else that is open.
    sure = {**controller, "head": controller["head"].at[:, -1, 1].set(100.0)}
    for search, certain in ((state.search, False), (state.search._replace(controller=sure), True)):
        view = trained_of(context, config, programs, judges, state._replace(search=search))
        drawn, again, other = (view.draw(np.random.default_rng(seed), 200) for seed in (0, 0, 1))
        assert drawn.shape == (200, 2) and mask[np.arange(2), drawn].all()
        np.testing.assert_array_equal(drawn, again)
        assert (drawn != other).any()
        share = (drawn == 1).mean(0)  # logits of 2.5 and about 0, of two open operations
        np.testing.assert_allclose(share, 0.924 if certain else 0.5, atol=0.06 if certain else 0.15)
