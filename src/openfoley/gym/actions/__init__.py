"""The Gym's actions: what an actor does in a shot, its picture parts and its sounds, both from one closed-form motion.

Every action is a function `(Stage) -> Performance`. HELD_OUT_ACTIONS never appear in training or validation scenes.
"""

from collections.abc import Callable

from openfoley.gym.actions.handling import rotate, scrape, shake, swing
from openfoley.gym.actions.held_out import cascade, clap, topple
from openfoley.gym.actions.impacts import bounce, collide, strike, tap
from openfoley.gym.actions.liquids import drip, pour
from openfoley.gym.actions.stage import Stage
from openfoley.gym.actions.travel import footsteps, roll, slide
from openfoley.gym.records import Performance

Action = Callable[[Stage], Performance]
ACTIONS: dict[str, Action] = {
    f.__name__: f
    for f in (bounce, strike, tap, collide, roll, slide, footsteps, drip, pour, shake, rotate, swing, scrape)
}
HELD_OUT_ACTIONS: dict[str, Action] = {f.__name__: f for f in (topple, cascade, clap)}
CONTINUOUS = ("roll", "slide", "pour", "scrape", "rain", "fire", "fan", "stream", "engine")
"""Actions with continuous sounds, which are not scored as events. `shake` is discrete: each turn is one rattle."""
FITTING_MATERIALS: dict[str, tuple[str, ...]] = {
    "drip": ("water", "water", "steel", "plastic", "ceramic"),
    "pour": ("water", "gravel"),
    "shake": ("gravel", "plastic", "wood", "glass"),
    "footsteps": ("wood", "stone", "gravel", "rubber"),
}
