"""Sampling a scene of solid bodies from a seed: mechanisms, clutter, cameras, light. The seed decides everything."""

from dataclasses import dataclass, replace

import numpy as np

from openfoley.errors import UsageError
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.cameras import Subject
from openfoley.gym.bodies.contacts import events, impacts, pair_forces
from openfoley.gym.bodies.description import Body, Fixed
from openfoley.gym.bodies.families import FAMILIES, HELD_OUT_FAMILIES, SPARSE_FAMILIES
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism, moved
from openfoley.gym.bodies.framing import Activity, choose_camera
from openfoley.gym.bodies.lasting import frictions
from openfoley.gym.bodies.physics import Simulation, simulate
from openfoley.gym.bodies.poses import reach
from openfoley.gym.bodies.records import Light, Motion, Solid, Stage
from openfoley.gym.bodies.surfaces import any_light, any_sky, any_surface
from openfoley.gym.bodies.surroundings import Region, clutter, distractors, occluder, table
from openfoley.gym.captions import scene_captions
from openfoley.gym.materials import HELD_OUT_MATERIALS, SOLID
from openfoley.gym.records import Camera, Contact, Friction, Grade, Look, Performance, Scene, Shot
from openfoley.gym.seeds import Split
from openfoley.gym.shots import CUT_MARGIN_S, shot_end

STREAM = 20261129
"""Of random numbers: another one than the flat world's."""
SILENT_SHARE, TWO_FAMILIES_SHARE = 0.14, 0.3
NEAR_MISS_SHARE = 0.35
"""Of second families in scenes that sound: the scene must not tell whether what nearly touches does."""
TABLE_SHARE, OCCLUDER_SHARE, PLAIN_GROUND_SHARE = 0.3, 0.15, 0.4
CLEAN_SHARE, MOTION_BLUR_SHARE = 0.6, 0.3
MOST_NOISE, MOST_BLUR, COARSEST = 0.035, 0.9, 0.05
"""Strengths (`Grade`) of noise, blur and compression when one of them takes the whole budget of a shot."""
SMALLEST_M, LARGEST_M = 0.03, 0.35
"""Of typical things."""
SHOT_TRIES = 4
"""A silent shot whose near miss touches something after all, another in which nothing does, one whose simulation fails,
or one of which no camera sees LEAST_SEEN of what it should, is sampled anew this often; then nothing moves but
distractors."""
LEAST_SEEN, INSTANTS = 0.5, 24


@dataclass(frozen=True)
class _Span:
    start_s: float
    end_s: float
    number: int
    heldout: bool
    silent: bool
    aspect: float
    several: bool


@dataclass(frozen=True)
class _Simulated:
    """What happened in a shot. families: of the mechanisms; size_m: of a typical thing."""

    families: list[str]
    mechanisms: list[Mechanism]
    simulation: Simulation
    contacts: list[Contact]
    frictions: list[Friction]
    region: Region
    size_m: float


def sample_bodies_scene(
    seed: int,
    duration_s: float,
    *,
    split: Split = "train",
    silent: bool | None = None,
    aspect: float | None = None,
    single_shot: bool = False,
    several: bool = False,
) -> Scene:
    """The scene of `seed`, as `openfoley.gym.scene.sample_scene`: shots with a stage of solids, contacts simulated.
    several: two mechanisms in each shot, both of which may sound.

    Raises UsageError for a duration <= 0 and where MuJoCo is not installed."""
    if not duration_s > 0:
        raise UsageError(f"duration must be > 0 s, got {duration_s}")
    rng = np.random.default_rng([seed, STREAM])
    silent = bool(rng.random() < SILENT_SHARE) if silent is None else silent
    any_aspect = float(rng.choice([16 / 9, 4 / 3, 1.0, 2.0, 9 / 16], p=[0.45, 0.2, 0.2, 0.1, 0.05]))
    aspect = aspect or any_aspect
    shots, start_s = [], 0.0
    while start_s < duration_s - 1e-9:
        end_s = duration_s if single_shot else shot_end(rng, start_s, duration_s)
        span = _Span(start_s, end_s, len(shots), split == "heldout", silent, aspect, several)
        shots.append(_sample_shot(rng, span))
        start_s = end_s
    captions = scene_captions([p for shot in shots for p in shot.performances], rng)
    gain_db = float(rng.uniform(-8, 0))
    return Scene(seed, split, duration_s, aspect, gain_db, tuple(shots), captions[0], captions)


