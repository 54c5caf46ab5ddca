"""The Gym's actions: what an actor does in a shot, its picture parts and its sounds, both from one closed-form motion.

Every action is a function `(Stage) -> Performance`. HELD_OUT_ACTIONS never appear in training or validation scenes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.materials import look_of
from openfoley.gym.records import Contact, Friction, GymObject, Look, Part, Performance, Track

NEAR_MISS = 0.15
"""Share of strokes that stop short, in actions that can."""


@dataclass(frozen=True)
class Stage:
    """Where and when an actor plays: `x`, `z` (m) its place on the floor, `sounds` False for the silent variant
    (near-misses only)."""

    rng: np.random.Generator
    start_s: float
    end_s: float
    x: float
    z: float
    size_m: float
    material: str
    other_material: str
    id: str
    sounds: bool = True

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def thing(self, action: str, caption: str, material: str | None = None) -> GymObject:
        return GymObject(
            self.id, caption, material or self.material, self.size_m, int(self.rng.integers(2**31)), action
        )

    def look(self, material: str | None = None, bulge: float = 0.4) -> Look:
        return look_of(material or self.material, self.rng, bulge=bulge)

    def strokes(self, shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Contact times, how far each stops short (0 = it touches) and how hard it is."""
        times = motion.hit_times(self.rng, self.start_s, self.end_s, shortest, longest)
        short = self.rng.random(len(times)) < (NEAR_MISS if self.sounds else 1.0)
        gaps = np.where(short, self.rng.uniform(0.25, 0.5, len(times)), 0.0)
        return times, gaps, self.rng.uniform(0.12, 1.0, len(times)) ** 1.3


def along(base: tuple[float, float, float], axis: tuple[float, float, float], amount: Track) -> Track:
    """base + axis * amount(t)."""
    return lambda t: np.asarray(base)[None] + np.asarray(axis)[None] * amount(t)[:, None]


def on_track(track: Track, time_s: float) -> tuple[float, float, float]:
    x, y, z = track(np.array([time_s]))[0]
    return (float(x), float(y), float(z))


def contacts_of(
    stage: Stage,
    times: np.ndarray,
    gaps: np.ndarray,
    force: np.ndarray,
    where: Track,
    action: str,
    grains: int = 1,
    spread_s: float = 0,
) -> list[Contact]:
    return [
        Contact(float(t), action, stage.id, float(f), on_track(where, float(t)), grains, spread_s)
        for t, g, f in zip(times, gaps, force, strict=True)
        if g == 0
    ]


def bounce(stage: Stage) -> Performance:
    """Balls let fall, each from its own height; hard ones ring longer, all lose height by their restitution."""
    s, play = stage, Performance()
    r = s.size_m * 0.5
    again = s.start_s + s.uniform(0.1, 0.8)
    thing, look = s.thing("bounce", f"{s.material} ball"), s.look(bulge=1.0)
    play.objects.append(thing)
    while again < s.end_s - 0.6:
        height, restitution, drift = s.uniform(0.35, 1.5), s.uniform(0.3, 0.8), s.uniform(-0.25, 0.25)
        end = min(again + s.uniform(1.5, 4.0), s.end_s)
        times, speeds, after = motion.bounce_times(again, height, restitution, end - 0.02)
        level = motion.bounce_height(again, height, times, after)
        if not s.sounds:  # a ball on a string: it dips and turns in the air
            level = lambda t, begin=again, height=height: 0.3 + height * (0.5 + 0.5 * np.cos(4 * (t - begin)))
        x0, spin = s.x - drift, s.uniform(-6, 6)
        begin, stop = again, (end if end < s.end_s - 0.6 else s.end_s)

        def where(t: np.ndarray, x0=x0, level=level, begin=begin, drift=drift) -> np.ndarray:
            return np.stack([x0 + drift * (t - begin), r + level(t), np.full(len(t), s.z)], axis=1)

        def seen(t: np.ndarray, begin=begin, stop=stop) -> np.ndarray:
            return ((t >= begin - 0.4) & (t < stop)).astype(float)

        play.parts.append(Part((0, 0), r, look, where, lambda t, w=spin: w * t, seen, object_id=s.id))
        force = np.clip((speeds / 5.5) ** 1.2, 0.03, 1)
        play.contacts += contacts_of(s, times, np.full(len(times), 0.0 if s.sounds else 0.3), force, where, "bounce")
        again = stop + s.uniform(0.45, 1.2)
    play.caption = f"a {s.material} ball bounces"
    return play


