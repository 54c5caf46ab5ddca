"""Drops and streams. Each is a function `(Stage) -> Performance`."""

from dataclasses import replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage, contacts_of
from openfoley.gym.records import Friction, Look, Part, Performance


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
        return motion.points(s.x, 0.12 + y, s.z - 0.02)

    def splash(t: np.ndarray) -> np.ndarray:
        since = motion.since_last(times, t)
        return np.where(since < 0.15, 0.7 * (1 - since / 0.15), 0.0)

    if s.sounds:
        play.parts.append(Part((0, r * 0.4), r, drop, drops, shadow=False))
        white = Look((0.9, 0.95, 1.0), 0.0, 0.8, 0.0)
        play.parts.append(
            Part((s.size_m * 0.28, 0.0), 0.03, white, motion.still((s.x, 0.12, s.z - 0.03)), None, splash, shadow=False)
        )
        play.contacts += contacts_of(s, times, 0.0, s.rng.uniform(0.1, 0.6, len(times)), (s.x, 0.1, s.z), "drip")
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
        return motion.points(s.x + 0.012 * np.sin(37 * t), 0.14 + height / 2 + 0.02 * np.sin(51 * t), s.z - 0.02)

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
