"""Noise scaled on the way from noise (t = 0) to data (t = 1), beyond the paper.

Temperatures below 1 are used with other flows (Kingma and Dhariwal, arXiv 1807.03039, section 6): fewer improbable
events, that is fewer false positives, and more misses. Noise that is small from the start is a sign of silence to the
model, and whether something sounds is decided early on the path. So the noise keeps its full deviation until
t = SCALED_FROM, where what is left of it is scaled once:

    x_t = t D + (1 - t) n   ->   t D + (1 - t) T n

with the end D = x + (1 - t) v and the noise n = x - t v of the step that crosses SCALED_FROM. As a step is a straight
line, it is done at its end: the same point comes out. A single step has no noise left there, so the temperature T
does nothing. Values: docs/log.md, S6 and S7; `benchmarks/sampling.py` tries others.
"""

from dataclasses import dataclass

from openfoley.flow.path import Latents, Rows

SCALED_FROM = 0.08


@dataclass(frozen=True)
class NoiseScale:
    """factor: T, the temperature; 1 leaves the noise as it is."""

    factor: float

    def deviation(self, t: Rows) -> Rows:
        """Standard deviation of the noise in x_t where a velocity at t is computed."""
        return 1.0 - (1.0 - self.factor) * (t >= SCALED_FROM).to(t.dtype)

    def after_step(self, x: Latents, velocity: Latents, before: float, t: float) -> Latents:
        """x at t, reached from `before` with `velocity`; its noise is scaled if the step crosses SCALED_FROM."""
        if not before < SCALED_FROM <= t:
            return x
        noise = x - t * velocity
        return x - (1.0 - self.factor) * (1.0 - t) * noise


UNSCALED = NoiseScale(1.0)