def strike(stage: Stage) -> Performance:
    """A mallet on a hinge beats a plate or a block."""
    s, play = stage, Performance()
    times, gaps, force = s.strokes(0.28, 1.6)
    falls, rises = s.rng.uniform(0.12, 0.3, len(times)), s.rng.uniform(0.2, 0.45, len(times))
    distance = motion.approach(times, falls, rises, gaps)
    wide, high, side = s.size_m * 0.6, s.size_m * s.uniform(0.15, 0.5), float(s.rng.choice([-1, 1]))
    arm, lift = s.size_m * s.uniform(1.2, 2.0), s.uniform(0.5, 1.1)
    top = (s.x, 2 * high + 0.1, s.z)
    head_r = s.size_m * s.uniform(0.16, 0.26)
    hinge = np.array([s.x + side * arm, 2 * high + head_r + 0.1, s.z - 0.02])

    def head(t: np.ndarray) -> np.ndarray:
        angle = lift * distance(t)
        return hinge + arm * np.stack([-side * np.cos(angle), np.sin(angle), np.zeros(len(t))], axis=1)

    def middle(t: np.ndarray) -> np.ndarray:
        return (head(t) + hinge) / 2

    play.objects.append(s.thing("strike", f"{s.material} block"))
    play.parts += [
        Part((wide, high), 0.02, s.look(bulge=0.3), motion.still((s.x, high + 0.1, s.z)), object_id=s.id),
        Part((arm / 2, 0.004), 0.018, s.look("wood"), middle, lambda t: -side * lift * distance(t)),
        Part(
            (head_r * 0.4, 0), head_r * 0.7, s.look(s.other_material, 1.0), head, lambda t: -side * lift * distance(t)
        ),
    ]
    play.contacts += contacts_of(s, times, gaps, force, motion.still(top), "strike")
    play.caption = f"a mallet strikes a {s.material} block"
    return play


def tap(stage: Stage) -> Performance:
    """A stick comes down end first on a box."""
    s, play = stage, Performance()
    times, gaps, force = s.strokes(0.16, 1.2)
    distance = motion.approach(times, s.rng.uniform(0.07, 0.2, len(times)), s.rng.uniform(0.08, 0.25, len(times)), gaps)
    wide, high, length = s.size_m * 0.7, s.size_m * s.uniform(0.2, 0.5), s.size_m * s.uniform(0.8, 1.4)
    reach, lean = s.size_m * s.uniform(0.4, 1.0), s.uniform(-0.4, 0.4)
    tip = (s.x + s.uniform(-0.5, 0.5) * wide, 2 * high, s.z - 0.02)
    half = length / 2
    base = (tip[0] + half * np.sin(lean), tip[1] + half * np.cos(lean) + 0.02, tip[2])
    play.objects.append(s.thing("tap", f"{s.material} box"))
    play.parts += [
        Part((wide, high), 0.01, s.look(bulge=0.25), motion.still((s.x, high, s.z)), object_id=s.id),
        Part(
            (0.005, half),
            s.size_m * 0.07,
            s.look(s.other_material),
            along(base, (0, reach, 0), distance),
            motion.constant(-lean),
        ),
    ]
    play.contacts += contacts_of(s, times, gaps, force, motion.still(tip), "tap")
    play.caption = f"a stick taps a {s.material} box"
    return play


