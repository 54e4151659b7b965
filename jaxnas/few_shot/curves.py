"""How well supernets ranked cells while they trained: the scores in the rows of their stages beside the truth."""

from typing import Any

import numpy as np

from jaxnas.analysis import kendall_tau, top_share
from jaxnas.few_shot.controls import Contender, epoch_images, leaf_epoch_images
from jaxnas.few_shot.follow import followed_cells, inside
from jaxnas.few_shot.result_file import column_of
from jaxnas.few_shot.run_context import RunContext, steps_per_epoch
from jaxnas.few_shot.sample import BEST
from jaxnas.spaces.operations import CONVOLUTIONS

ALL = "all"  # contenders share the warm-up
OF_MEAN = ("kendall", "kendall_half")  # read of scores averaged over all looks so far, too
Row = dict[str, Any]


def curve_rows(context: RunContext, contenders: list[Contender], metrics: list[Row], truth: np.ndarray) -> list[Row]:
    """Rows of `curves.csv` from the rows of `metrics.jsonl` and the truth [A] of the uniform sample, percent."""
    warm_up, each = context.config.warmup_epochs, epoch_images(context)
    full = context.space.full_mask()[None]
    found = _of_stage(context, "warm_up", ALL, full, 0, (warm_up * each, each), metrics, truth)
    before = warm_up if context.config.leaf_weights == "parent" else 0
    for contender in contenders:
        if contender.supernets is not None:
            name, masks = column_of(contender.name, contender.kind), contender.supernets.tree.masks()
            stage = "leaves" if contender.kind == "method" else name
            images = (contender.images - contender.supernets.tuned, len(masks) * leaf_epoch_images(context))
            found += _of_stage(context, stage, name, masks, before, images, metrics, truth)
    return found


def measures(scores: np.ndarray, truth: np.ndarray) -> Row:
    """Kendall's tau-b of scores [A] with the truth [A], in its better half, in its best tenth; regret, points.

    Regret: the best truth less that of the cell with the best score; of equal scores the mean.
    """
    half, top = top_share(truth, 0.5), top_share(truth, BEST)
    return {
        "kendall": kendall_tau(scores, truth),
        "kendall_half": kendall_tau(scores[half], truth[half]),
        "kendall_top": kendall_tau(scores[top], truth[top]),
        "regret": float(truth.max() - truth[scores == scores.max()].mean()),
    }


def _of_stage(
    context: RunContext,
    stage: str,
    contender: str,
    masks: np.ndarray,
    before: int,
    images: tuple[int, int],
    metrics: list[Row],
    truth: np.ndarray,
) -> list[Row]:
    """Of the K networks of one stage, masks [K, E, O], whose weights have seen `before` epochs of warm-up.

    images: seen at its end, and in one of its epochs.
    """
    cells = followed_cells(context)
    truth, held = truth[: len(cells)], inside(masks, cells)
    convolution = np.isin(cells, [o for o, op in enumerate(context.space.ops) if op in CONVOLUTIONS]).sum(1)
    scores: dict[int, np.ndarray] = {}  # by epoch
    for row in metrics:
        if row["stage"] == stage and "sample" in row:
            scores.setdefault(row["epoch"], np.full(len(cells), np.nan))[held[row["leaf"]]] = row["sample"]
    last = max(scores, default=0)
    means = {epoch: np.mean([of for at, of in scores.items() if at <= epoch], 0) for epoch in scores}
    return [
        {
            "contender": contender,
            "stage": stage,
            "epoch": epoch,
            "steps": (before + epoch) * steps_per_epoch(context),
            "images": images[0] - (last - epoch) * images[1],
            "n": len(cells),
            **measures(of, truth),
            **{f"{name}_of_mean": value for name, value in measures(means[epoch], truth).items() if name in OF_MEAN},
            **_by_convolutions(of, convolution, len(context.space.edges)),
        }
        for epoch, of in scores.items()
    ]


def _by_convolutions(scores: np.ndarray, convolutions: np.ndarray, most: int) -> Row:
    """Mean score of the cells with each number of convolutions; None where there is no such cell."""
    parts = [scores[convolutions == n] for n in range(most + 1)]
    return {f"score_{n}_convolutions": round(float(of.mean()), 4) if len(of) else None for n, of in enumerate(parts)}
