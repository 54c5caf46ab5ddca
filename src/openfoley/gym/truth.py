"""A scene's truth as the JSON that `openfoley gym render` writes and `openfoley evaluate sync` reads."""

from fractions import Fraction
from typing import Any

import numpy as np

from openfoley.gym.audibility import FAINT_DB
from openfoley.gym.bodies.visible import visible
from openfoley.gym.levels import Levels, scene_contacts, scene_frictions
from openfoley.gym.picture import project
from openfoley.gym.records import Contact, Friction, Scene, Shot
from openfoley.gym.seeds import VERSIONS, world_of
from openfoley.gym.timbre import grains


def truth(scene: Scene, sound: Levels | None, rate: Fraction) -> dict:
    """`{duration_s, fps, caption, captions, objects, events}`; x, y are 0..1 from the picture's top left; time 0 is
    the first frame. "gym" is the version of the scene's world, which "world" names unless it is the flat one. Without
    the sound, which takes far longer to render than a few pictures, events have neither `loudness_db` nor `audible`."""
    objects = {o.id: o for o in scene.objects}
    events = []

    def add(
        one: Contact | Friction, start_s: float, end_s: float, where: tuple[float, float, bool], **more: Any
    ) -> None:
        start_s, end_s, material = round(start_s, 6), round(end_s, 6), objects[one.object_id].material
        event = {"time_s": start_s, "end_s": end_s, "action": one.action, "object_id": one.object_id}
        events.append(event | {"material": material, **dict(zip(("x", "y", "visible"), where, strict=True)), **more})

    contacts, frictions = scene_contacts(scene), scene_frictions(scene)
    places = _places(scene, [(shot, np.array(c.position), c.time_s) for shot, c in contacts])
    for k, (shot, contact) in enumerate(contacts):
        last = float(grains(contact, objects[contact.object_id])[0][-1]) if contact.grains > 1 else 0.0
        level = {"loudness_db": round(sound.loudness_db[k], 2), "audible": sound.audible[k]} if sound else {}
        x, y, seen = places[k]
        seen = seen and not (shot.stage is None and _hidden(scene, shot, contact))
        add(contact, contact.time_s, contact.time_s + last, (x, y, seen), **level)
    middles = [min((f.start_s + f.end_s) / 2, scene.duration_s) for _, f in frictions]
    middle = [(shot, f.position(np.array([t]))[0], t) for (shot, f), t in zip(frictions, middles, strict=True)]
    for k, ((shot, friction), where) in enumerate(zip(frictions, _places(scene, middle), strict=True)):
        level = {}
        if sound:
            level = {"loudness_db": round(sound.lasting_db[k], 2), "audible": _lasts_audibly(shot, sound, k)}
        add(friction, friction.start_s, min(friction.end_s, scene.duration_s), where, continuous=True, **level)
    world = world_of(scene.seed)
    return {
        "duration_s": scene.duration_s,
        "fps": float(rate),
        "caption": scene.caption,
        "captions": list(scene.captions),
        **({} if world == "flat" else {"world": world}),
        "gym": VERSIONS[world],
        "seed": scene.seed,
        "split": scene.split,
        "cuts_s": [shot.start_s for shot in scene.shots[1:]],
        "objects": [
            {"id": o.id, "caption": o.caption, "material": o.material, "action": o.action} for o in objects.values()
        ],
        "events": sorted(events, key=lambda e: e["time_s"]),
    }


def _lasts_audibly(shot: Shot, sound: Levels, number: int) -> bool:
    """Solid bodies may roll and slide ever so slowly, and sources of long scenes begin softly; in the flat world every
    lasting sound is meant to be audible."""
    return (shot.stage is None and shot.place is None) or sound.lasting_db[number] > FAINT_DB


def _places(scene: Scene, points: list[tuple[Shot, np.ndarray, float]]) -> list[tuple[float, float, bool]]:
    """x, y and whether it is in the picture and no solid before it, of points [3] in the world at a time (s)."""
    places: list[tuple[float, float, bool]] = [(0.0, 0.0, False)] * len(points)
    for shot in scene.shots:
        own = [k for k, point in enumerate(points) if point[0] is shot]
        if not own:
            continue
        where, times = np.stack([points[k][1] for k in own]), np.array([points[k][2] for k in own])
        x, y, _, _ = project(shot.camera, scene.aspect, where, times)
        seen = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
        if shot.stage is not None:
            seen &= visible(shot.stage.solids, shot.camera, scene.aspect, where, times)
        for n, k in enumerate(own):
            places[k] = round(float(x[n]), 4), round(float(y[n]), 4), bool(seen[n])
    return places


def _hidden(scene: Scene, shot: Shot, contact: Contact) -> bool:
    """Whether it is occluded by a panel at the time of contact."""
    times = np.array([contact.time_s])
    x, y, _, _ = project(shot.camera, scene.aspect, np.array([contact.position]), times)
    for part in (p for act in shot.performances for p in act.parts if p.in_front):
        px, py, _, scale = project(shot.camera, scene.aspect, part.position(times), times)
        wide, high = (part.half[0] + part.radius) * scale / scene.aspect, (part.half[1] + part.radius) * scale
        if abs(x[0] - px[0]) < wide[0] and abs(y[0] - py[0]) < high[0]:
            return True
    return False
