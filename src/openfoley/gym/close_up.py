"""Close-ups: one thing of the flat world that fills the picture, before a still camera.

For pictures of 32 pixels at 8 frames a second, in which the flat world's own scenes show too little: whatever moves and
is touched fills the picture, contacts are two frames apart and have a frame on either side. What happens has begun
before the first frame and goes on behind the last one. The families are those whose contacts a detector finds in the
picture at that size (docs/log.md, J3).
"""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions import ACTIONS, FITTING_MATERIALS, Stage
from openfoley.gym.captions import scene_captions
from openfoley.gym.flat import only_within
from openfoley.gym.materials import HELD_OUT_MATERIALS, SOLID
from openfoley.gym.records import Camera, Grade, Look, Part, Performance, Scene, Shot
from openfoley.gym.seeds import Split

FAMILIES = ("bounce", "strike", "tap", "collide", "roll", "slide", "footsteps", "drip", "shake", "rotate", "swing")
"""Actions of the flat world."""
FRAME_S = 0.125
"""At 8 frames a second."""
APART_S = 2 * FRAME_S
"""Between contacts: the picture of each shows the thing away from it, before and after."""
BEFORE_S, AFTER_S = 3.0, 1.0
"""How long it goes on before the first frame and behind the last."""
SILENT_SHARE = 0.1
TRIES = 200
"""For contacts apart from one another and from the ends."""
FILLED = (0.8, 0.95)
"""Share of the picture that the thing and its way take."""
DEPTH_M = 3.0
FRAMED_TIMES = 48
"""Instants at which the parts are framed."""


def sample_close_up(
    seed: int, duration_s: float, *, split: Split, silent: bool | None, aspect: float | None, single_shot: bool
) -> Scene:
    """As `scene.sample_scene`: square pictures if aspect is None, and always a single shot. The held-out split differs
    in its materials."""
    rng = np.random.default_rng([seed, 20261129])
    by_chance = bool(rng.random() < SILENT_SHARE)
    is_silent = by_chance if silent is None else silent
    act = _performance(rng, duration_s, sounds=not is_silent, heldout=split == "heldout")
    aspect = aspect or 1.0
    camera = _framing(act, duration_s, aspect, float(rng.uniform(*FILLED)))
    room = (float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.02, 0.1)))
    shot = Shot(0.0, duration_s, camera, _plain_grade(rng), (act,), *room)
    captions = scene_captions([act], rng)
    if is_silent:
        captions = (f"{act.caption}, without touching: silence",) * len(captions)
    return Scene(seed, split, duration_s, aspect, float(rng.uniform(-4, 0)), (shot,), captions[0], captions)


def _performance(rng: np.random.Generator, duration_s: float, *, sounds: bool, heldout: bool) -> Performance:
    """The first of TRIES whose contacts keep APART_S from one another; the last one if none does."""
    name = str(rng.choice(list(FAMILIES)))
    act = Performance()
    for _ in range(TRIES):
        material = str(rng.choice(HELD_OUT_MATERIALS if heldout else FITTING_MATERIALS.get(name, SOLID)))
        size_m, other = float(rng.uniform(0.35, 0.6)), str(rng.choice(SOLID))
        stage = Stage(rng, -BEFORE_S, duration_s + AFTER_S, 0.0, 0.0, size_m, material, other, "object00", sounds)
        act = only_within(ACTIONS[name](stage), 0.0, duration_s)
        times = [0.0, *(c.time_s for c in act.contacts), duration_s - FRAME_S]
        if not sounds or (len(times) > 2 and _apart(times)):
            break
    return act


def _apart(times: list[float]) -> bool:
    gaps = np.diff(np.sort(times))
    return bool(gaps[0] >= FRAME_S and gaps[-1] >= FRAME_S and (gaps[1:-1] >= APART_S).all())


def _framing(act: Performance, duration_s: float, aspect: float, filled: float) -> Camera:
    """A still, level camera with all visible parts in its picture; they take the share `filled` of the picture."""
    times = np.linspace(0.0, duration_s, FRAMED_TIMES)
    boxes = np.concatenate([_extent(part, times) for part in act.parts])
    (left, low), (right, high) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    focal = filled * DEPTH_M / max(high - low, (right - left) / aspect)
    eye = motion.still(((left + right) / 2, (low + high) / 2, -DEPTH_M))
    return Camera(float(focal), eye, motion.still((0.0, 0.0, 0.0)))


def _extent(part: Part, times: np.ndarray) -> np.ndarray:
    """Left, low, right, high (m) at the times at which the part is shown [n, 4]."""
    where = part.position(times)
    shown = part.opacity(times) > 0 if part.opacity is not None else np.ones(len(times), dtype=bool)
    reach = np.array(part.half) + part.radius
    if part.angle is not None:
        turned = part.angle(times)
        c, s = np.abs(np.cos(turned)), np.abs(np.sin(turned))
        wide, high = (part.half[0] * c + part.half[1] * s), (part.half[0] * s + part.half[1] * c)
        reaches = np.stack([wide, high], axis=1) + part.radius
    else:
        reaches = np.broadcast_to(reach, (len(times), 2))
    return np.concatenate([where[:, :2] - reaches, where[:, :2] + reaches], axis=1)[shown]


def _plain_grade(rng: np.random.Generator) -> Grade:
    """Plain floor and wall, soft light, no noise: only the thing stands out."""
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(0.5, 1.0), rng.uniform(-1.0, -0.5)])
    light /= np.linalg.norm(light)
    floor, wall = _plain(rng, 0.12, 0.5), _plain(rng, 0.2, 0.8)
    return Grade(
        (float(light[0]), float(light[1]), float(light[2])), 0.55, floor, wall, wall_z=1.5, tint=(1.0, 1.0, 1.0),
        gamma=1.0, noise=0.0, blur=0.0, quantization=0.0, motion_blur=False, saturation=1.0, outline=False, shadow=0.4,
    )  # fmt: skip


def _plain(rng: np.random.Generator, darkest: float, lightest: float) -> Look:
    red, green, blue = rng.uniform(darkest, lightest) * rng.uniform(0.8, 1.0, 3)
    return Look((float(red), float(green), float(blue)), gloss=0.0, bulge=0.0)
