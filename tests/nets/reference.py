"""The network of one architecture written again in numpy from its string, sharing no code with the library."""

import re
from typing import Any

import numpy as np
from scipy.signal import correlate2d


def normalise(x: np.ndarray) -> np.ndarray:
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + 1e-5)


def convolve(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    out = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for b in range(x.shape[0]):
        for c in range(kernel.shape[2]):
            for d in range(kernel.shape[3]):
                out[b, :, :, d] += correlate2d(x[b, :, :, c], kernel[:, :, c, d], mode="same")
    return out[:, ::stride, ::stride]


def pool(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, i, j] = x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean((1, 2))
    return out


def cell(x: np.ndarray, weights: dict[str, np.ndarray], text: str) -> np.ndarray:
    """`weights`: f"{op}_kernel" -> [E, k, k, C, C], edges in the order in which the string names them."""
    nodes, edge = [x], 0
    for block in text.split("+"):
        total = np.zeros_like(x)
        for op, source in re.findall(r"(\w+)~(\d)", block):
            features = nodes[int(source)]
            if op == "skip_connect":
                total += features
            elif op == "avg_pool_3x3":
                total += pool(features)
            elif op.startswith("nor_conv"):
                total += normalise(convolve(np.maximum(features, 0), weights[f"{op}_kernel"][edge]))
            edge += 1
        nodes.append(total)
    return nodes[-1]


def network(params: dict[str, Any], images: np.ndarray, text: str) -> np.ndarray:
    """Logits of a search network with batch statistics; params as float64 arrays."""

    def affine(x: np.ndarray, p: dict[str, Any]) -> np.ndarray:
        return normalise(x) * p["scale"] + p["bias"]

    x = affine(convolve(images, params["stem"]["kernel"]), params["stem"]["norm"])
    for stage in (1, 2, 3):
        if stage > 1:
            r = params[f"reduction{stage - 1}"]
            y = affine(convolve(np.maximum(x, 0), r["first"]["kernel"], 2), r["first"]["norm"])
            y = affine(convolve(np.maximum(y, 0), r["second"]["kernel"]), r["second"]["norm"])
            halves = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
            x = y + halves @ r["shortcut"][0, 0]
        weights = params[f"stage{stage}"]
        for n in range(next(iter(weights.values())).shape[0]):
            x = cell(x, {name: w[n] for name, w in weights.items()}, text)
    x = np.maximum(affine(x, params["head"]), 0).mean((1, 2))
    return x @ params["classifier"]["kernel"] + params["classifier"]["bias"]
