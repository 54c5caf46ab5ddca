"""The flat world: sampling a scene of face-on things with closed-form motion, its shots, actors, distractors, cameras
and styles."""

from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions import ACTIONS, FITTING_MATERIALS, HELD_OUT_ACTIONS, Stage
from openfoley.gym.captions import scene_captions
from openfoley.gym.materials import HELD_OUT_MATERIALS, SOLID, look_of
from openfoley.gym.records import Camera, Friction, Grade, GymObject, Look, Part, Performance, Scene, Shot
from openfoley.gym.seeds import Split
from openfoley.gym.shots import CUT_MARGIN_S, shot_end

SILENT_SHARE, OFF_SCREEN_SHARE, AMBIENCE_SHARE, OCCLUDER_SHARE = 0.1, 0.08, 0.25, 0.12
BUSIEST = 6.0
"""Contacts per second that a shot may have; further actors are left out."""


@dataclass(frozen=True)
class ShotFrame:
    """A shot without its actors: start and end in s, aspect as width / height."""

    start: float
    end: float
    number: int
    heldout: bool
    silent: bool
    aspect: float


def sample_flat_scene(
    seed: int, duration_s: float, *, split: Split, silent: bool | None, aspect: float | None, single_shot: bool
) -> Scene:
    """As `scene.sample_scene`."""
    rng = np.random.default_rng([seed, 20261120])
    silent = bool(rng.random() < SILENT_SHARE) if silent is None else silent
    heldout = split == "heldout"
    any_aspect = float(rng.choice([16 / 9, 4 / 3, 1.0, 2.0, 9 / 16], p=[0.45, 0.2, 0.2, 0.1, 0.05]))
    aspect = aspect or any_aspect
    shots, start, number = [], 0.0, 0
    while start < duration_s - 1e-9:
        end = duration_s if single_shot else shot_end(rng, start, duration_s)
        shots.append(_sample_shot(rng, ShotFrame(start, end, number, heldout, silent, aspect)))
        start, number = end, number + 1
    performances = [p for shot in shots for p in shot.performances]
    captions = scene_captions(performances, rng)
    return Scene(seed, split, duration_s, aspect, float(rng.uniform(-8, 0)), tuple(shots), captions[0], captions)


def _sample_shot(rng: np.random.Generator, shot: ShotFrame) -> Shot:
    camera, acts = sample_actors(rng, shot)
    if not shot.silent and rng.random() < AMBIENCE_SHARE:
        kind = str(rng.choice(["rain", "fire", "fan"]))
        acts.append(ambience(rng, kind, shot.start, shot.end, f"ambience{shot.number}"))
    if rng.random() < OCCLUDER_SHARE:
        acts.append(_occluder(rng))
    room = sample_room(rng)
    return Shot(shot.start, shot.end, camera, sample_grade(rng, shot.heldout), tuple(acts), *room)


def sample_room(rng: np.random.Generator) -> tuple[float, float]:
    """Reverberation time (s) and level."""
    return float(rng.uniform(0.08, 0.9)), float(rng.uniform(0.02, 0.25))


def sample_actors(rng: np.random.Generator, shot: ShotFrame) -> tuple[Camera, list[Performance]]:
    """A shot's camera, one to three actors, and silent things that move in the background."""
    start, end, number, silent = shot.start, shot.end, shot.number, shot.silent
    actions = HELD_OUT_ACTIONS if shot.heldout else ACTIONS
    count = int(rng.choice([1, 2, 3], p=[0.55, 0.33, 0.12]))
    places = rng.permutation(np.linspace(-1, 1, count)) * 0.75 if count > 1 else np.array([rng.uniform(-0.5, 0.5)])
    camera = _sample_camera(rng, shot.aspect)
    acts: list[Performance] = []
    contacts = 0
    for k in range(count):
        off_screen = k > 0 and not silent and rng.random() < OFF_SCREEN_SHARE * 2
        name = str(rng.choice(list(actions)))
        stage = _sample_stage(rng, shot, float(places[k]), name, f"object{number}{k}", count)
        if off_screen:
            stage = replace(stage, x=float(rng.choice([-1, 1])) * 4.5)
        act = actions[name](stage)
        act = only_within(act, start, end)
        contacts += len(act.contacts)
        if acts and contacts > BUSIEST * (end - start):
            break
        acts.append(act)
    acts += [_distractor(rng) for _ in range(int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15])))]
    return camera, acts


