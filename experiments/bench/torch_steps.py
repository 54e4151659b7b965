"""The PyTorch peer's steps as calls of several steps each; None where PyTorch is not installed."""

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

from experiments.bench import inputs, jaxnas_steps
from experiments.bench.rows import Setting
from experiments.bench.timing import Call
from jaxnas.config import OptimizerConfig
from jaxnas.distributed import parallel

RATE = OptimizerConfig().rate
INSTALL = "pip install torch==2.13.0"


def installed() -> bool:
    """Whether there is a PyTorch."""
    return find_spec("torch") is not None


def _optional(build: Callable[..., Call]) -> Callable[..., Call | None]:
    """The builder of a call that waits for the device, or of None without PyTorch."""

    @wraps(build)
    def built(setting: Setting, *args: Any) -> Call | None:
        if not installed():
            return None
        import torch

        torch.set_num_threads(parallel.cores())
        call = build(setting, *args)

        def waiting() -> None:
            call()
            if _device() == "cuda":  # on a CPU, work is done when the call returns
                torch.cuda.synchronize()

        return waiting

    return built


@_optional
def mixed(setting: Setting, compiled: bool = False) -> Call:
    """Steps of all operations by equal weights; `compiled`: by torch.compile, which the first call waits for."""
    import torch

    from experiments.bench.reference import steps

    model, optimizer = _model(setting)
    forward: Any = torch.compile(model) if compiled else model
    shape = inputs.space(setting).shape
    uniform = torch.full(shape, 1 / shape[1], device=_device())
    data = _tensors(inputs.batches(setting))
    return lambda: [steps.mixed_step(forward, optimizer, *batch, uniform, RATE) for batch in data]


@_optional
def path(setting: Setting, leaves: int = 1) -> Call:
    """Steps of one path each, of one supernet after the other."""
    from experiments.bench.reference import steps

    models = [_model(setting) for _ in range(leaves)]
    data = list(zip(_tensors(inputs.batches(setting)), inputs.paths(setting).tolist(), strict=True))

    def call() -> None:
        for model, optimizer in models:
            for batch, op_ids in data:
                steps.path_step(model, optimizer, *batch, op_ids, RATE)

    return call


@_optional
def bilevel(setting: Setting, order: str) -> Call:
    """Steps of DARTS."""
    import torch

    from experiments.bench.reference import steps

    model, optimizer = _model(setting)
    alpha = torch.zeros(inputs.space(setting).shape, device=_device(), requires_grad=True)
    alpha_optimizer = steps.build_alpha_optimizer(alpha)
    step: Callable[..., Any] = steps.bilevel_step if order == "first" else steps.second_order_step
    data = list(zip(*(_tensors(inputs.batches(setting, part)) for part in (inputs.TRAIN, inputs.VALID)), strict=True))
    return lambda: [step(model, optimizer, alpha, alpha_optimizer, *both, RATE) for both in data]


@_optional
def evaluation(setting: Setting) -> Call:
    """Accuracies of architectures by the statistics of each batch."""
    import torch

    model, _ = _model(setting)
    data = _tensors(inputs.batches(setting, inputs.VALID, setting.eval_batches, setting.eval_batch))
    choices = inputs.architectures(setting).tolist()

    def call() -> list[float]:
        with torch.no_grad():
            return [
                float(sum((model.forward_path(images, op_ids).argmax(-1) == labels).sum() for images, labels in data))
                for op_ids in choices
            ]

    return call


def _device() -> str:
    return "cpu" if jax.default_backend() == "cpu" else "cuda"


def _model(setting: Setting) -> Any:
    """(model, optimizer), from the library's first weights."""
    import torch

    from experiments.bench.reference.steps import build_weight_optimizer
    from experiments.bench.reference.supernet import PeerSupernet
    from experiments.bench.reference.weights import load_weights

    sizes = {"channels": setting.channels, "cells": setting.cells, "classes": inputs.CLASSES}
    space = inputs.space(setting)
    model: Any = PeerSupernet(space.ops, space.edges, **sizes)
    load_weights(model, jaxnas_steps.weights(setting))
    model = model.to(device=_device(), memory_format=torch.channels_last)
    return model, build_weight_optimizer(model)


def _tensors(data: Any) -> list[tuple[Any, Any]]:
    """Batches of (images [B, C, H, W] with channels last in memory, labels [B])."""
    import torch

    def pair(images: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
        theirs = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        return theirs.to(_device()), torch.tensor(labels, dtype=torch.int64).to(_device())

    return [pair(*batch) for batch in zip(*data, strict=True)]
