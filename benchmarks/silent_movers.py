"""At which movements silent scenes sound: python benchmarks/silent_movers.py OUT [OUT of other models ...]

OUT: a folder of `openfoley evaluate tokens --silent N --out OUT`, of the flat world or of bodies. Every false event of
its silent scenes, of the generated sound and of the head on the sync tokens, is given to the nearest instant at which
something visible turns back, stops, starts, appears, vanishes, jumps or is cut, within NEAR_S; the rest happens in
steady motion. A turn is sharp if the speed hardly falls before it, as at a collision. Beside the counts: how many there
would be at random times, and how certain the head is of the sound's false events. Movers are the flat world's actions,
and the families of bodies, whose origins are followed: hidden ones too, as long as they are in the picture.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openfoley.gym.picture import project
from openfoley.gym.records import Part, Performance, Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import split_of, world_of

NEAR_S = 0.06
GRID_HZ = 240
SPAN = 14  # grid steps (58 ms) over which a velocity is measured before and after an instant
MOVING, RESTING = 0.12, 0.03  # picture heights a second
SHARP_SPAN, SHARP = 4, 0.6  # grid steps (17 ms); share of the speed that is left so shortly before and after a turn
JUMP = 0.05  # picture heights in one grid step: no motion, another place
DURATION_S = 8.0


@dataclass(frozen=True)
class Instant:
    time_s: float
    mover: str
    phase: str


@dataclass(frozen=True)
class Followed:
    """A point of what moves: its place (m) [n, 3] and whether it is there [n], at the times of a shot."""

    mover: str
    place: np.ndarray
    shown: np.ndarray


def mover_of(act: Performance) -> str:
    """The family or action of an actor, or the kind of a background object."""
    if act.family:
        return act.family
    if act.objects:
        return act.objects[0].action
    part = act.parts[0]
    return "blinking" if part.opacity else "vane" if part.angle else "floating"


def instants_of(scene: Scene) -> list[Instant]:
    """In order; those of several parts of a mover (a pendulum and its cord) within NEAR_S are one."""
    found = [Instant(shot.start_s, "cut", "cut") for shot in scene.shots[1:]]
    for number, shot in enumerate(scene.shots):
        at = np.arange(shot.start_s, min(shot.end_s, scene.duration_s), 1 / GRID_HZ)
        for one in (*parts(shot, at), *bodies(shot, number, at)):
            found += [Instant(time_s, one.mover, phase) for time_s, phase in phases(scene, shot, one, at)]
    kept: list[Instant] = []
    last: dict[tuple[str, str], float] = {}
    for one in sorted(found, key=lambda one: one.time_s):
        if one.time_s - last.get((one.mover, one.phase), -1.0) > NEAR_S:
            kept.append(one)
            last[one.mover, one.phase] = one.time_s
    return kept


def parts(shot: Shot, at: np.ndarray) -> Iterator[Followed]:
    """Of the flat world."""
    for act in shot.performances:
        for part in act.parts:
            shown = (part.opacity(at) > 0.5) if part.opacity else np.ones(len(at), dtype=bool)
            yield Followed(mover_of(act), outermost(part, at), shown)


def outermost(part: Part, at: np.ndarray) -> np.ndarray:
    """The place of a part, of one that turns that of its outermost point."""
    place = np.array(part.position(at), dtype=np.float64)
    if part.angle is not None and max(part.half) > 0:
        arm = max(part.half) + part.radius
        turned = part.angle(at) + (0 if part.half[0] >= part.half[1] else np.pi / 2)
        place += arm * np.stack([np.cos(turned), np.sin(turned), 0 * turned], axis=1)
    return place


def bodies(shot: Shot, number: int, at: np.ndarray) -> Iterator[Followed]:
    """Solid ones that move in the shot of this number, each once."""
    families = {f"object{number}{k}": mover_of(act) for k, act in enumerate(shot.performances)}
    solids = {id(solid.motion): solid for solid in (shot.stage.solids if shot.stage else ())}
    for solid in solids.values():
        if len(solid.motion.position) > 1:
            shown = (at >= solid.shown[0]) & (at < solid.shown[1])
            yield Followed(families.get(solid.owner.split(".")[0], "background"), solid.motion.at(at)[0], shown)


def phases(scene: Scene, shot: Shot, one: Followed, at: np.ndarray) -> Iterator[tuple[float, str]]:
    """(time, phase) of what is followed, on the screen."""
    x, y, _, _ = project(shot.camera, scene.aspect, one.place, at)
    screen = np.stack([x * scene.aspect, y], axis=1)
    shown = one.shown & (x > 0) & (x < 1) & (y > 0) & (y < 1)
    for k in np.flatnonzero(np.diff(shown.astype(int))):
        yield float(at[k + 1]), "appears" if shown[k + 1] else "vanishes"
    step = np.linalg.norm(np.diff(screen, axis=0), axis=1)
    jumps = np.flatnonzero((step > JUMP) & shown[1:] & shown[:-1])
    yield from ((float(at[k + 1]), "jumps") for k in jumps)
    if len(at) <= 2 * SPAN:
        return
    middle = np.arange(SPAN, len(at) - SPAN)
    before = (screen[middle] - screen[middle - SPAN]) * GRID_HZ / SPAN
    after = (screen[middle + SPAN] - screen[middle]) * GRID_HZ / SPAN
    fast, then = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
    is_near_jump = np.abs(middle[:, None] - jumps).min(1, initial=len(at)) <= SPAN
    usable = shown[middle] & ~is_near_jump
    back = ((before * after).sum(1) < -0.5 * fast * then) & (np.minimum(fast, then) > MOVING)
    just = [np.linalg.norm(screen[middle + k] - screen[middle + k - SHARP_SPAN], axis=1) for k in (0, SHARP_SPAN)]
    is_sharp = np.minimum(*just) * GRID_HZ / SHARP_SPAN > SHARP * np.minimum(fast, then)
    for name, mask in (
        ("turns back", back),
        ("stops", (fast > MOVING) & (then < RESTING)),
        ("starts", (fast < RESTING) & (then > MOVING)),
    ):
        for k in runs(mask & usable):
            yield float(at[middle[k]]), name + " sharply" * bool(name == "turns back" and is_sharp[k])


def runs(mask: np.ndarray) -> list[int]:
    """The middle of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(first + last - 1) // 2 for first, last in edges.reshape(-1, 2)]