def _sample_stage(rng: np.random.Generator, shot: ShotFrame, x: float, action: str, id: str, count: int) -> Stage:
    pool = SOLID + HELD_OUT_MATERIALS * 4 if shot.heldout else SOLID
    material = str(rng.choice(FITTING_MATERIALS.get(action, pool)))
    size = float(rng.uniform(0.28, 0.6 if count == 1 else 0.45))
    depth = float(rng.uniform(-0.3, 0.9))
    x, other = x * (1.6 if count > 2 else 1.3), str(rng.choice(SOLID))
    return Stage(rng, shot.start, shot.end, x, depth, size, material, other, id, not shot.silent)


def only_within(act: Performance, start: float, end: float) -> Performance:
    """With the sounds of these seconds alone; what moves stays."""
    contacts = [c for c in act.contacts if start <= c.time_s < end - CUT_MARGIN_S]
    frictions = [
        replace(f, start_s=max(f.start_s, start), end_s=min(f.end_s, end))
        for f in act.frictions
        if f.start_s < end and f.end_s > start
    ]
    return Performance(act.objects, act.parts, contacts, frictions, act.caption)


def _sample_camera(rng: np.random.Generator, aspect: float) -> Camera:
    distance, height, focal = rng.uniform(2.6, 4.6), rng.uniform(0.4, 2.2), rng.uniform(1.1, 1.6)
    aim_height, side = rng.uniform(0.5, 0.75), rng.uniform(-0.5, 0.5)
    focal = focal * distance / 2.6 * min(1.0, 0.25 + 0.6 * aspect)  # narrow pictures step back
    pitch = float(np.arctan2(aim_height - height, distance))
    yaw = float(np.arctan2(-side, distance))
    kind = str(rng.choice(["still", "hand", "pan", "truck"], p=[0.45, 0.35, 0.1, 0.1]))
    shake = [motion.wander(rng, 0.0 if kind == "still" else 0.012, 1.5) for _ in range(6)]
    pan = rng.uniform(-0.04, 0.04) if kind == "pan" else 0.0
    truck = rng.uniform(-0.1, 0.1) if kind == "truck" else 0.0

    def eye(t: np.ndarray) -> np.ndarray:
        return motion.points(side + shake[0](t) + truck * (t - 4), height + shake[1](t), -distance + shake[2](t))

    def turn(t: np.ndarray) -> np.ndarray:
        return motion.points(yaw + pan * (t - 4) + shake[3](t), pitch + shake[4](t), shake[5](t))

    return Camera(float(focal), eye, turn)


def _any_look(rng: np.random.Generator, dark: bool = False) -> Look:
    """Floors and walls: any colour, any weave."""
    red, green, blue = rng.uniform(0.05, 0.45 if dark else 0.85) * rng.uniform(0.6, 1.0, 3)
    color = (float(red), float(green), float(blue))
    k, w, turn = float(np.exp(rng.uniform(np.log(1.5), np.log(30)))), float(rng.uniform(0, 12)), rng.uniform(0, 3.14)
    waves = (k * np.cos(turn), k * np.sin(turn), -w * np.sin(turn), w * np.cos(turn))
    contrast = float(rng.choice([0.0, rng.uniform(0.03, 0.2), rng.uniform(0.1, 0.45)]))
    return Look(
        color,
        0.0,
        1.0,
        0.0,
        waves,
        float(rng.uniform(0, 3)),
        contrast,
        float(rng.choice([1, 1, 6])),
        float(rng.uniform(0, 6.28)),
    )


def sample_grade(rng: np.random.Generator, heldout: bool) -> Grade:
    light = np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1.2), rng.uniform(-1.2, -0.3)])
    light /= np.linalg.norm(light)
    tint = 1 + rng.uniform(-0.12, 0.12, 3)
    saturation = float(rng.choice([1.0, rng.uniform(0.3, 1.0), 0.0], p=[0.6, 0.35, 0.05]))
    if heldout:
        saturation, tint = float(rng.choice([0.0, 1.3])), 1 + rng.uniform(-0.3, 0.3, 3)
    return Grade(
        (float(light[0]), float(light[1]), float(light[2])),
        float(rng.uniform(0.35, 0.7)),
        _any_look(rng),
        _any_look(rng, rng.random() < 0.4),
        float(rng.uniform(1.6, 4.0)),
        (float(tint[0]), float(tint[1]), float(tint[2])),
        float(rng.uniform(0.75, 1.3)),
        float(rng.choice([0.0, rng.uniform(0.005, 0.05)])),
        float(rng.choice([0.0, rng.uniform(0.2, 1.2)])),
        float(rng.choice([0.0, rng.uniform(0.01, 0.08)])),
        bool(rng.random() < 0.2),
        saturation,
        heldout,
        float(rng.uniform(0.2, 0.6)),
    )


