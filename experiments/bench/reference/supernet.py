"""The NAS-Bench-201 search network written plainly in PyTorch, one module for each operation on each edge.

The architecture is the public one (Dong & Yang, ICLR 2020). Norms use the statistics of the batch and keep none.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from operator import add

import torch
from torch import Tensor, nn

Edge = int | Sequence[Tensor]  # what runs on an edge: one operation, or all of them with their weights, each []


class PeerSupernet(nn.Module):
    """Every architecture of a space on shared weights; `edges` are (target, source), sorted by target."""

    def __init__(
        self,
        ops: Sequence[str],
        edges: Sequence[tuple[int, int]],
        *,
        channels: int,
        cells: int,
        classes: int,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.ops = tuple(ops)
        widths = [channels, 2 * channels, 4 * channels]
        self.stem = nn.Sequential(_conv(image_channels, channels, 3), _norm(channels, affine=True))
        self.reductions = nn.ModuleList(Reduction(*pair) for pair in pairwise(widths))
        self.stages = nn.ModuleList(nn.ModuleList(Cell(ops, edges, width) for _ in range(cells)) for width in widths)
        self.head = nn.Sequential(_norm(widths[-1], affine=True), nn.ReLU())
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor, op_weights: Tensor) -> Tensor:
        """Logits [B, classes] of the weighted sums. images [B, C, H, W], op_weights [E, O]."""
        # Unbound once: indexing would add a whole gradient [E, O] for every use of an entry.
        return self._run(images, [row.unbind() for row in op_weights.unbind()])

    def forward_path(self, images: Tensor, op_ids: Sequence[int]) -> Tensor:
        """Logits [B, classes] of one architecture; only its operations run. images [B, C, H, W], op_ids [E]."""
        return self._run(images, op_ids)

    def _run(self, images: Tensor, choice: Sequence[Edge]) -> Tensor:
        x = self.stem(images)
        for number, stage in enumerate(self.stages):
            if number > 0:
                x = self.reductions[number - 1](x)
            for cell in stage.children():
                x = cell(x, choice)
        return self.classifier(self.head(x).mean((2, 3)))


class Cell(nn.Module):
    """Nodes that sum what arrives on their edges; the last one is the output."""

    def __init__(self, ops: Sequence[str], edges: Sequence[tuple[int, int]], width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(MixedOp(ops, width) for _ in edges)
        nodes = range(1, edges[-1][0] + 1)
        self.arriving = [[(e, source) for e, (target, source) in enumerate(edges) if target == node] for node in nodes]

    def forward(self, x: Tensor, choice: Sequence[Edge]) -> Tensor:
        """choice [E]; x [B, C, H, W] -> the same shape."""
        nodes = [x]
        for arriving in self.arriving:
            total = _total([self.edges[e](nodes[source], choice[e]) for e, source in arriving])
            nodes.append(torch.zeros_like(x) if total is None else total)
        return nodes[-1]


class MixedOp(nn.Module):
    """Every operation of one edge."""

    def __init__(self, ops: Sequence[str], width: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(OPERATIONS[op](width) for op in ops)

    def forward(self, x: Tensor, choice: Edge) -> Tensor | None:
        """The operation of that number, or the sum of all by weight; None stands for zeros."""
        if isinstance(choice, int):
            return self.operations[choice](x)
        outputs = [(weight, operation(x)) for weight, operation in zip(choice, self.operations, strict=True)]
        return _total([None if y is None else weight * y for weight, y in outputs])


class Nothing(nn.Module):
    """The operation `none`: no zeros are computed or added."""

    def forward(self, x: Tensor) -> None:
        """None, which stands for zeros."""


class Reduction(nn.Module):
    """Residual block that halves the image."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.first = _relu_conv_norm(narrow, wide, 3, stride=2, affine=True)
        self.second = _relu_conv_norm(wide, wide, 3, affine=True)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), _conv(narrow, wide, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, 2 C, H / 2, W / 2]."""
        return self.second(self.first(x)) + self.shortcut(x)


def _total(terms: Sequence[Tensor | None]) -> Tensor | None:
    present = [term for term in terms if term is not None]
    return reduce(add, present) if present else None  # `sum` would first add the number 0, a pass over the features


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


def _norm(width: int, affine: bool) -> nn.Module:
    return nn.BatchNorm2d(width, affine=affine, track_running_stats=False)


def _relu_conv_norm(inputs: int, outputs: int, size: int, stride: int = 1, affine: bool = False) -> nn.Module:
    return nn.Sequential(nn.ReLU(), _conv(inputs, outputs, size, stride), _norm(outputs, affine))


OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda width: Nothing(),
    "skip_connect": lambda width: nn.Identity(),
    "nor_conv_1x1": lambda width: _relu_conv_norm(width, width, 1),
    "nor_conv_3x3": lambda width: _relu_conv_norm(width, width, 3),
    "avg_pool_3x3": lambda width: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
}