def _sample_shot(rng: np.random.Generator, span: _Span) -> Shot:
    done, camera, subject = _simulate_with_camera(rng, span)
    performances = []
    for family, mechanism in zip(done.families, done.mechanisms, strict=True):
        names = {o.id for o in mechanism.objects}
        contacts = [c for c in done.contacts if c.object_id in names and c.time_s < span.end_s - CUT_MARGIN_S]
        lasting = [f for f in done.frictions if f.object_id in names]
        performances.append(Performance(mechanism.objects, [], contacts, lasting, mechanism.caption, family))
    solids = [*_solids(done.simulation), *distractors(rng, done.region)]
    if rng.random() < OCCLUDER_SHARE:
        solids.append(occluder(rng, np.median(subject.places, axis=0), subject.middle_s, camera))
    light = any_light(rng)
    horizon, zenith = any_sky(rng)
    ground = any_surface(rng, done.region.radius * 0.3)
    if rng.random() < PLAIN_GROUND_SHARE:
        ground = replace(ground, pattern="plain", contrast=0.0)
    stage = Stage(tuple(solids), light, ground, horizon, zenith)
    room = (float(rng.uniform(0.08, 0.9)), float(rng.uniform(0.02, 0.25)))
    grade = _sample_grade(rng, span.heldout, light)
    return Shot(span.start_s, span.end_s, camera, grade, tuple(performances), *room, stage)


def _simulate_with_camera(rng: np.random.Generator, span: _Span) -> tuple[_Simulated, Camera, Subject]:
    """What happens, and a camera that sees it."""
    times = np.linspace(span.start_s, span.end_s, INSTANTS, endpoint=False)
    tries = 0
    while True:
        last = tries == SHOT_TRIES
        done = _simulate(rng, span, empty=last)
        tries += 1
        wrong = bool(done.contacts or done.frictions) if span.silent else not done.contacts
        if not last and (wrong or not done.simulation.stable):
            continue
        subject = Subject(_busy_places(done), done.size_m, (span.start_s + span.end_s) / 2, done.region.floor)
        activity = Activity(_solids(done.simulation), _moving(done.simulation), done.contacts, times)
        camera, seen = choose_camera(rng, subject, span.aspect, activity)
        if seen >= LEAST_SEEN or last:
            return done, camera, subject


def _simulate(rng: np.random.Generator, span: _Span, *, empty: bool) -> _Simulated:
    """Build one or two families' mechanisms (none: `empty`) and what stands around them, and let them run."""
    families = HELD_OUT_FAMILIES if span.heldout else FAMILIES
    materials = SOLID + HELD_OUT_MATERIALS * 4 if span.heldout else SOLID
    drawn = [*families, *(name for name in families if name in SPARSE_FAMILIES)]
    count = 0 if empty else 2 if rng.random() < TWO_FAMILIES_SHARE or span.several else 1
    size_m = float(np.exp(rng.uniform(np.log(SMALLEST_M), np.log(LARGEST_M))))
    floor = float(rng.uniform(0.3, 0.9)) if rng.random() < TABLE_SHARE else 0.0
    chosen: list[str] = []
    mechanisms: list[Mechanism] = []
    bodies: list[Body] = []
    for k in range(count):
        sounds = not span.silent and (k == 0 or rng.random() > NEAR_MISS_SHARE or span.several)
        builder = Builder(rng, span.start_s, span.end_s, size_m, materials, f"object{span.number}{k}", sounds)
        chosen.append(str(rng.choice(drawn)))
        mechanisms.append(families[chosen[-1]](builder))
    beside = [0.0] if count < 2 else [-1.1 * mechanisms[0].radius, 1.1 * mechanisms[1].radius]
    for mechanism, x in zip(mechanisms, beside, strict=False):
        turn = rotation.about((0, 1, 0), float(rng.choice([0.0, np.pi]) + rng.normal(0, 0.25)))
        shift = (x, floor, float(rng.normal(0, 0.3) * mechanism.radius) * (count > 1))
        bodies += [moved(body, turn, shift) for body in mechanism.bodies]
    radius = sum(m.radius for m in mechanisms) or 4 * size_m
    height = max((m.height for m in mechanisms), default=radius)
    region = Region((sum(beside), floor, 0.0), radius, height, floor, span.start_s, span.end_s)
    bodies += clutter(rng, region, size_m, f"clutter{span.number}")
    if floor:
        bodies += table(rng, region, f"table{span.number}")
    simulation = simulate(bodies, span.start_s, span.end_s)
    return _Simulated(chosen, mechanisms, simulation, *sounds_of(simulation, span.start_s), region, size_m)


