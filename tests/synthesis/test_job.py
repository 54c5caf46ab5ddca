"""The plan of a request."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from openfoley.request import Timeline
from openfoley.synthesis.job import planned
from openfoley.timeline.shots import shots_of


@pytest.mark.parametrize(
    ("rate", "asked", "latents"),
    [(Fraction(44100, 1024), None, 22), (Fraction(125, 4), None, 16), (Fraction(125, 4), 0.2, 6)],
    ids=["44.1 kHz", "16 kHz", "16 kHz, asked"],
)
def test_neighbouring_windows_overlap_by_seconds_at_every_latent_rate(
    rate: Fraction, asked: float | None, latents: int
) -> None:
    parts: dict[str, Any] = {
        "codec": SimpleNamespace(latent_rate=rate),
        "generator": SimpleNamespace(window_latents=round(8 * rate)),
    }
    model: Any = SimpleNamespace(**parts)
    plan = planned(model, shots_of(Fraction(20), (), "none"), Timeline(overlap=asked), None)
    assert [one.window.overlap for one in plan] == [latents] * (len(plan) - 1) + [0] and len(plan) > 2
    assert [one.window.context for one in plan] == [0, *[round(rate / 2)] * (len(plan) - 1)]
