"""Frechet distance of two sets of features, each as a Gaussian of full covariance.

    |mean a - mean b|^2 + tr Ca + tr Cb - 2 tr (Ca Cb)^(1/2)

C: covariance with n - 1. With centred rows A / sqrt(n - 1) and B / sqrt(m - 1) the last trace is the sum of the
singular values of A B': exact where a covariance is singular, too, where a matrix square root fails. It is biased
upwards for small sets: compare sets of one size only. Its value says nothing without the name of the features.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def frechet_distance(ours: Float[np.ndarray, "n dim"], theirs: Float[np.ndarray, "m dim"]) -> float:
    """Squared distance, 0 for equal sets; nan for fewer than two rows."""
    if min(len(ours), len(theirs)) < 2:
        return float("nan")
    a, b = (_factor(np.asarray(rows, dtype=np.float64)) for rows in (ours, theirs))
    gap = ours.mean(0, dtype=np.float64) - theirs.mean(0, dtype=np.float64)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(float(gap @ gap + (a**2).sum() + (b**2).sum() - 2 * cross), 0.0)


def _factor(rows: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "k dim"]:
    """R with R'R = covariance: the rows' own, or the smaller one of their QR factorisation."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(rows) > rows.shape[1] else centred