def collide(stage: Stage) -> Performance:
    """Two pucks on one line meet again and again."""
    s, play = stage, Performance()
    times = motion.hit_times(s.rng, s.start_s, s.end_s, 0.5, 1.8)
    phase, r, far = motion.swing_phase(times), s.size_m * 0.45, s.uniform(0.3, 0.8)
    gap = 0.0 if s.sounds else 0.25
    slope = s.uniform(-0.5, 0.5)
    play.objects.append(s.thing("collide", f"{s.material} ball"))
    round_ = bool(s.rng.random() < 0.6)
    for side in (-1, 1):
        look = s.look(bulge=1.0 if round_ else 0.3)

        def where(t: np.ndarray, side=side) -> np.ndarray:
            x = side * (r + gap * 0.5 + far * phase(t))
            return np.stack([s.x + x, np.full(len(t), r), s.z + slope * x], axis=1)

        shape = (0.0, 0.0) if round_ else (r * 0.9, r * 0.9)
        play.parts.append(Part(shape, r if round_ else r * 0.1, look, where, None, object_id=s.id))
    force = s.uniform(0.3, 1.0) * s.rng.uniform(0.6, 1.0, len(times))
    play.contacts += contacts_of(s, times, np.full(len(times), gap), force, motion.still((s.x, r, s.z)), "collide")
    play.caption = f"two {s.material} balls knock together"
    return play


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
            coming = (
                gap + (1 - gap) * (u if kind == "roll" else 0.5 * u + 0.5 * u * u)
                if gap == 0
                else gap + (1 - gap) * motion.smooth(u)
            )
            after = np.maximum(t - instant, 0)
            gone = gap + (rebound * (1 - np.exp(-3 * after)) if gap == 0 else 0 * after)
            d = np.where((t >= instant - length - 0.2) & (t < instant), np.minimum(coming, 1), d)
            hold = (t >= instant) & (t < instant + 0.55)
            d = np.where(hold, gone, d)
        return d

    def where(t: np.ndarray) -> np.ndarray:
        return np.stack([s.x - side * run * distance(t), np.full(len(t), r), np.full(len(t), s.z)], axis=1)

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
    play.contacts += contacts_of(
        s, times, gaps, s.rng.uniform(0.3, 0.9, len(times)), motion.still((post[0] - side * 0.05, r, s.z)), "hit"
    )
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
    where_planted = (
        s.x
        - direction * stride * len(plants) / 4
        + direction
        * stride
        * np.where(plants < turn, np.arange(len(plants)), 2 * np.sum(plants < turn) - np.arange(len(plants)))
    )
    play.objects.append(s.thing("footsteps", f"{s.material} shoes"))
    shoe, skin = s.look(bulge=0.5), s.look("plastic" if s.rng.random() < 0.5 else "rubber")

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
            return np.stack(
                [before + (after - before) * motion.smooth(u), 0.05 + lift, np.full(len(t), s.z - 0.05 * which)], axis=1
            )

        return track

    for which in (0, 1):
        track = foot(which)

        def shin(t: np.ndarray, track=track) -> np.ndarray:
            return track(t) + np.array([0, tall * 0.5, 0.0])

        play.parts += [
            Part((s.size_m * 0.22, 0.0), 0.05, shoe, track, object_id=s.id),
            Part((0.01, tall * 0.45), s.size_m * 0.09, skin, shin, shadow=False),
        ]
    if s.sounds:
        force = s.rng.uniform(0.15, 0.6, len(plants))
        for k, (time, x) in enumerate(zip(plants, where_planted, strict=True)):
            play.contacts.append(
                Contact(float(time), "footsteps", s.id, float(force[k]), (float(x), 0.0, s.z), 2, 0.025)
            )
    else:  # feet that swing in the air
        play.parts = [
            replace(p, position=lambda t, f=p.position: f(t) + np.array([0, 0.35, 0.0]), shadow=False)
            for p in play.parts
        ]
    play.caption = f"footsteps in {s.material} shoes"
    return play


