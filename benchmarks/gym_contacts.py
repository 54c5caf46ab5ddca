"""How dense the contacts of the Gym are, what of them can be seen, and what they cost, without a picture:

    python benchmarks/gym_contacts.py [PART ...]    families, misses, scenes, engine, sound (default: all)
    --scenes N     scenes of each world and shots of each family (default 150 and 10: 3 minutes of processor time)
    --first F      of the training seeds (default 1,000)

families: contacts of one family alone in a shot of 8 s. misses: its silent near misses in which something that is led
enters another thing all the same: led and fixed bodies pass through each other unheard. scenes: events of whole scenes
of 8 s as the reports score them. engine: a dropped ball against free fall. sound: what rendering one costs. Intervals:
95 %, over shots or scenes.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np

from openfoley.evaluation.metrics.recall import GAP_EDGES_S, gaps_s, range_words
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.gym.bodies.contacts import events, impacts, pair_forces
from openfoley.gym.bodies.description import Body, Driven, Free, Piece
from openfoley.gym.bodies.families import FAMILIES, HELD_OUT_FAMILIES, SPARSE_FAMILIES
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.matter import MATTER
from openfoley.gym.bodies.model import build
from openfoley.gym.bodies.physics import Simulation, simulate
from openfoley.gym.bodies.poses import rotation_matrix
from openfoley.gym.bodies.records import Sphere, Surface
from openfoley.gym.bodies.scene import LARGEST_M, SMALLEST_M
from openfoley.gym.materials import SOLID
from openfoley.gym.motion import GRAVITY
from openfoley.gym.records import Contact, GymObject, Performance, Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import WORLDS, World, seeds_of
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth

DURATION_S, RATE = 8.0, Fraction(24)
SHOTS, SCENES, REPEATS, OBJECTS = 10, 150, 5, 10
INSTANTS, ENTERS = 40, 0.02
"""Of a near miss's shot; a depth in sizes of a typical thing that counts."""
STEPS_S = (0.0005, 0.001)
HEIGHTS_M = np.linspace(0.05, 2.0, 40)
RADIUS_M, RESTITUTION = 0.05, 0.5
PAINT = Surface((0.5, 0.5, 0.5))


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def head(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def share(pairs: np.ndarray) -> str:
    """Of pooled (some, all) of clips [n, 2], with its interval."""
    some, every = pairs.sum(0)
    low, high = ratio_interval(lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1), pairs)
    return f"{some / max(every, 1):.2f} ({low:.2f} .. {high:.2f})"


def contacts_of(simulation: Simulation) -> list[Contact]:
    return events(simulation, impacts(simulation, pair_forces(simulation, 0.0), 0.0))


def families(first: int, shots: int | None) -> None:
    """By family: how many contacts, and the share of them that lies within 0.1 s of another of the shot."""
    head("family", "contacts a shot", "within 0.1 s of another", "N shots")
    pooled: dict[str, list[np.ndarray]] = {"sparse": [], "others": [], "held out": []}
    for name, family in (FAMILIES | HELD_OUT_FAMILIES).items():
        pairs = []
        for seed in seeds_of("train", shots or SHOTS, first, "bodies"):
            rng = np.random.default_rng(seed)
            size_m = float(np.exp(rng.uniform(np.log(SMALLEST_M), np.log(LARGEST_M))))
            play = family(Builder(rng, 0.0, DURATION_S, size_m, SOLID, "o"))
            times = np.array([c.time_s for c in contacts_of(simulate(play.bodies, 0.0, DURATION_S))])
            between = np.concatenate([[np.inf], np.diff(times), [np.inf]])
            close = np.minimum(between[1:], between[:-1])[: len(times)] < GAP_EDGES_S[1]
            pairs.append((close.sum(), len(times)))
        kind = "held out" if name in HELD_OUT_FAMILIES else "sparse" if name in SPARSE_FAMILIES else "others"
        pooled[kind].append(np.array(pairs))
        row(name, f"{np.mean(pooled[kind][-1][:, 1]):.1f}", share(pooled[kind][-1]), len(pairs))
    for kind, found in pooled.items():
        every = np.concatenate(found)
        row(f"all {kind}", f"{every[:, 1].mean():.1f}", share(every), len(every))


def scenes(first: int, count: int | None) -> None:
    """By world: events a scene, what can be seen of them, their gaps, and shots without noise, blur and compression."""
    gaps = [range_words(*edges, "s") for edges in zip(GAP_EDGES_S, GAP_EDGES_S[1:], strict=False)]
    near = [f"visible, nearest other {gap}" for gap in gaps]
    head("world", "CPU s", "contacts", "audible", "audible that are visible", *near, "clean shots", "N")
    for world in WORLDS:
        found = list(_scene_figures(world, first, count or SCENES))
        spent, counts, close, clean = (np.array(column) for column in zip(*found, strict=True))
        shares = [share(np.stack([close[:, k], close.sum(1)], axis=1)) for k in range(len(gaps))]
        means = [f"{counts[:, k].mean():.1f}" for k in range(2)]
        row(world, f"{spent.mean():.2f}", *means, share(counts[:, :0:-1]), *shares, share(clean), len(found))


def misses(first: int, shots: int | None) -> None:
    """By family: near misses that pass through something, and how deep they enter it, in sizes of a typical thing."""
    head("family", "near misses that enter something", "deepest, in sizes", "N shots")
    for name, family in (FAMILIES | HELD_OUT_FAMILIES).items():
        depths = []
        for seed in seeds_of("train", shots or SHOTS, first, "bodies"):
            rng = np.random.default_rng(seed)
            size_m = float(np.exp(rng.uniform(np.log(SMALLEST_M), np.log(LARGEST_M))))
            play = family(Builder(rng, 0.0, DURATION_S, size_m, SOLID, "o", False))
            depths.append(_deepest_m(play.bodies) / size_m)
        entered = np.array([(depth > ENTERS, 1) for depth in depths], dtype=float)
        row(name, share(entered), f"{max(depths):.2f}", len(depths))


