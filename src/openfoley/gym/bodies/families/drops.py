"""Things that are let fall, one by one or by the handful: they bounce, tumble, rattle and settle."""

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import dips, path_along, turning
from openfoley.gym.bodies.families.things import NOUNS, any_kind, farthest, pieces_of, plural
from openfoley.gym.bodies.matter import SOFT_CONTACT_S
from openfoley.gym.motion import GRAVITY

APPEARS_S = 0.4
"""A thing that waits for its turn is seen this long before it is let go."""
MOST = 10
HUNG_SHARE = 0.6
"""Of the radius, over which things hang or are let go."""


def drops(builder: Builder) -> Mechanism:
    """Up to ten things fall from two to ten times their size. Silent: they dangle on strings, or land on a cushion."""
    p, play = builder, Mechanism()
    sorts = [(any_kind(p), p.material(), p.size_m * p.scaled(0.5, 1.6)) for _ in range(p.count(1, 3))]
    play.objects = [p.thing("drop", NOUNS[kind], material, size) for kind, material, size in sorts]
    hung, handful = not p.sounds and p.chance(0.5), p.sounds and p.chance(0.4)
    play.radius, top = p.size_m * p.uniform(2.5, 5), min(p.size_m * p.scaled(2.5, 10), 1.8)
    # What lands on a cushion dents it as deeply as a spring that gives way for SOFT_CONTACT_S.
    dent = SOFT_CONTACT_S / np.pi * float(np.sqrt(2 * GRAVITY * top))
    floor = 0.0 if p.sounds or hung else max(p.size_m, 1.3 * dent)
    play.height = top + floor
    instants = (p.times(0.8, 3.0) if handful else p.times(0.35, 2.0))[: p.count(1, 7)]
    releases = [t for t in instants for _ in range(p.count(2, 5) if handful else 1)][:MOST]
    if not p.sounds:
        releases = releases[:4]  # each has a place of its own
    if floor:
        play.radius = max(play.radius, 1.4 * p.size_m * len(releases))
        play.bodies.append(p.cushion((play.radius, floor / 2, play.radius), (0, floor / 2, 0)))
    made = []
    for _ in releases:
        kind, material, size = sorts[chosen := p.count(0, len(sorts) - 1)]
        made.append((chosen, pieces_of(kind, size, material, p)))
    if hung:  # each keeps clear of its neighbours, however they turn
        apart = 2.1 * max(farthest(pieces) for _, pieces in made)
        play.radius = max(play.radius, apart * (len(made) - 1) / 2 / HUNG_SHARE)
    spread = play.radius * (0.7 if floor else HUNG_SHARE)
    places = p.rng.permutation(np.linspace(-1, 1, len(releases))) * spread
    if p.sounds and p.chance(0.2):  # some of what sounds lands on a cushion, without a sound
        half = (play.radius * p.uniform(0.25, 0.5), p.size_m * p.uniform(0.2, 0.5), play.radius)
        play.bodies.append(p.cushion(half, (play.radius * p.uniform(-0.6, 0.6), half[1], 0)))
    for k, time_s in enumerate(releases):
        chosen, pieces = made[k]
        _, material, size = sorts[chosen]
        x, z = float(places[k]), p.uniform(-0.3, 0.3) * play.radius
        y = floor + top * p.uniform(0.6, 1.0) + size * (0.6 + 1.1 * (k % 5 if handful else 0))
        if hung:
            motion: Driven | Free = Driven(path_along((x, 0, z), (0, 1, 0), dips(p, size * 0.9, y), turning(p)))
        else:
            calm = 1.0 if p.sounds else 0.05
            spin = _any_vector(p, 5.0 * calm, 5.0 * calm)
            motion = Free(time_s, _any_vector(p, 0.3 * calm, 0.0), spin, 8.0 if p.sounds else 0.2)
        play.bodies.append(
            Body(
                f"{p.id}.{k}",
                pieces,
                p.matter(material),
                (x, y, z),
                rotation.random_turn(p.rng),
                motion,
                None if hung else play.objects[chosen].id,
                shown=(-np.inf if hung else time_s - APPEARS_S, np.inf),
            )
        )
    play.caption = (
        f"{plural(play.objects[0].caption)} fall and bounce"
        if len(releases) > 1
        else f"a {play.objects[0].caption} falls"
    )
    return play


def _any_vector(builder: Builder, sideways: float, upwards: float) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in builder.rng.standard_normal(3) * np.array([sideways, upwards, sideways]))
    return (x, y, z)
