"""Families of mechanisms: what is built, and how it moves, sounds, or just does not.

Every family is a function `(Place) -> Arrangement`. HELD_OUT_FAMILIES never appear in training or validation scenes.
"""

from collections.abc import Callable

from openfoley.gym.bodies.families.bowls import bowl, funnel
from openfoley.gym.bodies.families.chimes import chimes
from openfoley.gym.bodies.families.conveyors import conveyor
from openfoley.gym.bodies.families.cradle import cradle
from openfoley.gym.bodies.families.dominoes import dominoes, pendulum_into_blocks
from openfoley.gym.bodies.families.drops import drops
from openfoley.gym.bodies.families.hammers import hammers
from openfoley.gym.bodies.families.hands import knocking, putting
from openfoley.gym.bodies.families.hinges import door, lid, seesaw
from openfoley.gym.bodies.families.piles import piles
from openfoley.gym.bodies.families.place import Arrangement, Place
from openfoley.gym.bodies.families.runs import marble_run
from openfoley.gym.bodies.families.shaken import shaken
from openfoley.gym.bodies.families.skittles import pyramid, skittles
from openfoley.gym.bodies.families.slopes import ramp, stairs
from openfoley.gym.bodies.families.stirring import stirring
from openfoley.gym.bodies.families.wheels import wheel
from openfoley.gym.bodies.families.wobbling import wobbling

Family = Callable[[Place], Arrangement]
FAMILIES: dict[str, Family] = {
    f.__name__: f
    for f in (
        drops, piles, stairs, ramp, dominoes, pendulum_into_blocks, skittles, pyramid, bowl, funnel, seesaw, door, lid,
        cradle, hammers, wheel, shaken, conveyor, marble_run, putting, knocking, stirring,
    )
}  # fmt: skip
SPARSE = ("stairs", "door", "lid", "cradle", "hammers", "wheel", "putting", "knocking", "stirring")
"""Families of which 16 to 64 % of the contacts lie within 0.1 s of another, of the others 60 to 98 %. They are drawn
twice as often: of the contacts seen in footage that nobody here trained on, 56 % do."""
HELD_OUT_FAMILIES: dict[str, Family] = {f.__name__: f for f in (chimes, wobbling)}
