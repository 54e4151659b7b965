"""The supernet as a pure Flax module: stem, three stages of cells with reductions between them, classifier.

The layout is NAS-Bench-201's macro skeleton (Dong & Yang, ICLR 2020, and the released search code). The module
declares shapes; `initial.draw_weights` draws the weights.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.nets.cells import cell, is_path
from jaxnas.nets.layers import NormMode, affine, average_pool_2x2, conv, norm, relu, strided_conv
from jaxnas.spaces.base import SearchSpace
from jaxnas.spaces.counts import STAGES, widths
from jaxnas.spaces.operations import CONVOLUTIONS
from jaxnas.types import Array, Choice, Stats, UserError

LAID_OUT = 16  # most cells of a stage that are compiled one by one; time and memory of the compiler grow with them


class Supernet(nn.Module):
    """Every architecture of a space on shared weights.

    `affine` gives the norms of the cells a scale and a bias: False in a search, True for a network trained alone.
    Stages of at most `laid_out` cells are compiled cell by cell in path form, which runs faster. Operations of the
    cells see 1/`partial` of the channels.
    """

    space: SearchSpace
    channels: int
    cells: int
    classes: int
    affine: bool = False
    laid_out: int = LAID_OUT
    partial: int = 1

    @nn.compact
    def __call__(
        self, images: Array, choice: Choice, norm_mode: NormMode = "batch", stats: Stats | None = None
    ) -> tuple[Array, Stats]:
        """Logits [B, classes] and the statistics its norms used. images [B, H, W, C], float, H and W multiples of 4.

        choice: op_weights float [E, O] (mixed form) or op_ids int [E] (path form).

        Norms are the identity, without scale and bias, in mode "none". What they keep from growing is then divided
        out after every stage and reduction, by the largest absolute value, which derivatives take for a constant; the
        statistics hold "log_scale" [], the sum of its logarithms.

        The collection "watched", if mutable, receives the features of all nodes of every stage's cells,
        [N, nodes, H, B, W, C], the inputs of both rectifiers and the output of every reduction, and the input of the
        last rectifier.
        """
        check_image_size(images.shape[1:3])
        given = stats or {}
        used: dict[str, Any] = {}
        x = images.swapaxes(0, 1)  # the layout of the layers: [H, B, W, C]
        x, used["stem"] = ConvNorm(self.channels, 1, name="stem")(x, norm_mode, given.get("stem"))
        log_scale = jnp.zeros(())
        for stage, width in enumerate(widths(self.channels)):
            if stage > 0:
                name = f"reduction{stage}"
                x, used[name] = Reduction(width, name=name)(x, norm_mode, given.get(name))
                x, log_scale = _rescaled(x, log_scale, norm_mode)
            name = f"stage{stage + 1}"
            module = Stage(self.space, self.cells, self.affine, self.laid_out, self.partial, name=name)
            x, used[name] = module(x, choice, norm_mode, given.get(name))
            x, log_scale = _rescaled(x, log_scale, norm_mode)
        x, used["head"] = Norm(name="head")(x, norm_mode, given.get("head"))
        self.sow("watched", "last", x)
        if norm_mode == "none":
            used["log_scale"] = log_scale
        return Classifier(self.classes, name="classifier")(relu(x).mean((0, 2))), used


class Stage(nn.Module):
    """`cells` cells of one width; weights carry a leading axis of cells.

    In the mixed form the cells are scanned: compiled once, and no slower for it. In the path form what a scan keeps
    for the way back costs a tenth of the step, so that they are laid out one after the other.
    """

    space: SearchSpace
    cells: int
    affine: bool
    laid_out: int
    partial: int

    @nn.compact
    def __call__(self, x: Array, choice: Choice, norm_mode: NormMode, stats: Stats | None) -> tuple[Array, Stats]:
        shape, width = (self.cells, len(self.space.edges)), x.shape[-1] // self.partial
        params: dict[str, dict[str, Array]] = {}
        for op in self.space.ops:
            if op not in CONVOLUTIONS:
                continue
            size = CONVOLUTIONS[op]
            params[op] = {
                "kernel": self.param(f"{op}_kernel", nn.initializers.zeros, (*shape, size, size, width, width))
            }
            if self.affine:
                params[op]["scale"] = self.param(f"{op}_scale", nn.initializers.ones, (*shape, width))
                params[op]["bias"] = self.param(f"{op}_bias", nn.initializers.zeros, (*shape, width))

        watched = self.is_mutable_collection("watched")

        def step(features: Array, one: tuple[Any, Any]) -> tuple[Array, Any]:
            nodes, used = cell(self.space, features, one[0], choice, norm_mode, one[1], self.partial)
            return nodes[-1], (used, jnp.stack(nodes) if watched else None)

        x, (used, nodes) = self._run_cells(step, x, (params, stats), is_path(choice))
        self.sow("watched", "nodes", nodes)
        return x, used

    def _run_cells(self, step: Callable[[Array, Any], tuple[Array, Any]], x: Array, items: Any, path: bool) -> Any:
        if not path or self.cells > self.laid_out:
            return lax.scan(step, x, items)
        found = []
        for n in range(self.cells):
            x, of_cell = step(x, jax.tree.map(lambda leaf, n=n: leaf[n], items))
            found.append(of_cell)
        return x, jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)


class ConvNorm(nn.Module):
    """3x3 convolution and affine norm."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: Array, norm_mode: NormMode, stats: Stats | None) -> tuple[Array, Stats]:
        kernel = self.param("kernel", nn.initializers.zeros, (3, 3, x.shape[-1], self.width))
        y = conv(x, kernel) if self.stride == 1 else strided_conv(x, kernel)
        return Norm(name="norm")(y, norm_mode, stats)