def drip(stage: Stage) -> Performance:
    """Drops fall into a pool, or on a dish of the material."""
    s, play = stage, Performance()
    times = motion.hit_times(s.rng, s.start_s, s.end_s, 0.35, 1.5)
    height, r = s.uniform(0.7, 1.4), s.size_m * 0.11
    fall = np.sqrt(2 * height / motion.GRAVITY)
    dish, drop = s.look(bulge=0.2), s.look("water", bulge=1.0)
    play.objects.append(s.thing("drip", f"{s.material} dish" if s.material != "water" else "pool of water"))
    play.parts += [
        Part((s.size_m * 0.7, 0.02), 0.03, dish, motion.still((s.x, 0.05, s.z)), object_id=s.id),
        Part((0.05, 0.03), 0.03, s.look("steel"), motion.still((s.x, 0.12 + height + 0.08, s.z)), shadow=False),
    ]

    def drops(t: np.ndarray) -> np.ndarray:
        k = np.clip(np.searchsorted(times, t), 0, max(len(times) - 1, 0))
        left = times[k] - t if len(times) else np.full(len(t), 9.0)
        y = np.where((left >= 0) & (left <= fall), height - 0.5 * motion.GRAVITY * (fall - left) ** 2, height)
        return np.stack([np.full(len(t), s.x), 0.12 + y, np.full(len(t), s.z - 0.02)], axis=1)

    def splash(t: np.ndarray) -> np.ndarray:
        k = np.searchsorted(times, t, side="right") - 1
        since = np.where(k >= 0, t - times[np.maximum(k, 0)] if len(times) else 9.0, 9.0)
        return np.where(since < 0.15, 0.7 * (1 - since / 0.15), 0.0)

    if s.sounds:
        play.parts.append(Part((0, r * 0.4), r, drop, drops, shadow=False))
        white = Look((0.9, 0.95, 1.0), 0.0, 0.8, 0.0)
        play.parts.append(
            Part((s.size_m * 0.28, 0.0), 0.03, white, motion.still((s.x, 0.12, s.z - 0.03)), None, splash, shadow=False)
        )
        play.contacts += contacts_of(
            s, times, np.zeros(len(times)), s.rng.uniform(0.1, 0.6, len(times)), motion.still((s.x, 0.1, s.z)), "drip"
        )
    play.caption = "water drips" + ("" if s.material == "water" else f" on a {s.material} dish")
    return play


def pour(stage: Stage) -> Performance:
    """A stream runs from a spout now and then; the sound lasts as long as it runs."""
    s, play = stage, Performance()
    height = s.uniform(0.5, 1.1)
    play.objects.append(s.thing("pour", "stream of " + s.material))
    play.parts.append(Part((s.size_m * 0.6, 0.06), 0.04, s.look("ceramic", 0.3), motion.still((s.x, 0.08, s.z))))
    spans, t0 = [], s.start_s + s.uniform(0.2, 1.2)
    while t0 < s.end_s - 0.8 and s.sounds:
        t1 = min(t0 + s.uniform(0.7, 2.5), s.end_s - 0.05)
        spans.append((t0, t1))
        t0 = t1 + s.uniform(0.5, 1.5)
    look = replace(s.look(bulge=0.6), waves=(0.0, 45.0, 20.0, 0.0), contrast=0.5, warp=2.0)

    def flow(t: np.ndarray) -> np.ndarray:
        return np.max([((t >= a) & (t < b)).astype(float) for a, b in spans] + [np.zeros(len(t))], axis=0)

    def wiggle(t: np.ndarray) -> np.ndarray:
        return np.stack(
            [s.x + 0.012 * np.sin(37 * t), 0.14 + height / 2 + 0.02 * np.sin(51 * t), np.full(len(t), s.z - 0.02)],
            axis=1,
        )

    def tilt(t: np.ndarray) -> np.ndarray:
        return 0.7 * flow(t) + 0.2

    play.parts += [
        Part((0.005, height / 2), s.size_m * 0.06, look, wiggle, None, flow, shadow=False, object_id=s.id),
        Part(
            (s.size_m * 0.3, s.size_m * 0.2),
            0.05,
            s.look(s.other_material),
            motion.still((s.x + s.size_m * 0.3, 0.3 + height, s.z)),
            tilt,
            shadow=False,
        ),
    ]
    for a, b in spans:
        ramp = lambda t, a=a, b=b: (
            0.6 * motion.smooth((t - a) / 0.08) * motion.smooth((b - t) / 0.15) * (0.8 + 0.2 * np.sin(9 * t))
        )
        play.frictions.append(Friction(a, b, "pour", s.id, ramp, motion.still((s.x, 0.1, s.z))))
    play.caption = f"{s.material} is poured into a bowl"
    return play


