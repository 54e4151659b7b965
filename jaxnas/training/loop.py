"""Epoch after epoch on the host: metrics out, states kept, non-finite losses stopped."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnas.distributed import parallel
from jaxnas.training.step import StepMetrics
from jaxnas.types import Stage

Epoch = Callable[[Any, Any], tuple[Any, StepMetrics]]  # (states, data) -> states, metrics; over the leading axis K
Describe = Callable[[int, Any], list[dict[str, Any]]]  # epoch from 1, states -> what more to tell of each of the K


def nothing_more(epoch: int, states: Any) -> list[dict[str, Any]]:
    """Loss and accuracy are enough."""
    del epoch
    return [{}] * parallel.count(states)


class NonFiniteLoss(RuntimeError):
    """A training loss became NaN or infinite."""


def train(
    states: Any,
    data: Any,
    epoch: Epoch,
    epochs: int,
    stage: Stage,
    independent: bool = False,
    describe: Describe = nothing_more,
) -> Any:
    """Trains K sub-supernets for `epochs` epochs. states: leaves [K, ...]; `epoch` is already `over` K.

    Goes on from what `stage` kept. Raises NonFiniteLoss with the leaf and the range of steps; what was reported and
    kept before stands. Networks that are `independent` of each other go on when some of them diverge: these report no
    loss, and are as bad as they are; only if all do it is an error.

    Of several processes each holds the states that it trains; at the end all get all.
    """
    done, states = stage.resume(parallel.keep_local(states))
    for number in range(done + 1, epochs + 1):
        states, device_metrics = epoch(states, data)
        metrics: StepMetrics = jax.device_get(parallel.gather_all(device_metrics))  # [K, S]
        losses, accuracies = metrics.loss.mean(1), metrics.accuracy.mean(1)
        if not (independent and np.isfinite(losses).any()):
            check_finite(metrics.loss, first_step=(number - 1) * metrics.loss.shape[1])
        rows = [
            {"epoch": number, "leaf": k, **finite_loss(losses[k]), "accuracy": float(accuracies[k]), **more}
            for k, more in enumerate(describe(number, states))
        ]
        stage.advance(number, epochs, states, rows)
    return parallel.gather_all(states)


def finite_loss(loss: float) -> dict[str, float]:
    """The loss of a row of metrics; left out where there is none, JSON has no word for it."""
    return {"loss": float(loss)} if np.isfinite(loss) else {}


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
        "a lower --optimizer.rate or --optimizer.clip, in another --workdir, usually helps"
    )
