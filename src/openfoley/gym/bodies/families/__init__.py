"""Families of mechanisms: what is built, and how it moves, sounds, or just does not.

Every family is a function `(Builder) -> Mechanism`. HELD_OUT_FAMILIES never appear in training or validation scenes.
"""

from collections.abc import Callable

from openfoley.gym.bodies.families.bowls import bowl, funnel
from openfoley.gym.bodies.families.chains import chains
from openfoley.gym.bodies.families.chimes import chimes
from openfoley.gym.bodies.families.conveyors import conveyor
from openfoley.gym.bodies.families.cradle import cradle
from openfoley.gym.bodies.families.dominoes import dominoes, pendulum_into_blocks
from openfoley.gym.bodies.families.drops import drops
from openfoley.gym.bodies.families.hammers import hammers
from openfoley.gym.bodies.families.hands import knocking, putting
from openfoley.gym.bodies.families.hinges import door, lid, seesaw
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.piles import piles
from openfoley.gym.bodies.families.runs import marble_run
from openfoley.gym.bodies.families.shaken import shaken
from openfoley.gym.bodies.families.skittles import pyramid, skittles
from openfoley.gym.bodies.families.slopes import ramp, stairs
from openfoley.gym.bodies.families.stirring import stirring
from openfoley.gym.bodies.families.wheels import wheel
from openfoley.gym.bodies.families.wobbling import wobbling

Family = Callable[[Builder], Mechanism]
FAMILIES: dict[str, Family] = {
    f.__name__: f
    for f in (
        drops, piles, stairs, ramp, dominoes, pendulum_into_blocks, skittles, pyramid, bowl, funnel, seesaw, door, lid,
        cradle, hammers, wheel, shaken, conveyor, marble_run, putting, knocking, stirring, chains,
    )
}  # fmt: skip
SPARSE_FAMILIES = ("stairs", "door", "lid", "cradle", "hammers", "wheel", "putting", "knocking", "stirring")
"""Families that are drawn twice as often, so that contacts lie about as near each other as in footage that nobody here
trained on, where 56 % are within 0.1 s of another: 56 % of theirs are (none of lid, putting and knocking, 68 to 83 % of
stairs, wheel and cradle), 89 % of the others' (81 to 98 %; `python benchmarks/gym_contacts.py families`)."""
HELD_OUT_FAMILIES: dict[str, Family] = {f.__name__: f for f in (chimes, wobbling)}