def shake(stage: Stage) -> Performance:
    """A box of grains is shaken: a rattle at each turn of the motion."""
    s, play = stage, Performance()
    r, reach, rate = s.size_m * 0.4, s.uniform(0.12, 0.3), s.uniform(0.7, 1.9)
    upright = bool(s.rng.random() < 0.5)
    bursts, t0 = [], s.start_s + s.uniform(0.2, 1.0)
    while t0 < s.end_s - 1.0:
        turns = int(s.rng.integers(2, 9))
        if t0 + turns * 0.5 / rate > s.end_s - 0.1:
            break
        bursts.append((t0, turns))
        t0 += turns * 0.5 / rate + s.uniform(0.4, 1.5)

    def amount(t: np.ndarray) -> np.ndarray:
        value = np.zeros(len(t))
        for begin, turns in bursts:
            phase = (t - begin) * rate * 2
            value = np.where((phase >= 0) & (phase <= turns), np.sin(np.pi * phase), value)
        return value

    base = (s.x, r + 0.3, s.z)
    track = along(base, (0.15 * reach, reach, 0) if upright else (reach, 0.15 * reach, 0), amount)
    play.objects.append(s.thing("shake", f"box of {s.material}"))
    play.parts.append(
        Part((r * 0.7, r * 0.8), 0.03, s.look(bulge=0.4), track, lambda t: 0.25 * amount(t), object_id=s.id)
    )
    turns = np.array([begin + (k + 0.5) * 0.5 / rate for begin, n in bursts for k in range(n)])
    if s.sounds:
        force = s.rng.uniform(0.25, 0.8, len(turns))
        play.contacts += contacts_of(s, turns, np.zeros(len(turns)), force, track, "shake", 14, 0.045)
    play.caption = f"a box of {s.material} is shaken"
    return play


def rotate(stage: Stage) -> Performance:
    """A wheel turns; its pegs click past a clapper, which springs aside."""
    s, play = stage, Performance()
    r, pegs, rate = (
        s.size_m * s.uniform(0.6, 0.9),
        int(s.rng.integers(3, 7)),
        s.uniform(0.15, 0.6) * float(s.rng.choice([-1, 1])),
    )
    centre, start_angle = (s.x, r * 1.5 + 0.1, s.z), s.uniform(0, 6.28)
    slow = s.uniform(0.0, 0.25)

    def turned(t: np.ndarray) -> np.ndarray:
        u = t - s.start_s
        return start_angle + 2 * np.pi * rate * (u - slow * u * u / (2 * (s.end_s - s.start_s)))

    fine = np.arange(s.start_s + 0.05, s.end_s - 0.05, 1e-4)
    phase = np.floor((turned(fine) - np.pi / 2) * pegs / (2 * np.pi))
    times = fine[1:][np.diff(phase) != 0]
    play.objects.append(s.thing("rotate", f"{s.material} clapper"))
    tip = (s.x, centre[1] + r * 1.05, s.z)
    gap = 0.0 if s.sounds else 0.12

    def flick(t: np.ndarray) -> np.ndarray:
        k = np.searchsorted(times, t, side="right") - 1
        since = np.where(k >= 0, t - times[np.maximum(k, 0)] if len(times) else 9.0, 9.0)
        return (np.sign(rate) * 0.5 * np.exp(-since / 0.06)) if s.sounds else 0 * t

    play.parts.append(Part((0, 0), r, s.look(s.other_material, 0.2), motion.still(centre), turned))
    pin = s.look("steel", 1.0)
    for k in range(pegs):

        def peg(t: np.ndarray, k=k) -> np.ndarray:
            a = turned(t) + 2 * np.pi * k / pegs
            return np.stack([s.x + r * np.cos(a), centre[1] + r * np.sin(a), np.full(len(t), s.z - 0.03)], axis=1)

        play.parts.append(Part((0, 0), r * 0.13, pin, peg, shadow=False))

    def blade(t: np.ndarray) -> np.ndarray:
        lean = flick(t)
        return np.array([s.x, tip[1] + gap + 0.28, s.z - 0.02]) + 0.2 * np.stack(
            [-np.sin(lean), -np.cos(lean) + 0.3, 0 * t], axis=1
        )

    play.parts.append(
        Part((0.012, 0.16), 0.02, s.look(bulge=0.3), blade, lambda t: -flick(t), shadow=False, object_id=s.id)
    )
    force = s.rng.uniform(0.15, 0.6) * s.rng.uniform(0.7, 1.0, len(times))
    play.contacts += contacts_of(s, times, np.full(len(times), gap), force, motion.still(tip), "rotate")
    play.caption = f"pegs of a turning wheel click on a {s.material} clapper"
    return play