def nearest(time_s: float, instants: list[Instant]) -> Instant | None:
    close = [one for one in instants if abs(one.time_s - time_s) <= NEAR_S]
    return min(close, key=lambda one: abs(one.time_s - time_s), default=None)


def report(folder: Path) -> None:
    threshold = json.loads((folder / "sections" / "head.json").read_text())["threshold"]
    rows = [json.loads(path.read_text()) for path in sorted((folder / "sections").glob("silent-scene-*.json"))]
    if not rows:
        sys.exit(f"{folder} holds no silent scenes; run `openfoley evaluate tokens --silent 30 --out {folder}`")
    found: dict[str, Counter] = {"sound": Counter(), "head": Counter()}
    chance = {"sound": Counter(), "head": Counter()}
    totals, count, certainty = Counter(), Counter(), []
    movers, sounding = Counter(), Counter()
    for row in rows:
        scene = sample_scene(row["seed"], DURATION_S, split=split_of(row["seed"], world_of(row["seed"])), silent=True)
        instants = instants_of(scene)
        present = {mover_of(act) for shot in scene.shots for act in shot.performances}
        movers.update(present)
        sounding.update(present if row["sound"]["times_s"] else ())
        count.update((one.mover, one.phase) for one in instants)
        scores, times = np.array(row["head"]["scores"]), np.array(row["head"]["times_s"])
        events = {"sound": row["sound"]["times_s"], "head": times[scores >= threshold].tolist()}
        uniform = [nearest(t, instants) for t in np.arange(0.005, DURATION_S, 0.01)]
        for way, times_s in events.items():
            totals[way] += len(times_s)
            for time_s in times_s:
                one = nearest(time_s, instants)
                found[way][(one.mover, one.phase) if one else ("-", "steady motion")] += 1
            for one in uniform:
                key = (one.mover, one.phase) if one else ("-", "steady motion")
                chance[way][key] += len(times_s) / len(uniform)
        for time_s in events["sound"]:
            certainty.append(scores[np.abs(times - time_s) <= 0.05].max(initial=0.0))
    minutes = len(rows) * DURATION_S / 60
    print(f"{folder}: {len(rows)} silent scenes, false a minute: sound {totals['sound'] / minutes:.1f}, "
          f"head {totals['head'] / minutes:.1f} (threshold {threshold:.2f})")  # fmt: skip
    if certainty:
        told = np.mean(np.array(certainty) >= threshold)
        print(f"of the sound's {len(certainty)} false events the head has {told:.2f}; its output there has quartiles "
              f"{np.quantile(certainty, (0.25, 0.5, 0.75)).round(2).tolist()}")  # fmt: skip
    print("mover, phase | instants | sound, by chance | head, by chance")
    keys = sorted({*found["sound"], *found["head"]}, key=lambda key: -found["sound"][key] - found["head"][key])
    for key in keys:
        cells = [f"{found[way][key]}, {chance[way][key]:.1f}" for way in ("sound", "head")]
        print(f"{', '.join(key)} | {count[key] or ''} | {' | '.join(cells)}")
    those = ", ".join(f"{name} {sounding[name]} of {n}" for name, n in movers.most_common())
    print(f"scenes with false events of the sound, by mover: {those}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        report(Path(name))