class Norm(nn.Module):
    """Norm with scale and bias."""

    @nn.compact
    def __call__(self, x: Array, norm_mode: NormMode, stats: Stats | None) -> tuple[Array, Stats]:
        y, used = norm(x, norm_mode, stats)
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return (y if norm_mode == "none" else affine(y, scale, bias)), used


class Reduction(nn.Module):
    """Residual block that halves the image: two ReLU-conv3x3-norm, beside 2x2 pooling and a 1x1 convolution."""

    width: int

    @nn.compact
    def __call__(self, x: Array, norm_mode: NormMode, stats: Stats | None) -> tuple[Array, Stats]:
        given = stats or {}
        kernel = self.param("shortcut", nn.initializers.zeros, (1, 1, x.shape[-1], self.width))
        y, first = ConvNorm(self.width, 2, name="first")(relu(x), norm_mode, given.get("first"))
        between = y
        y, second = ConvNorm(self.width, 1, name="second")(relu(y), norm_mode, given.get("second"))
        y = y + average_pool_2x2(x) @ kernel[0, 0]
        self.sow("watched", "features", (x, between, y))
        return y, {"first": first, "second": second}


class Classifier(nn.Module):
    """Linear layer."""

    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", nn.initializers.zeros, (x.shape[-1], self.classes))
        bias = self.param("bias", nn.initializers.zeros, (self.classes,))
        return x @ kernel + bias[None, :]


def _rescaled(x: Array, log_scale: Array, norm_mode: NormMode) -> tuple[Array, Array]:
    """Features whose largest absolute value is 1, unless a norm keeps them small; all zeros stay so."""
    if norm_mode != "none":
        return x, log_scale
    largest = lax.stop_gradient(jnp.abs(x).max())
    scale = jnp.where(largest > 0, largest, 1.0)
    return x / scale, log_scale + jnp.log(scale)


def check_image_size(size: tuple[int, ...]) -> None:
    """Raises UserError unless both sides survive the reductions."""
    factor = 2 ** (STAGES - 1)
    if any(side % factor or side == 0 for side in size):
        raise UserError(f"image sides must be multiples of {factor}, not {size[0]}x{size[1]}")


def check_partial(channels: int, partial: int) -> None:
    """Raises UserError unless the channels fall into `partial` equal groups."""
    if partial < 1 or channels % partial:
        raise UserError(f"channels must be a multiple of partial, from 1 on; they are {channels} and {partial}")
