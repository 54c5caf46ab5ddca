"""Where a scene is cut into shots, in both worlds."""

import numpy as np

SECOND_SHOT_SHARE = 0.12
"""Of scenes that need no cut."""
SHOT_SHORTEST_S, SHOT_LONGEST_S = 3.0, 10.0
CUT_MARGIN_S = 0.01
"""Contacts this close before a cut are left out: they would hardly be heard."""


def shot_end(rng: np.random.Generator, start_s: float, duration_s: float) -> float:
    """End (s) of the shot that begins at start_s: the scene's, or a cut before it."""
    left = duration_s - start_s
    whole = duration_s <= SHOT_LONGEST_S
    if left < 2 * SHOT_SHORTEST_S or (whole and (start_s > 0 or rng.random() > SECOND_SHOT_SHARE)):
        return duration_s
    return start_s + float(rng.uniform(SHOT_SHORTEST_S, min(SHOT_LONGEST_S, left - SHOT_SHORTEST_S)))
