"""The contacts and lasting sounds of a scene in order, and the levels at which they are rendered."""

from dataclasses import dataclass

from openfoley.gym.records import Contact, Friction, Scene, Shot


@dataclass(frozen=True)
class Levels:
    """`loudness_db` and `audible` follow the order of `scene_contacts`, `lasting_db` (mean power over each) that of
    `scene_frictions`."""

    loudness_db: tuple[float, ...]
    audible: tuple[bool, ...]
    lasting_db: tuple[float, ...]


def scene_contacts(scene: Scene) -> list[tuple[Shot, Contact]]:
    """All contacts of a scene in order of time."""
    pairs = [
        (shot, c) for shot in scene.shots for p in shot.performances for c in p.contacts if c.time_s < scene.duration_s
    ]
    return sorted(pairs, key=lambda pair: pair[1].time_s)


def scene_frictions(scene: Scene) -> list[tuple[Shot, Friction]]:
    """All lasting sounds of a scene, shot by shot."""
    return [
        (shot, f)
        for shot in scene.shots
        for p in shot.performances
        for f in p.frictions
        if f.start_s < scene.duration_s
    ]
