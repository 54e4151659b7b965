"""ENAS: paths drawn by a controller that is rewarded with validation accuracy (Pham et al., ICML 2018)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxnas.search.base import Forwards, SearchAlgorithm, StepContext, one
from jaxnas.search.sampling import CLOSED
from jaxnas.spaces.base import SearchSpace
from jaxnas.types import Array, Key, Params

UNITS, LAYERS = 32, 2
TEMPERATURE, REACH = 5.0, 2.5  # logits are REACH tanh(. / TEMPERATURE)
ENTROPY, BASELINE_DECAY = 1e-4, 0.99
OPTIMIZER = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(1e-3, b1=0.0, b2=0.999, eps=1e-3))


class Walk(NamedTuple):
    """What a controller drew."""

    op_ids: Array  # int [E]
    log_probability: Array  # []
    entropy: Array  # [], nats: sum over edges
    probabilities: Array  # [E, O], each row given the operations drawn before


class EnasState(NamedTuple):
    """The controller, its optimizer, and the moving average of its rewards."""

    controller: Params
    opt: optax.OptState
    baseline: Array  # []
    updates: Array  # int []


def enas(space: SearchSpace, samples: int = 5) -> SearchAlgorithm:
    """A controller of two LSTM layers draws edge after edge; it follows REINFORCE, the weights one of its paths.

    The reward of a path is the share of the validation batch it gets right, plus 1e-4 times the entropy, against a
    moving average of decay .99. The average starts at the first mean reward; from 0, every early path would look
    good. Size, logits of 2.5 tanh(. / 5), weights uniform in +-.1, clipping at 5 and Adam of rate 1e-3, betas
    (0, .999) and epsilon 1e-3 are those of the code released with NAS-Bench-201; that updates the controller 50 times
    with 20 paths after every epoch, this one every step with `samples`. Probabilities are those along the likeliest
    operations, edge after edge; samples are the controller's own, each edge given those before it.
    """

    def init(key: Key, mask: Array, params: Params) -> EnasState:
        del mask, params
        controller = new_controller(key, space.shape[1])
        return EnasState(controller, OPTIMIZER.init(controller), jnp.zeros(()), jnp.zeros((), jnp.int32))

    def forwards(key: Key, state: EnasState, mask: Array, context: StepContext) -> Forwards:
        del context
        return one(draw(key, state.controller, mask).op_ids)

    def update(key: Key, state: EnasState, mask: Array, context: StepContext) -> EnasState:
        keys = jax.random.split(key, samples)
        walks = jax.vmap(draw, (0, None, None))(keys, state.controller, mask)
        right = lax.map(lambda path: context.valid_accuracy(context.params, path), walks.op_ids)
        rewards = right + ENTROPY * walks.entropy
        # Moved first, as published: a reward is weighed against an average that it is part of.
        average = BASELINE_DECAY * state.baseline + (1 - BASELINE_DECAY) * rewards.mean()
        baseline = jnp.where(state.updates == 0, rewards.mean(), average)

        def loss(controller: Params) -> Array:
            drawn = jax.vmap(draw, (0, None, None))(keys, controller, mask)
            return -jnp.mean(drawn.log_probability * (rewards - baseline))

        gradient = jax.grad(loss)(state.controller)
        with jax.numpy_dtype_promotion("standard"):  # optax raises the betas to a whole number of steps
            updates, opt = OPTIMIZER.update(gradient, state.opt)
        return EnasState(optax.apply_updates(state.controller, updates), opt, baseline, state.updates + 1)

    def probabilities(state: EnasState, mask: Array) -> Array:
        return draw(None, state.controller, mask).probabilities

    def sample(key: Key, state: EnasState, mask: Array) -> Array:
        return draw(key, state.controller, mask).op_ids

    return SearchAlgorithm(init, forwards, update, probabilities, samples + 1, sample=sample)


def new_controller(key: Key, operations: int) -> Params:
    """Weights uniform in +-.1; the key is consumed. `inputs` [1 + O, units]: of the first edge, and after each
    operation; `cells` [layers, 2 units + 1, 4 units]: of input, state and 1 to the gates in, forget, new, out."""
    shapes = {
        "inputs": (1 + operations, UNITS),
        "cells": (LAYERS, 2 * UNITS + 1, 4 * UNITS),
        "head": (UNITS + 1, operations),
    }
    keys = dict(zip(shapes, jax.random.split(key, len(shapes)), strict=True))
    return {name: jax.random.uniform(keys[name], shape, minval=-0.1, maxval=0.1) for name, shape in shapes.items()}


def draw(key: Key | None, controller: Params, mask: Array) -> Walk:
    """One operation of every edge after the other, within the mask [E, O]; the likeliest without a key.

    Differentiable in the controller for what was drawn; the key is consumed.
    """
    mask = jnp.asarray(mask)
    noise = jnp.zeros(mask.shape) if key is None else jax.random.gumbel(key, mask.shape)

    def step(carry: tuple[Array, Array, Array], edge: tuple[Array, Array]) -> tuple[tuple[Array, Array, Array], Walk]:
        previous, hidden, memory = carry
        hidden, memory = lstm(controller["cells"], controller["inputs"][previous], hidden, memory)
        raw = _affine(hidden[-1], controller["head"])
        logits = jnp.where(edge[0], REACH * jnp.tanh(raw / TEMPERATURE), CLOSED)
        logs = jax.nn.log_softmax(logits)
        chosen = jnp.argmax(logits + edge[1]).astype(jnp.int32)
        entropy = -jnp.sum(jnp.where(edge[0], jnp.exp(logs) * logs, 0.0))
        return (chosen + 1, hidden, memory), Walk(chosen, logs[chosen], entropy, jnp.exp(logs))

    still = jnp.zeros((LAYERS, UNITS))
    walk = lax.scan(step, (jnp.zeros((), jnp.int32), still, still), (mask, noise))[1]
    return walk._replace(log_probability=walk.log_probability.sum(), entropy=walk.entropy.sum())


def lstm(cells: Array, x: Array, hidden: Array, memory: Array) -> tuple[Array, Array]:
    """One step of stacked layers; hidden state and memory [layers, units]."""
    new = []
    for weights, h, c in zip(cells, hidden, memory, strict=True):
        into, forget, fresh, out = jnp.split(_affine(jnp.concatenate([x, h]), weights), 4)
        c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(into) * jnp.tanh(fresh)
        x = jax.nn.sigmoid(out) * jnp.tanh(c)
        new.append((x, c))
    return jnp.stack([h for h, _ in new]), jnp.stack([c for _, c in new])


def _affine(x: Array, weights: Array) -> Array:
    """The last row of the weights is the bias."""
    return x @ weights[:-1] + weights[-1]