def swing(stage: Stage) -> Performance:
    """A pendulum swings against a post."""
    s, play = stage, Performance()
    times = motion.hit_times(s.rng, s.start_s, s.end_s, 0.7, 1.5)
    times = (
        times[0] + np.arange(len(times)) * (float(np.median(np.diff(times))) if len(times) > 1 else 1.0)
        if len(times)
        else times
    )
    times = times[times < s.end_s - 0.05]
    phase, rope, r = motion.swing_phase(times), s.uniform(0.7, 1.2), s.size_m * 0.4
    wide, decay, side = s.uniform(0.4, 0.9), s.uniform(0.0, 0.12), float(s.rng.choice([-1, 1]))
    pivot = np.array([s.x, rope + r + 0.15, s.z])
    gap = 0.0 if s.sounds else 0.2

    def angle(t: np.ndarray) -> np.ndarray:
        return side * (gap + wide * np.exp(-decay * (t - s.start_s)) * phase(t))

    def bob(t: np.ndarray) -> np.ndarray:
        return pivot + rope * np.stack([np.sin(angle(t)), -np.cos(angle(t)), 0 * t], axis=1)

    def cord(t: np.ndarray) -> np.ndarray:
        return (bob(t) + pivot) / 2

    post = (s.x - side * (r + 0.05), (r + 0.15) * 0.9, s.z)
    play.objects.append(s.thing("swing", f"{s.material} pendulum"))
    play.parts += [
        Part((0.05, post[1]), 0.01, s.look(s.other_material), motion.still(post)),
        Part((0.003, rope / 2), 0.012, s.look("rubber"), cord, lambda t: angle(t), shadow=False),
        Part((0, 0), r, s.look(bulge=1.0), bob, lambda t: angle(t), object_id=s.id),
    ]
    force = 0.9 * np.exp(-decay * (times - s.start_s)) * wide
    play.contacts += contacts_of(
        s,
        times,
        np.full(len(times), gap),
        np.clip(force, 0.1, 1),
        motion.still((post[0] + side * 0.05, 0.2 + r, s.z)),
        "swing",
    )
    play.caption = f"a {s.material} pendulum knocks against a post"
    return play


def scrape(stage: Stage) -> Performance:
    """A block is rubbed to and fro on a board: noise that follows the speed."""
    s, play = stage, Performance()
    r, reach, rate, phase = s.size_m * 0.35, s.uniform(0.15, 0.4), s.uniform(0.5, 1.5), s.uniform(0, 6.28)
    on = s.start_s + s.uniform(0.1, 1.0), s.end_s - s.uniform(0.1, 1.5)

    def gate(t: np.ndarray) -> np.ndarray:
        return motion.smooth((t - on[0]) / 0.3) * motion.smooth((on[1] - t) / 0.3)

    track = along(
        (s.x, r + 0.1 + (0 if s.sounds else 0.3), s.z),
        (reach, 0, 0),
        lambda t: gate(t) * np.sin(2 * np.pi * rate * t + phase),
    )
    play.objects.append(s.thing("scrape", f"{s.material} block"))
    play.parts += [
        Part((reach + r, 0.05), 0.01, s.look(s.other_material, 0.1), motion.still((s.x, 0.05, s.z))),
        Part((r, r), 0.02, s.look(bulge=0.3), track, object_id=s.id),
    ]
    if s.sounds:
        level = lambda t: 0.7 * gate(t) * np.abs(np.cos(2 * np.pi * rate * t + phase))
        play.frictions.append(Friction(on[0], on[1], "scrape", s.id, level, track))
    play.caption = f"a {s.material} block is rubbed on a board"
    return play


def topple(stage: Stage) -> Performance:
    """Held out: sticks fall over, one after another, and slap the floor."""
    s, play = stage, Performance()
    play.objects.append(s.thing("topple", f"{s.material} rod"))
    tall, t0, side = s.size_m * 1.2, s.start_s + s.uniform(0.3, 1.0), float(s.rng.choice([-1, 1]))
    k = 0
    while t0 < s.end_s - 0.3 and k < 6:
        fall, x = s.uniform(0.5, 0.9), s.x + 0.18 * k * side
        instant = t0 + fall

        def lean(t: np.ndarray, instant=instant, fall=fall) -> np.ndarray:
            u = np.clip((t - instant + fall) / fall, 0, 1)
            return side * np.pi / 2 * u**2.5

        def where(t: np.ndarray, x=x, lean=lean, k=k) -> np.ndarray:
            a = lean(t)
            return np.stack(
                [x + tall / 2 * np.sin(a), 0.03 + tall / 2 * np.cos(a), np.full(len(t), s.z + 0.06 * k)], axis=1
            )

        play.parts.append(
            Part((0.02, tall / 2), 0.02, s.look(bulge=0.6), where, lambda t, lean=lean: -lean(t), object_id=s.id)
        )
        if s.sounds:
            play.contacts.append(
                Contact(instant, "topple", s.id, s.uniform(0.3, 0.9), (x + side * tall * 0.5, 0.03, s.z))
            )
        else:
            play.parts.pop()
        t0 += s.uniform(0.35, 1.4)
        k += 1
    play.caption = f"{s.material} rods topple over"
    return play