def _distractor(rng: np.random.Generator) -> Performance:
    """A silent moving object in the background that touches nothing."""
    kind = str(rng.choice(["float", "blink", "dart", "vane"]))
    x, y, z = rng.uniform(-1.6, 1.6), rng.uniform(0.7, 1.7), rng.uniform(0.7, 1.4)
    look = look_of(str(rng.choice(SOLID)), rng, bulge=float(rng.uniform(0, 1)))
    r = float(rng.uniform(0.05, 0.22))
    speed = 0.5 if kind != "dart" else 1.6
    reach = 0.5 if kind in ("float", "dart") else 0.0
    wx, wy = motion.wander(rng, reach, speed), motion.wander(rng, reach / 2, speed)
    track = lambda t: motion.points(x + wx(t), y + wy(t), z)
    period, share = rng.uniform(0.4, 2.0), rng.uniform(0.3, 0.7)
    blink = (lambda t: ((t / period) % 1 < share).astype(float)) if kind == "blink" else None
    rate = rng.uniform(1, 5) * rng.choice([-1, 1])
    spin = (lambda t: rate * t) if kind == "vane" else None
    shape = (r, r * 0.12) if kind == "vane" else (r * float(rng.uniform(0, 0.8)), r * float(rng.uniform(0, 0.8)))
    return Performance(parts=[Part(shape, r * 0.5, look, track, spin, blink, shadow=False)])


def _occluder(rng: np.random.Generator) -> Performance:
    """A panel in front of the scene."""
    look, x = look_of(str(rng.choice(SOLID)), rng, bulge=0.1), float(rng.uniform(-1.2, 1.2))
    wide, high = float(rng.uniform(0.08, 0.2)), float(rng.uniform(0.3, 0.7))
    return Performance(parts=[Part((wide, high), 0.01, look, motion.still((x, high, -0.9)), in_front=True)])


def ambience(rng: np.random.Generator, kind: str, start: float, end: float, id: str) -> Performance:
    """Rain, fire or a fan: visible and audible all the time."""
    level = float(rng.uniform(0.15, 0.5))
    play = Performance(caption={"rain": "rain falls", "fire": "a fire crackles", "fan": "a fan hums"}[kind])
    material = {"rain": "water", "fire": "wood", "fan": "steel"}[kind]
    play.objects.append(GymObject(id, kind, material, 0.4, int(rng.integers(2**31)), kind))
    x, z = float(rng.uniform(-1.2, 1.2)), 1.2
    if kind == "rain":
        streak = Look((0.75, 0.8, 0.9), 0, 0.4, 0)
        for _ in range(10):
            x0, z0, speed, phase = rng.uniform(-2, 2), rng.uniform(-0.5, 1.5), rng.uniform(4, 7), rng.uniform(0, 3)
            track = lambda t, x0=x0, z0=z0, speed=speed, phase=phase: motion.points(
                x0, 2.6 - (speed * t + phase) % 2.8, z0
            )
            play.parts.append(Part((0, 0.06), 0.006, streak, track, shadow=False))
    elif kind == "fire":
        for k in range(3):
            sway, tall = motion.wander(rng, 0.05, 4.0), motion.wander(rng, 0.4, 6.0)
            track = lambda t, sway=sway, k=k: motion.points(x + 0.08 * (k - 1) + sway(t), 0.2, z - 0.01 * k)
            glow = lambda t, tall=tall: np.clip(0.75 + tall(t), 0.2, 1.0)
            play.parts.append(
                Part((0.02, 0.12), 0.07, Look((1.0, 0.45 + 0.2 * k, 0.1), 0, 0.85, 0), track, None, glow, shadow=False)
            )
    else:
        rate = rng.uniform(9, 20)
        for k in range(3):
            turned = lambda t, k=k: rate * t + 2.094 * k
            track = lambda t, f=turned: motion.points(x + 0.12 * np.cos(f(t)), 1.0 + 0.12 * np.sin(f(t)), z)
            play.parts.append(
                Part((0.11, 0.02), 0.02, look_of("plastic", rng, bulge=0.1), track, turned, None, shadow=False)
            )
    play.frictions.append(Friction(start, end, kind, id, motion.constant(level), motion.still((x, 0.5, z))))
    return play
