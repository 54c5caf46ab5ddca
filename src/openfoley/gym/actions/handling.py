"""Shaking, turning, swinging and scraping. Each action is a function `(Stage) -> Performance`."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage, along, contacts_of
from openfoley.gym.records import Friction, Part, Performance, Track

SWAY_S = 3.5
"""Seconds, over a shake's rate (Hz), from one turn of a swayed box back to the same: 1.8 to 5 s."""


def shake(stage: Stage) -> Performance:
    """A box of grains is shaken: a rattle at each turn of the motion. Silent: it sways too gently to move the grains,
    in two seconds or more instead of half a second between turns."""
    s, play = stage, Performance()
    r, reach, rate = s.size_m * 0.4, s.uniform(0.12, 0.3), s.uniform(0.7, 1.9)
    upright = bool(s.rng.random() < 0.5)
    amount, turns = _shaken(s, rate) if s.sounds else (_swayed(s, rate), np.zeros(0))
    base = (s.x, r + 0.3, s.z)
    track = along(base, (0.15 * reach, reach, 0) if upright else (reach, 0.15 * reach, 0), amount)
    play.objects.append(s.thing("shake", f"box of {s.material}"))
    play.parts.append(
        Part((r * 0.7, r * 0.8), 0.03, s.look(bulge=0.4), track, lambda t: 0.25 * amount(t), object_id=s.id)
    )
    force = s.rng.uniform(0.25, 0.8, len(turns))
    play.contacts += contacts_of(s, turns, 0.0, force, track, "shake", (14, 0.045))
    play.caption = f"a box of {s.material} is shaken"
    return play


def _shaken(s: Stage, rate: float) -> tuple[Track, np.ndarray]:
    """How far to one side (-1 .. 1), and the times of the turns: bursts of two to eight, at `rate` to and fro."""
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

    return amount, np.array([begin + (k + 0.5) * 0.5 / rate for begin, n in bursts for k in range(n)])


def _swayed(s: Stage, rate: float) -> Track:
    """How far to one side, to alternate sides, from the first second to the end of the shot."""
    begin = s.start_s + s.uniform(0.2, 1.0)
    longest = max(s.end_s - 0.2 - begin, 0.5)
    one = min(SWAY_S / rate, longest)
    count = int(longest / one)

    def amount(t: np.ndarray) -> np.ndarray:
        passed = np.clip((t - begin) / one, 0, count)
        side = np.where(np.floor(passed) % 2, -1.0, 1.0)
        return side * np.sin(np.pi * passed) ** 2

    return amount


def rotate(stage: Stage) -> Performance:
    """A wheel turns; its pegs click past a clapper, which springs aside."""
    s, play = stage, Performance()
    r, pegs = s.size_m * s.uniform(0.6, 0.9), int(s.rng.integers(3, 7))
    rate = s.uniform(0.15, 0.6) * float(s.rng.choice([-1, 1]))
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
        return (np.sign(rate) * 0.5 * np.exp(-motion.since_last(times, t) / 0.06)) if s.sounds else 0 * t

    play.parts.append(Part((0, 0), r, s.look(s.other_material, 0.2), motion.still(centre), turned))
    pin = s.look("steel", 1.0)
    for k in range(pegs):

        def peg(t: np.ndarray, k=k) -> np.ndarray:
            a = turned(t) + 2 * np.pi * k / pegs
            return motion.points(s.x + r * np.cos(a), centre[1] + r * np.sin(a), s.z - 0.03)

        play.parts.append(Part((0, 0), r * 0.13, pin, peg, shadow=False))

    def blade(t: np.ndarray) -> np.ndarray:
        lean = flick(t)
        hung = np.array([s.x, tip[1] + gap + 0.28, s.z - 0.02])
        return hung + 0.2 * motion.points(-np.sin(lean), -np.cos(lean) + 0.3, 0)

    play.parts.append(
        Part((0.045, 0.16), 0.02, s.look(bulge=0.3), blade, lambda t: -flick(t), shadow=False, object_id=s.id)
    )
    force = s.rng.uniform(0.15, 0.6) * s.rng.uniform(0.7, 1.0, len(times))
    play.contacts += contacts_of(s, times, gap, force, tip, "rotate")
    play.caption = f"pegs of a turning wheel click on a {s.material} clapper"
    return play


def swing(stage: Stage) -> Performance:
    """A pendulum swings against a post."""
    s, play = stage, Performance()
    times = motion.hit_times(s.rng, s.start_s, s.end_s, 0.7, 1.5)
    if len(times):
        times = times[0] + np.arange(len(times)) * motion.median_gap(times)
    times = times[times < s.end_s - 0.05]
    phase, rope, r = motion.swing_phase(times), s.uniform(0.7, 1.2), s.size_m * 0.4
    wide, decay, side = s.uniform(0.4, 0.9), s.uniform(0.0, 0.12), float(s.rng.choice([-1, 1]))
    pivot = np.array([s.x, rope + r + 0.15, s.z])
    gap = 0.0 if s.sounds else 0.2

    def angle(t: np.ndarray) -> np.ndarray:
        return side * (gap + wide * np.exp(-decay * (t - s.start_s)) * phase(t))

    def bob(t: np.ndarray) -> np.ndarray:
        return pivot + rope * motion.points(np.sin(angle(t)), -np.cos(angle(t)), 0)

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
    knocked = (post[0] + side * 0.05, 0.2 + r, s.z)
    play.contacts += contacts_of(s, times, gap, np.clip(force, 0.1, 1), knocked, "swing")
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