def cascade(stage: Stage) -> Performance:
    """Held out: marbles are let go one after another and bounce a few times each."""
    s, play = stage, Performance()
    play.objects.append(s.thing("cascade", f"{s.material} marbles"))
    r, t0, count = s.size_m * 0.2, s.start_s + s.uniform(0.2, 0.8), int(s.rng.integers(3, 8))
    for k in range(count):
        height = s.uniform(0.5, 1.3)
        times, speeds, after = motion.bounce_times(t0, height, s.uniform(0.2, 0.5), s.end_s - 0.05)
        level, x = motion.bounce_height(t0, height, times, after), s.x + s.uniform(-0.4, 0.4)

        def where(t: np.ndarray, x=x, level=level, k=k) -> np.ndarray:
            return np.stack([np.full(len(t), x), r + level(t), np.full(len(t), s.z + 0.03 * k)], axis=1)

        seen = lambda t, t0=t0: (t >= t0 - 0.4).astype(float)
        if s.sounds:
            play.parts.append(Part((0, 0), r, s.look(bulge=1.0), where, None, seen, object_id=s.id))
            force = np.clip((speeds / 5.5) ** 1.2, 0.03, 1)
            play.contacts += contacts_of(s, times, np.zeros(len(times)), force, where, "cascade")
        t0 += s.uniform(0.4, 1.5)
        if t0 > s.end_s - 0.8:
            break
    play.caption = f"{s.material} marbles drop one by one"
    return play


def clap(stage: Stage) -> Performance:
    """Held out: two boards on a hinge clap together."""
    s, play = stage, Performance()
    times, gaps, force = s.strokes(0.4, 1.5)
    distance = motion.approach(times, s.rng.uniform(0.12, 0.3, len(times)), s.rng.uniform(0.2, 0.4, len(times)), gaps)
    long, thick, open_ = s.size_m * 0.7, 0.035, s.uniform(0.3, 0.7)
    hinge = np.array([s.x - long, s.size_m * 0.9, s.z])
    play.objects.append(s.thing("clap", f"{s.material} boards"))
    for side in (-1, 1):

        def lean(t: np.ndarray, side=side) -> np.ndarray:
            return side * (open_ * distance(t) + np.arcsin(min(thick / long, 1)))

        def where(t: np.ndarray, lean=lean) -> np.ndarray:
            return hinge + long * np.stack([np.cos(lean(t)), np.sin(lean(t)), 0 * t], axis=1)

        play.parts.append(Part((long, thick * 0.6), 0.01, s.look(bulge=0.3), where, lean, object_id=s.id))
    play.contacts += contacts_of(s, times, gaps, force, motion.still((s.x, s.size_m * 0.9, s.z)), "clap")
    play.caption = f"two {s.material} boards clap together"
    return play


Action = Callable[[Stage], Performance]
ACTIONS: dict[str, Action] = {
    f.__name__: f
    for f in (bounce, strike, tap, collide, roll, slide, footsteps, drip, pour, shake, rotate, swing, scrape)
}
HELD_OUT_ACTIONS: dict[str, Action] = {f.__name__: f for f in (topple, cascade, clap)}
CONTINUOUS = ("roll", "slide", "pour", "scrape", "rain", "fire", "fan")
"""Actions whose sounds last; as events they are neither right nor wrong. `shake` is discrete: each turn is one
rattle."""
FITTING_MATERIALS: dict[str, tuple[str, ...]] = {
    "drip": ("water", "water", "steel", "plastic", "ceramic"),
    "pour": ("water", "gravel"),
    "shake": ("gravel", "plastic", "wood", "glass"),
    "footsteps": ("wood", "stone", "gravel", "rubber"),
}
