"""Actions that never appear in training or validation scenes. Each is a function `(Stage) -> Performance`."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage, contacts_of
from openfoley.gym.records import Contact, Part, Performance


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
            return motion.points(x + tall / 2 * np.sin(a), 0.03 + tall / 2 * np.cos(a), s.z + 0.06 * k)

        look = s.look(bulge=0.6)
        if s.sounds:
            back = lambda t, lean=lean: -lean(t)
            play.parts.append(Part((0.02, tall / 2), 0.02, look, where, back, object_id=s.id))
            place = (x + side * tall * 0.5, 0.03, s.z)
            play.contacts.append(Contact(instant, "topple", s.id, s.uniform(0.3, 0.9), place))
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
            return motion.points(x, r + level(t), s.z + 0.03 * k)

        seen = lambda t, t0=t0: (t >= t0 - 0.4).astype(float)
        if s.sounds:
            play.parts.append(Part((0, 0), r, s.look(bulge=1.0), where, None, seen, object_id=s.id))
            force = np.clip((speeds / 5.5) ** 1.2, 0.03, 1)
            play.contacts += contacts_of(s, times, 0.0, force, where, "cascade")
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
            return hinge + long * motion.points(np.cos(lean(t)), np.sin(lean(t)), 0)

        play.parts.append(Part((long, thick * 0.6), 0.01, s.look(bulge=0.3), where, lean, object_id=s.id))
    play.contacts += contacts_of(s, times, gaps, force, (s.x, s.size_m * 0.9, s.z), "clap")
    play.caption = f"two {s.material} boards clap together"
    return play
