"""Falling, striking and colliding objects. Each action is a function `(Stage) -> Performance`."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage, along, contacts_of
from openfoley.gym.records import Part, Performance


def bounce(stage: Stage) -> Performance:
    """Balls dropped from different heights; hard ones ring longer, restitution lowers each bounce."""
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
            return motion.points(x0 + drift * (t - begin), r + level(t), s.z)

        def seen(t: np.ndarray, begin=begin, stop=stop) -> np.ndarray:
            return ((t >= begin - 0.4) & (t < stop)).astype(float)

        play.parts.append(Part((0, 0), r, look, where, lambda t, w=spin: w * t, seen, object_id=s.id))
        force = np.clip((speeds / 5.5) ** 1.2, 0.03, 1)
        play.contacts += contacts_of(s, times, 0.0 if s.sounds else 0.3, force, where, "bounce")
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
        return hinge + arm * motion.points(-side * np.cos(angle), np.sin(angle), 0)

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
    play.contacts += contacts_of(s, times, gaps, force, top, "strike")
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
    play.contacts += contacts_of(s, times, gaps, force, tip, "tap")
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
            return motion.points(s.x + x, r, s.z + slope * x)

        shape = (0.0, 0.0) if round_ else (r * 0.9, r * 0.9)
        play.parts.append(Part(shape, r if round_ else r * 0.1, look, where, None, object_id=s.id))
    force = s.uniform(0.3, 1.0) * s.rng.uniform(0.6, 1.0, len(times))
    play.contacts += contacts_of(s, times, gap, force, (s.x, r, s.z), "collide")
    play.caption = f"two {s.material} balls knock together"
    return play
