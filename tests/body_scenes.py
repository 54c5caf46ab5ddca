"""Hand-made scenes of solid bodies, for tests of what surrounds the simulation."""

from collections.abc import Sequence

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies.records import Light, Motion, Solid, Sphere, Stage, Surface
from openfoley.gym.flat import sample_flat_scene
from openfoley.gym.materials import SOLID
from openfoley.gym.records import Camera, Contact, Friction, GymObject, Performance, Scene, Shot
from openfoley.gym.seeds import seeds_of

GREY = Surface((0.5, 0.5, 0.5))
SEED = seeds_of("train", 1, world="bodies")[0]
LIGHT = Light((0.0, 1.0, 0.0), (1.0, 1.0, 1.0), (0.3, 0.3, 0.3), (0.1, 0.1, 0.1))


def at(*place: float) -> Motion:
    """Of a body that stands still there, unturned."""
    return Motion(np.array([place], dtype=float), np.array([[1.0, 0.0, 0.0, 0.0]]))


def looking(focal: float, *eye: float, yaw: float = 0.0, pitch: float = 0.0) -> Camera:
    """A camera that stands still."""
    return Camera(focal, lambda t: np.tile(eye, (len(t), 1)), lambda t: np.tile([yaw, pitch, 0.0], (len(t), 1)))


def thing(number: int, material: str = "wood", size_m: float = 0.3) -> GymObject:
    return GymObject(f"body{number}", f"{material} ball", material, size_m, 7 + number, "bounce")


def balls(objects: Sequence[GymObject]) -> Stage:
    """A row of balls at rest."""
    places = [at(0.4 * k, 0.2, 1.0) for k in range(len(objects))]
    solids = [Solid(Sphere(0.1), GREY, place) for place in places]
    return Stage(tuple(solids), LIGHT, GREY)


def scene_of(
    objects: Sequence[GymObject],
    contacts: Sequence[Contact],
    frictions: Sequence[Friction] = (),
    *,
    duration_s: float = 4.0,
    gain_db: float = 0.0,
) -> Scene:
    """One shot seen by a still camera 3 m away, in a dry room."""
    caption = f"a {objects[0].material} ball bounces"
    act = Performance(list(objects), [], list(contacts), list(frictions), caption)
    camera = looking(1.2, 0.0, 0.5, -3.0)
    grade = sample_flat_scene(1, 1.0, split="train", silent=None, aspect=1.0, single_shot=True).shots[0].grade
    shot = Shot(0.0, duration_s, camera, grade, (act,), 0.3, 0.1, balls(objects))
    return Scene(SEED, "train", duration_s, 1.0, gain_db, (shot,), caption, (caption,) * 6)


def crowded(count: int = 150, objects: int = 10, *, duration_s: float = 8.0, seed: int = 0) -> Scene:
    """Bodies of all materials that meet again and again, every contact between two of them, and a rolling one."""
    rng = np.random.default_rng(seed)
    things = [thing(k, SOLID[k % len(SOLID)], float(rng.uniform(0.1, 0.6))) for k in range(objects)]
    contacts = []
    for time_s in np.sort(rng.uniform(0.2, duration_s - 0.1, count)):
        one, other = rng.choice(objects, 2, replace=False)
        place = (float(rng.uniform(-1, 1)), 0.2, float(rng.uniform(0, 2)))
        impulse = float(rng.uniform(0, 1) ** 2)
        contacts.append(Contact(float(time_s), "bounce", f"body{one}", impulse, place, partner=f"body{other}"))
    rolls = Friction(1.0, 3.0, "roll", "body0", motion.constant(0.3), motion.still((0.0, 0.1, 1.0)))
    return scene_of(things, contacts, [rolls], duration_s=duration_s)
