"""The MuJoCo model of described bodies (Todorov, Erez, Tassa 2012; mujoco.readthedocs.io).

Contacts are damped springs in acceleration, so that a blow lasts equally long whatever the masses: with
w = pi / contact_s and damping ratio z, solref = (-w^2 / (1 - z^2), -2 z w / sqrt(1 - z^2)), and constant impedance
keeps both as they are. RESTITUTION is what this integrator makes of z, mean over where in a step the touch falls.
"""
# MuJoCo's extension modules come without stubs:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openfoley.gym.bodies.description import Body, Driven, Fixed, Free, Joint, Piece
from openfoley.gym.bodies.matter import GROUND, Matter, volume
from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Sphere
from openfoley.gym.motion import GRAVITY

if TYPE_CHECKING:
    import mujoco

DAMPING_RATIO = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
RESTITUTION = (0.940, 0.858, 0.742, 0.563, 0.437, 0.345, 0.220)
IMPEDANCE = (0.8, 0.8, 0.001, 0.5, 2.0)
"""MuJoCo's solimp, 0.8 at any depth: with 0.95, contacts at rest open at single steps (log G7)."""
TWISTING_M, ROLLING_M = 0.002, 0.0001
"""Lever arms of the friction that brakes a body that turns on the spot, and one that rolls."""
ASLEEP = 0.002
"""m/s; what is slower for ten steps is not simulated until something touches it: half the cost of most scenes. Jointed
bodies never sleep: a pendulum is slow where it turns."""
DRIVEN_KG = 1e5
"""Of prescribed motions: nothing that they meet slows them down."""
FIXED_GROUP, MOVING_GROUP, DRIVEN_GROUP = 1, 2, 4
"""Bits of contype: fixed and driven bodies pass through each other."""


@dataclass(frozen=True)
class Model:
    """The compiled model and where its bodies are in it. order: bodies as simulated, driven ones first. body_of_geom:
    index into `order` of every geom, len(order) for the ground. geoms: those of a body that collide."""

    compiled: mujoco.MjModel
    order: tuple[Body, ...]
    mj_body: tuple[int, ...]
    body_of_geom: np.ndarray
    geoms: tuple[tuple[int, ...], ...]


def contact_spring(matter: Matter) -> list[float]:
    """MuJoCo's solref for a restitution."""
    ratio = float(np.interp(-matter.restitution, [-e for e in RESTITUTION], DAMPING_RATIO))
    frequency = np.pi / matter.contact_s / np.sqrt(1 - ratio**2)
    return [-float(frequency**2), -float(2 * ratio * frequency)]


def build(bodies: Iterable[Body], *, ground: Matter | None = GROUND, gravity: float = GRAVITY) -> Model:
    """Compile the bodies and the ground plane y = 0 (None: there is none)."""
    import mujoco

    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.gravity = [0.0, -gravity, 0.0]
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    # A plank that spins with 100 rad/s in the air has 16 times its energy after 3 s of MuJoCo's explicit default.
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.iterations, spec.option.tolerance = 20, 1e-6
    spec.option.enableflags, spec.option.sleep_tolerance = int(mujoco.mjtEnableBit.mjENBL_SLEEP), ASLEEP
    order = sorted(bodies, key=lambda b: not isinstance(b.motion, Driven))
    made = {}
    for body in order:
        made[body.id] = _add_body(spec, made[body.parent] if body.parent else spec.worldbody, body)
    if ground is not None:
        plane = spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1])
        plane.quat = [np.sqrt(0.5), -np.sqrt(0.5), 0, 0]  # its normal, z, points along y
        _set_contact(plane, ground, FIXED_GROUP, MOVING_GROUP)
    for body in order:
        for other in body.ignores:
            spec.add_exclude(bodyname1=body.id, bodyname2=other)
    compiled = spec.compile()
    indices = tuple(int(compiled.body(b.id).id) for b in order)
    place = {index: k for k, index in enumerate(indices)}
    body_of_geom = np.array([place.get(int(b), len(order)) for b in compiled.geom_bodyid], dtype=np.int64)
    touching = np.flatnonzero(compiled.geom_contype)
    geoms = tuple(tuple(int(g) for g in touching if body_of_geom[g] == k) for k in range(len(order)))
    _set_losses(compiled, order, indices)
    return Model(compiled, tuple(order), indices, body_of_geom, geoms)