def sounds_of(simulation: Simulation, start_s: float) -> tuple[list[Contact], list[Friction]]:
    """Events and lasting sounds of a simulation that begins at start_s."""
    pairs = pair_forces(simulation, start_s)
    return events(simulation, impacts(simulation, pairs, start_s)), frictions(simulation, pairs, start_s)


def _busy_places(done: _Simulated) -> np.ndarray:
    """Places [n, 3] of bodies while they move, and of contacts; those that left the region count little."""
    region, found = done.region, [np.array([c.position for c in done.contacts]).reshape(-1, 3)]
    for body, motion in zip(done.simulation.bodies, done.simulation.motions, strict=True):
        place = motion.position[:: max(1, len(motion.position) // 100)]
        moves = np.linalg.norm(np.diff(place, axis=0), axis=1) > 0.02 * done.size_m
        if not isinstance(body.motion, Fixed):
            found.append(place[1:][moves])
    places = np.concatenate(found)
    away = np.linalg.norm((places - np.array(region.middle))[:, [0, 2]], axis=1)
    near = places[(away < 1.5 * region.radius) & (places[:, 1] > region.floor - 0.1)]
    if len(near) < 5:
        return np.array(region.middle) + region.radius * np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.5, 0]])
    return near


def _solids(simulation: Simulation) -> list[Solid]:
    return [
        solid
        for body, motion in zip(simulation.bodies, simulation.motions, strict=True)
        for solid in _seen_pieces(body, motion)
    ]


def _moving(simulation: Simulation) -> list[Solid]:
    """The largest piece of each body that moves."""
    found = []
    for body, motion in zip(simulation.bodies, simulation.motions, strict=True):
        pieces = _seen_pieces(body, motion)
        if pieces and not isinstance(body.motion, Fixed):
            found.append(max(pieces, key=lambda solid: reach(solid.shape)))
    return found


def _seen_pieces(body: Body, motion: Motion) -> list[Solid]:
    return [
        Solid(piece.shape, piece.surface, motion, piece.offset, piece.turn, body.shown, body.id)
        for piece in body.pieces
        if piece.seen
    ]


def _sample_grade(rng: np.random.Generator, heldout: bool, light: Light) -> Grade:
    """Camera and compression; the ground and the light of the flat world are not used."""
    tint = 1 + rng.uniform(-0.12, 0.12, 3)
    saturation = float(rng.choice([1.0, rng.uniform(0.3, 1.0), 0.0], p=[0.6, 0.35, 0.05]))
    if heldout:
        saturation, tint = float(rng.choice([0.0, 1.3])), 1 + rng.uniform(-0.3, 0.3, 3)
    # One budget for all that hides small things: at most one of the three is near its worst.
    spoilt = 0.0 if rng.random() < CLEAN_SHARE else rng.uniform(0.1, 1.0)
    noise, blur, coarse = (float(share) for share in spoilt * rng.dirichlet((0.7, 0.7, 0.7)))
    bare = Look((0.5, 0.5, 0.5))
    return Grade(
        light=light.direction,
        ambient=0.5,
        floor=bare,
        wall=bare,
        wall_z=4.0,
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        gamma=float(rng.uniform(0.75, 1.3)),
        noise=MOST_NOISE * noise,
        blur=MOST_BLUR * blur,
        quantization=COARSEST * coarse,
        motion_blur=bool(rng.random() < MOTION_BLUR_SHARE),
        saturation=saturation,
        outline=False,
        shadow=0.4,
    )
