"""Epoch after epoch on the host: metrics out, non-finite losses stopped."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnas.data.pipeline import Images
from jaxnas.training.state import SubnetState
from jaxnas.training.step import StepMetrics

Epoch = Callable[[SubnetState, Images], tuple[SubnetState, StepMetrics]]  # over the leading axis K
Report = Callable[[int, list[dict[str, Any]]], None]  # (epochs done, a row for each leaf)


class NonFiniteLoss(RuntimeError):
    """A training loss became NaN or infinite."""


def train(states: SubnetState, data: Images, epoch: Epoch, epochs: int, report: Report) -> SubnetState:
    """Trains K sub-supernets for `epochs` epochs. states: leaves [K, ...]; `epoch` is already `over` K.

    Raises NonFiniteLoss with the leaf and the range of steps; what was reported before stands.
    """
    for number in range(1, epochs + 1):
        states, device_metrics = epoch(states, data)
        metrics: StepMetrics = jax.device_get(device_metrics)  # [K, S]
        check_finite(metrics.loss, first_step=(number - 1) * metrics.loss.shape[1])
        losses, accuracies = metrics.loss.mean(1), metrics.accuracy.mean(1)
        rows = [
            {"epoch": number, "leaf": k, "loss": float(losses[k]), "accuracy": float(accuracies[k])}
            for k in range(len(losses))
        ]
        report(number, rows)
    return states


def check_finite(losses: np.ndarray, first_step: int) -> None:
    """Raises NonFiniteLoss if a loss [K, S] is NaN or infinite; `first_step` is the number of its first column."""
    bad = ~np.isfinite(losses)
    if not bad.any():
        return
    leaf = int(bad.any(1).argmax())
    steps = np.flatnonzero(bad[leaf])
    low, high = first_step, first_step + losses.shape[1] - 1
    raise NonFiniteLoss(
        f"the training loss of leaf {leaf} is not finite from step {first_step + int(steps[0])} on "
        f"(epoch of steps {low} to {high}; {int(bad.any(1).sum())} of {len(losses)} leaves affected); "
        "a lower --optimizer.rate or --optimizer.clip usually helps"
    )