def _add_body(spec: mujoco.MjSpec, parent: mujoco.MjsBody, body: Body) -> mujoco.MjsBody:
    import mujoco

    made = parent.add_body(name=body.id, pos=list(body.place), quat=list(body.turn))
    motion = body.motion
    if isinstance(motion, Driven) or (isinstance(motion, Joint) and motion.servo is not None):
        made.gravcomp = 1.0  # the hand that leads it holds it
    if isinstance(motion, Free | Driven):
        made.add_freejoint(name=body.id)
    elif isinstance(motion, Joint):
        if body.parent is None:  # children sleep with their parents
            made.sleep = mujoco.mjtSleepPolicy.mjSLEEP_NEVER
        kinds = mujoco.mjtJoint
        kind = {"hinge": kinds.mjJNT_HINGE, "slide": kinds.mjJNT_SLIDE, "ball": kinds.mjJNT_BALL}[motion.kind]
        joint = made.add_joint(name=body.id, type=kind, axis=list(motion.axis), pos=list(motion.anchor))
        if motion.angles is not None:
            joint.limited, joint.range = True, list(motion.angles)
            joint.solref_limit = contact_spring(body.matter)
        if motion.servo is not None:
            spec.add_actuator(name=body.id, target=body.id, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    group = FIXED_GROUP if isinstance(motion, Fixed) else DRIVEN_GROUP if isinstance(motion, Driven) else MOVING_GROUP
    meets = MOVING_GROUP if group != MOVING_GROUP else FIXED_GROUP | MOVING_GROUP | DRIVEN_GROUP
    total = sum(volume(p.shape) for p in body.pieces if p.weighs)
    mass = (body.mass_kg or DRIVEN_KG) if isinstance(motion, Driven) else body.mass_kg
    for number, piece in enumerate(body.pieces):
        geom = _add_piece(spec, made, piece, f"{body.id}/{number}")
        geom.density = body.matter.density if piece.weighs else 0.0
        if mass is not None and piece.weighs:
            geom.mass = mass * volume(piece.shape) / total
        if isinstance(motion, Fixed) and any(motion.belt):
            geom.surfacevel = [*motion.belt, 0.0, 0.0, 0.0]
        _set_contact(geom, body.matter, group if piece.touches else 0, meets if piece.touches else 0)
        geom.priority = int(body.soft)
    return made


def _add_piece(spec: mujoco.MjSpec, body: mujoco.MjsBody, piece: Piece, name: str) -> mujoco.MjsGeom:
    import mujoco

    kinds = mujoco.mjtGeom
    frame = {"pos": list(piece.offset), "quat": list(piece.turn)}
    match piece.shape:
        case Sphere(radius):
            return body.add_geom(type=kinds.mjGEOM_SPHERE, size=[radius, 0, 0], **frame)
        case Box(half):
            return body.add_geom(type=kinds.mjGEOM_BOX, size=list(half), **frame)
        case Cylinder(radius, half_length):
            return body.add_geom(type=kinds.mjGEOM_CYLINDER, size=[radius, half_length, 0], **frame)
        case Capsule(radius, half_length):
            return body.add_geom(type=kinds.mjGEOM_CAPSULE, size=[radius, half_length, 0], **frame)
        case Hull(points):
            spec.add_mesh(name=name, uservert=np.array(points, dtype=np.float64).ravel())
            return body.add_geom(type=kinds.mjGEOM_MESH, meshname=name, **frame)


def _set_contact(geom: mujoco.MjsGeom, matter: Matter, group: int, meets: int) -> None:
    geom.contype, geom.conaffinity = group, meets
    geom.solref, geom.solimp = contact_spring(matter), list(IMPEDANCE)
    geom.friction = [matter.friction, TWISTING_M, ROLLING_M]


def _set_losses(model: mujoco.MjModel, order: Sequence[Body], indices: Sequence[int]) -> None:
    """Damping, springs and motors, whose constants follow from the compiled inertias."""
    moving = [i for b, i in zip(order, indices, strict=True) if not isinstance(b.motion, Fixed | Driven)]
    if moving:  # the solver's tolerance is relative to it: the heaviest must not blur the lightest
        model.stat.meaninertia = float(model.body_mass[moving].min())
    for body, index in zip(order, indices, strict=True):
        motion = body.motion
        if isinstance(motion, Free) and motion.spin_loss_s is not None:
            first = int(model.body_dofadr[index])
            model.dof_damping[first + 3 : first + 6] = model.body_inertia[index].mean() / motion.spin_loss_s
        elif isinstance(motion, Joint):
            joint = int(model.body_jntadr[index])
            first, count = int(model.jnt_dofadr[joint]), 3 if motion.kind == "ball" else 1
            inertia = float(model.dof_M0[first : first + count].max())
            if motion.loss_s is not None:
                model.dof_damping[first : first + count] = inertia / motion.loss_s
            model.jnt_stiffness[joint] = inertia * (2 * np.pi * motion.spring_hz) ** 2
            if motion.servo is not None:
                actuator, pull = int(model.actuator(body.id).id), 2 * np.pi * motion.servo.frequency_hz
                model.actuator_gainprm[actuator, 0] = inertia * pull**2
                model.actuator_biasprm[actuator, :3] = [0.0, -inertia * pull**2, -2 * inertia * pull]
                model.actuator_biastype[actuator] = 1  # affine
                model.actuator_forcelimited[actuator] = np.isfinite(motion.servo.limit)
                if np.isfinite(motion.servo.limit):
                    model.actuator_forcerange[actuator] = [-motion.servo.limit, motion.servo.limit]
