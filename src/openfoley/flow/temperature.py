"""Noise scaled on the way from noise (t = 0) to data (t = 1), beyond the paper.

Temperatures below 1 are used with other flows (Kingma and Dhariwal, arXiv 1807.03039, section 6): fewer improbable
events, that is fewer false positives, and more misses. Noise that is small from the start is a sign of silence to the
model, and whether something sounds is decided early on the path. So the noise keeps its full deviation until
t = SCALED_FROM, where what is left of it is scaled once:

    x_t = t D + (1 - t) n   ->   t D + (1 - t) T n

with the end D = x + (1 - t) v and the noise n = x - t v of the step that crosses SCALED_FROM. As a step is a straight
line, it is done at its end: the same point comes out. A single step has no noise left there, so the temperature does
nothing. Values: docs/log.md, S6 and S7; `benchmarks/sampling.py` tries others.
"""

from openfoley.flow.path import Latents, Rows

SCALED_FROM = 0.08


def deviation(t: Rows, temperature: float) -> Rows:
    """Standard deviation of the noise in x_t where a velocity at t is computed."""
    return 1.0 - (1.0 - temperature) * (t >= SCALED_FROM).to(t.dtype)


def scale_noise(x: Latents, velocity: Latents, t: float, temperature: float) -> Latents:
    """x at t, reached with `velocity`, with its noise `temperature` times as large."""
    noise = x - t * velocity
    return x - (1.0 - temperature) * (1.0 - t) * noise
