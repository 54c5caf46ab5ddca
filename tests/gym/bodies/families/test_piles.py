"""Heaps: things are poured out and come to lie on each other; near misses keep theirs."""

import numpy as np

from openfoley.gym.bodies.description import Free
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.piles import piles
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.materials import SOLID


def pile(seed: int, *, sounds: bool = True) -> Mechanism:
    return piles(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.1, SOLID, "o", sounds))


def ends(play: Mechanism, part: str) -> list[np.ndarray]:
    run = simulate(play.bodies, 0.0, 5.0)
    found = zip(run.bodies, run.motions, strict=True)
    return [m.position[-1] for b, m in found if part in b.id and isinstance(b.motion, Free)]


def is_poured(play: Mechanism) -> bool:
    return any(body.id.endswith(".crate") for body in play.bodies)


def test_all_that_was_in_the_crate_is_poured_out() -> None:
    poured = [play for play in map(pile, range(12)) if is_poured(play)][:3]
    assert len(poured) == 3
    for play in poured:
        lie = ends(play, ".in")
        assert len(lie) >= 3 and max(place[1] for place in lie) < 0.5 * play.height


def test_a_thing_comes_to_lie_on_another_now_and_then() -> None:
    plays = list(map(pile, range(12)))
    heights = [np.sort([place[1] for place in ends(play, "o.")]) for play in plays]
    assert sum(len(high) > 1 and high[-1] > 1.6 * high[0] for high in heights) >= 4


def test_near_misses_let_nothing_go() -> None:
    for seed in range(12):
        assert not any(isinstance(body.motion, Free) for body in pile(seed, sounds=False).bodies)
