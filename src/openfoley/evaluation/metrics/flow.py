"""Dense optical flow after Farneback (2003), as OpenCV's `calcOpticalFlowFarneback` computes it, without OpenCV, which
breaks pins of other packages.

Each image is locally a quadratic f(x) = x'Ax + b'x + c, fitted with Gaussian weights; a shift d changes b by -2Ad. The
averages of A'A and A' db over a window give d; it is found on a pyramid, coarse to fine, three times on each level.
AV-Align's setting: pyramid 0.5 of 3 levels, window 15, 3 iterations, neighbourhood 5 of deviation 1.2, box window.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import convolve1d, correlate1d, map_coordinates, uniform_filter
from torch import Tensor

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green, blue (BT.601)."""
SMALLEST = 32  # pixels of the coarsest level
TINY = 1e-3
BORDER = (0.14, 0.14, 0.4472, 0.4472, 0.4472)
"""Confidence of the outermost pixels."""


@dataclass(frozen=True)
class FlowSettings:
    scale: float = 0.5
    levels: int = 3
    window: int = 15
    iterations: int = 3
    reach: int = 5
    deviation: float = 1.2


AV_ALIGN = FlowSettings()


def mean_flow(frames: UInt8[Tensor, "frames 3 height width"]) -> Float[np.ndarray, " frames"]:
    """Mean length (pixels) of the flow from the frame before; the first frame has that of the second."""
    grey = np.tensordot(np.asarray(GREY), frames.numpy().astype(np.float64), (0, 1))
    grey = np.floor(grey + 0.5).astype(np.float32)
    lengths = [np.hypot(*farneback(before, after)).mean() for before, after in pairwise(grey)]
    return np.array([*lengths[:1], *lengths], dtype=np.float64)


def farneback(
    first: Float[np.ndarray, "height width"],
    second: Float[np.ndarray, "height width"],
    settings: FlowSettings = AV_ALIGN,
) -> Float[np.ndarray, "2 height width"]:
    """How far (pixels, x and y) each pixel of the first image has moved in the second."""
    height, width = first.shape
    deepest = 0
    while deepest < settings.levels and min(height, width) * settings.scale ** (deepest + 1) >= SMALLEST:
        deepest += 1
    deepest = min(deepest, settings.levels - 1) if deepest == settings.levels else deepest
    flow: np.ndarray | None = None
    for level in range(deepest, -1, -1):
        scale = settings.scale**level
        size = (round(height * scale), round(width * scale))
        flow = np.zeros((2, *size)) if flow is None else np.stack([_resized(f, size) for f in flow]) / settings.scale
        before, after = (_quadratic(_resized(_smoothed(image, scale), size), settings) for image in (first, second))
        for _ in range(settings.iterations):
            flow = _improved(flow, before, after, settings)
    assert flow is not None
    return flow


def _smoothed(image: np.ndarray, scale: float) -> np.ndarray:
    deviation = (1 / scale - 1) / 2
    size = max(round(deviation * 5) | 1, 3)
    if deviation == 0:
        weights = np.array([0.25, 0.5, 0.25])
    else:
        at = np.arange(size) - size // 2
        weights = np.exp(-(at**2) / (2 * deviation**2))
        weights /= weights.sum()
    return convolve1d(convolve1d(image, weights, 0, mode="mirror"), weights, 1, mode="mirror")


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear, pixel centres at k + 1/2."""
    if image.shape == size:
        return image
    places = [(np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(size, image.shape, strict=True)]
    return map_coordinates(image, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")


def _quadratic(image: np.ndarray, settings: FlowSettings) -> np.ndarray:
    """Coefficients [5, height, width] of y, x, y^2, x^2, xy about every pixel."""
    at = np.arange(-settings.reach, settings.reach + 1)
    g = np.exp(-(at**2) / (2 * settings.deviation**2))
    g /= g.sum()
    two, four = (g * at**2).sum(), (g * at**4).sum()
    # Normal equations of 1, x, y, x^2, y^2, xy under the weights g(x) g(y): only 1, x^2, y^2 are coupled.
    coupled = np.linalg.inv(np.array([[1, two, two], [two, four, two**2], [two, two**2, four]]))
    own, with_one = coupled[1, 1], coupled[0, 1]  # x^2 with y^2: 0, as the weights are a product

    def fitted(down: np.ndarray, across: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(image, down, 0, mode="nearest"), across, 1, mode="nearest")

    mean = fitted(g, g)
    return np.stack(
        [
            fitted(g * at, g) / two,
            fitted(g, g * at) / two,
            mean * with_one + fitted(g * at**2, g) * own,
            mean * with_one + fitted(g, g * at**2) * own,
            fitted(g * at, g * at) / two**2,
        ]
    )


def _improved(flow: np.ndarray, first: np.ndarray, second: np.ndarray, settings: FlowSettings) -> np.ndarray:
    """One step: the equations of all pixels at the present flow, averaged over the window, solved."""
    a11, a12, a22, b1, b2 = uniform_filter_all(_equations(flow, first, second), settings.window)
    determinant = 1 / (a11 * a22 - a12 * a12 + TINY)
    return np.stack([(a11 * b2 - a12 * b1) * determinant, (a22 * b1 - a12 * b2) * determinant])


def uniform_filter_all(fields: np.ndarray, window: int) -> np.ndarray:
    return np.stack([uniform_filter(field, window, mode="nearest") for field in fields])


def _equations(flow: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A'A (yy, yx, xx) and A' db (y, x) of every pixel [5, height, width]."""
    height, width = flow.shape[1:]
    rows, columns = np.mgrid[:height, :width]
    y, x = rows + flow[1], columns + flow[0]
    inside = (np.floor(x) >= 0) & (np.floor(x) < width - 1) & (np.floor(y) >= 0) & (np.floor(y) < height - 1)
    moved = np.stack([map_coordinates(c, [y, x], order=1, mode="nearest") for c in second])
    by, bx = ((f - np.where(inside, m, 0)) / 2 for f, m in zip(first[:2], moved[:2], strict=True))
    ayy, axx, axy = (np.where(inside, (f + m) / 2, f) for f, m in zip(first[2:], moved[2:], strict=True))
    axy = axy / 2
    by, bx = by + ayy * flow[1] + axy * flow[0], bx + axy * flow[1] + axx * flow[0]
    trust = _edge(height)[:, None] * _edge(width)[None]
    ayy, axx, axy, by, bx = (field * trust for field in (ayy, axx, axy, by, bx))
    return np.stack([ayy**2 + axy**2, (ayy + axx) * axy, axx**2 + axy**2, ayy * by + axy * bx, axy * by + axx * bx])


def _edge(count: int) -> np.ndarray:
    weights = np.ones(count)
    for k, weight in enumerate(BORDER[:count]):
        weights[k] *= weight
        weights[count - 1 - k] *= weight
    return weights
