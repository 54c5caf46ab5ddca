"""Rolling, sliding and footsteps. Each action is a function `(Stage) -> Performance`."""

from dataclasses import replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage, contacts_of
from openfoley.gym.records import Contact, Friction, Look, Part, Performance, Track


def travel(stage: Stage, kind: str) -> Performance:
    """Something rolls or slides over the floor into a post, again and again; the rubbing sound follows its speed."""
    s, play = stage, Performance()
    r, side, run = s.size_m * 0.4, float(s.rng.choice([-1, 1])), s.uniform(0.8, 1.8)
    times, gaps, _ = s.strokes(1.4, 3.0)
    duration, back = s.rng.uniform(0.7, 1.2, len(times)), s.rng.uniform(0.15, 0.4, len(times))
    look, post = s.look(bulge=1.0 if kind == "roll" else 0.3), (s.x + side * (r + 0.05), 0.25, s.z)

    def distance(t: np.ndarray) -> np.ndarray:
        """Of the object from the post, in runs: comes in (a slide brakes a little), rebounds a little, is put back at
        the start."""
        d = np.ones(len(t))
        for instant, length, rebound, gap in zip(times, duration, back, gaps, strict=True):
            u = np.clip((instant - t) / length, 0, 1)
            braking = u if kind == "roll" else 0.5 * u + 0.5 * u * u
            coming = gap + (1 - gap) * (braking if gap == 0 else motion.smooth(u))
            after = np.maximum(t - instant, 0)
            gone = gap + (rebound * (1 - np.exp(-3 * after)) if gap == 0 else 0 * after)
            d = np.where((t >= instant - length - 0.2) & (t < instant), np.minimum(coming, 1), d)
            d = np.where((t >= instant) & (t < instant + 0.55), gone, d)
        return d

    def where(t: np.ndarray) -> np.ndarray:
        return motion.points(s.x - side * run * distance(t), r, s.z)

    def speed(t: np.ndarray) -> np.ndarray:
        v = np.abs(distance(t + 0.01) - distance(t - 0.01)) / 0.02 * run
        return np.where(v > 6, 0.0, np.clip(v / 2.2, 0, 1))

    spin = (lambda t: side * run * distance(t) / r) if kind == "roll" else None
    shape = (0.0, 0.0) if kind == "roll" else (r, r * 0.9)
    play.objects.append(s.thing(kind, f"{s.material} {'ball' if kind == 'roll' else 'block'}"))
    play.parts += [
        Part(shape, r if kind == "roll" else 0.01, look, where, spin, object_id=s.id),
        Part((0.04, 0.25), 0.01, s.look(s.other_material), motion.still(post)),
    ]
    force = s.rng.uniform(0.3, 0.9, len(times))
    play.contacts += contacts_of(s, times, gaps, force, (post[0] - side * 0.05, r, s.z), "hit")
    if s.sounds:
        for instant, length in zip(times, duration, strict=True):
            play.frictions.append(Friction(float(instant - length), float(instant + 0.2), kind, s.id, speed, where))
    else:  # silent variant: it glides on felt and never touches
        play.contacts.clear()
    play.caption = f"a {s.material} {'ball rolls' if kind == 'roll' else 'block slides'} into a post"
    return play


def roll(stage: Stage) -> Performance:
    return travel(stage, "roll")


def slide(stage: Stage) -> Performance:
    return travel(stage, "slide")


def footsteps(stage: Stage) -> Performance:
    """Two legs walk along the floor; the material is the shoe's and the floor's answer."""
    s, play = stage, Performance()
    step, stride, direction = s.uniform(0.36, 0.7), s.uniform(0.12, 0.3), float(s.rng.choice([-1, 1]))
    tall = s.size_m * s.uniform(1.6, 2.4)
    turn = s.start_s + s.uniform(0.4, 0.6) * (s.end_s - s.start_s)
    first = s.start_s + s.uniform(0.1, 0.6)
    plants = np.arange(first, s.end_s - 0.05, step)
    number = np.arange(len(plants))
    there_and_back = np.where(plants < turn, number, 2 * np.sum(plants < turn) - number)
    where_planted = s.x - direction * stride * len(plants) / 4 + direction * stride * there_and_back
    play.objects.append(s.thing("footsteps", f"{s.material} shoes"))
    shoe, skin = s.look(bulge=0.5), s.look("plastic" if s.rng.random() < 0.5 else "rubber")
    play.parts += legs(s, plants, where_planted, step, tall, (shoe, skin))
    if s.sounds:
        force = s.rng.uniform(0.15, 0.6, len(plants))
        for time, x, f in zip(plants, where_planted, force, strict=True):
            play.contacts.append(Contact(float(time), "footsteps", s.id, float(f), (float(x), 0.0, s.z), 2, 0.025))
    else:  # feet that swing in the air
        play.parts = [
            replace(p, position=lambda t, f=p.position: f(t) + np.array([0, 0.35, 0.0]), shadow=False)
            for p in play.parts
        ]
    play.caption = f"footsteps in {s.material} shoes"
    return play


def legs(
    s: Stage, plants: np.ndarray, where_planted: np.ndarray, step: float, tall: float, looks: tuple[Look, Look]
) -> list[Part]:
    """Two legs that put a foot down at each of `plants` (s), in turn, at these places (x, m). step: s from one to the
    next; tall: m; looks: of shoe and skin."""
    parts: list[Part] = []

    def foot(which: int) -> Track:
        times, places = plants[which::2], where_planted[which::2]

        def track(t: np.ndarray) -> np.ndarray:
            if len(times) == 0:
                return np.broadcast_to(np.array([s.x, 0.05, s.z]), (len(t), 3))
            k = np.clip(np.searchsorted(times, t, side="right"), 0, len(times) - 1)
            before, after = places[np.maximum(k - 1, 0)], places[k]
            u = np.clip((t - (times[k] - step * 0.85)) / (step * 0.85), 0, 1)
            u = np.where(t >= times[-1], 1.0, u)
            lift = 0.16 * np.where(u < 0.5, motion.smooth(2 * u), 1 - (2 * u - 1) ** 2) * (u > 0)
            return motion.points(before + (after - before) * motion.smooth(u), 0.05 + lift, s.z - 0.05 * which)

        return track

    for which in (0, 1):
        track = foot(which)

        def shin(t: np.ndarray, track=track) -> np.ndarray:
            return track(t) + np.array([0, tall * 0.5, 0.0])

        parts += [
            Part((s.size_m * 0.22, 0.0), 0.05, looks[0], track, object_id=s.id),
            Part((0.01, tall * 0.45), s.size_m * 0.09, looks[1], shin, shadow=False),
        ]
    return parts