def _deepest_m(bodies: Sequence[Body]) -> float:
    """How far a body that is led enters another, over INSTANTS of the shot; 0 if it stays clear of all."""
    import mujoco

    model, simulation = build(bodies), simulate(bodies, 0.0, DURATION_S)
    state, deepest = mujoco.MjData(model.compiled), 0.0
    pairs = [
        (one, other)
        for k, one in enumerate(model.order)
        for other in model.order[k + 1 :]
        if isinstance(one.motion, Driven) and not (one.soft or other.soft)
    ]
    of_body = dict(zip((body.id for body in model.order), model.geoms, strict=True))
    for time_s in np.linspace(0.0, DURATION_S, INSTANTS, endpoint=False):
        for body, motion in zip(model.order, simulation.motions, strict=True):
            place, turn = motion.at(np.array([time_s]))
            for geom in of_body[body.id]:
                matrix = rotation_matrix(turn[0])
                state.geom_xpos[geom] = place[0] + matrix @ model.compiled.geom_pos[geom]
                state.geom_xmat[geom] = (matrix @ rotation_matrix(model.compiled.geom_quat[geom])).ravel()
        for one, other in pairs:
            for a, b in product(of_body[one.id], of_body[other.id]):
                reach = model.compiled.geom_rbound[[a, b]].sum()
                if np.linalg.norm(state.geom_xpos[a] - state.geom_xpos[b]) < reach:
                    deepest = max(deepest, -mujoco.mj_geomDistance(model.compiled, state, a, b, reach, None))
    return deepest


def _scene_figures(world: World, first: int, count: int) -> Iterator[tuple[float, tuple, tuple, tuple]]:
    """Of each scene: processor time of sampling, (contacts, audible, those visible), visible ones by gap, (clean shots,
    shots)."""
    for seed in seeds_of("train", count, first, world):
        begun = time.process_time()
        scene = sample_scene(seed, DURATION_S)
        spent = time.process_time() - begun
        record = truth(scene, render_sound(scene, with_stems=False), RATE)
        scored = from_dict(record)
        contacts = sum("continuous" not in event for event in record["events"])
        near, _ = np.histogram(gaps_s(scored)[scored.visible], [*GAP_EDGES_S[:-1], np.inf])
        clean = sum(not (s.grade.noise or s.grade.blur or s.grade.quantization) for s in scene.shots)
        yield spent, (contacts, len(scored.scored_s), scored.visible.sum()), tuple(near), (clean, len(scene.shots))


def engine(first: int, count: int | None) -> None:
    """First touch and restitution of a dropped ball, by the step."""
    head("step, ms", "first touch late, ms: mean, largest", f"restitution ({RESTITUTION} asked): mean, deviation", "N")
    matter = replace(MATTER["wood"], restitution=RESTITUTION)
    for step_s in STEPS_S:
        late, restitution = [], []
        for height in HEIGHTS_M:
            place = (0.0, float(height) + RADIUS_M, 0.0)
            ball = Body("ball", (Piece(Sphere(RADIUS_M), PAINT),), matter, place, motion=Free(), object_id="o")
            falls_s = float(np.sqrt(2 * height / GRAVITY))
            times = [c.time_s for c in contacts_of(simulate([ball], 0.0, 2.5 * falls_s + 0.1, step_s=step_s))]
            late.append(1000 * (times[0] - falls_s))
            restitution.append((times[1] - times[0]) / 2 / falls_s)
        touch = f"{np.mean(late):+.3f}, {late[int(np.argmax(np.abs(late)))]:+.3f}"
        row(1000 * step_s, touch, f"{np.mean(restitution):.2f}, {np.std(restitution):.3f}", len(late))


def sound(first: int, count: int | None) -> None:
    """Processor time of the sound of 8 s with OBJECTS objects, each contact between two of them."""
    head("contacts", f"mix, CPU s (least of {REPEATS})", "with stems")
    (seed,) = seeds_of("train", 1, first, "bodies")
    sampled = sample_scene(seed, DURATION_S, single_shot=True)
    for contacts in (50, 150, 300):
        scene = crowded(sampled, contacts)
        spent = []
        for stems in (False, True):
            marks = [time.process_time()]
            for _ in range(REPEATS):
                render_sound(scene, with_stems=stems)
                marks.append(time.process_time())
            spent.append(np.diff(marks).min())
        row(contacts, *(f"{one:.2f}" for one in spent))


def crowded(scene: Scene, contacts: int) -> Scene:
    """The scene's only shot with other objects and contacts."""
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.05, 0.4, OBJECTS)
    objects = [GymObject(f"o{k}", "", str(rng.choice(SOLID)), float(size), k, "drop") for k, size in enumerate(sizes)]
    hits = []
    for time_s in np.sort(rng.uniform(0, DURATION_S, contacts)):
        struck, other = (f"o{k}" for k in rng.choice(OBJECTS, 2, replace=False))
        impulse = float(rng.uniform(0.01, 0.6))
        hits.append(Contact(float(time_s), "collide", struck, impulse, (0.0, 0.0, 0.0), partner=other))
    return replace(scene, shots=(replace(scene.shots[0], performances=(Performance(objects, [], hits),)),))


PARTS = {part.__name__: part for part in (families, misses, scenes, engine, sound)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    parser.add_argument("--scenes", type=int)
    parser.add_argument("--first", type=int, default=1000)
    asked = parser.parse_args()
    for name in asked.parts:
        PARTS[name](asked.first, asked.scenes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
