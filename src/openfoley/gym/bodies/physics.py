"""Simulation of described bodies: poses, and every contact of every step with its force."""
# MuJoCo's extension modules come without stubs:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from openfoley.errors import require_package
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Fixed, Free, Joint
from openfoley.gym.bodies.matter import GROUND, Matter
from openfoley.gym.bodies.model import Model, build
from openfoley.gym.bodies.records import Motion
from openfoley.gym.motion import GRAVITY

if TYPE_CHECKING:
    import mujoco

FINE_STEP_S, COARSE_STEP_S, DRIVEN_STEP_S = 0.0005, 0.001, 0.002
FEW_BODIES = 16
"""Up to as many moving bodies are simulated with the fine step: 8 s of 6 balls cost 0.15 CPU s with it, 15 boxes 0.9
(0.45 with the coarse one). Where all that moves is driven, nothing can touch, and poses are all that is needed."""
POSE_RATE_HZ = 500.0
STILL_SPEED, STILL_CHECK_S, STILL_CHECKS = 0.01, 0.05, 5
"""m/s or rad/s; a simulation ends when all bodies were slower at as many checks in a row, and nothing is to come."""
WAKES = 1e-12
"""Any speed but 0 wakes a body that fell asleep while it was held."""


@dataclass(frozen=True)
class Touches:
    """Contacts of all steps, in order: time (s), the two bodies (indices into Simulation.bodies, len(bodies) is the
    ground), normal force (N), how far they overlap (m), place and normal (from the first body to the second)."""

    time_s: np.ndarray
    first: np.ndarray
    second: np.ndarray
    force: np.ndarray
    overlap: np.ndarray
    position: np.ndarray
    normal: np.ndarray


@dataclass(frozen=True)
class Simulation:
    """motions and masses (kg; infinite where nothing gives way) follow the order of `bodies`. last_step: at which it
    ended. stable: False where the solver failed, so that the motions are not to be used."""

    bodies: tuple[Body, ...]
    motions: tuple[Motion, ...]
    masses: np.ndarray
    touches: Touches
    step_s: float
    last_step: int
    stable: bool


@dataclass(frozen=True)
class _Run:
    """Poses of the bodies at every so many steps, positions [n, bodies, 3] and rotations [n, bodies, 4]; the other
    fields as in Simulation."""

    positions: np.ndarray
    rotations: np.ndarray
    touches: Touches
    last_step: int
    stable: bool


@dataclass(frozen=True)
class _Script:
    """What is imposed on the simulation: poses and velocities of driven bodies and targets of motors, by step; bodies
    that are held until a time; when bodies appear and disappear."""

    positions: np.ndarray  # [steps, 7 * driven]
    velocities: np.ndarray  # [steps, 6 * driven]
    targets: np.ndarray  # [steps, motors]
    releases: list[tuple[float, slice, slice, np.ndarray]]  # time, in qpos, in qvel, velocity
    switches: list[tuple[float, tuple[int, ...], bool]]  # time, geoms, whether they collide from then on


class _Log:
    """Contacts of all steps as MuJoCo gives them; they are joined and read at the end, once for all."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._contacts: list[tuple[np.ndarray, ...]] = []  # geoms, distance, position, frame, address of the force
        self._forces: list[np.ndarray] = []

    def add(self, step: int, contact: mujoco.MjContact, forces: np.ndarray) -> None:
        """Contacts of a step; forces: of all its constraints."""
        self._steps.append(step)
        self._contacts.append(
            (
                contact.geom.copy(),
                contact.dist.copy(),
                contact.pos.copy(),
                contact.frame.copy(),
                contact.efc_address.copy(),
            )
        )
        self._forces.append(forces.copy())

    def touches(self, model: Model, times: np.ndarray) -> Touches:
        if not self._steps:
            none = np.zeros(0)
            index = np.zeros(0, dtype=np.int64)
            return Touches(none, index, index, none, none, np.zeros((0, 3)), np.zeros((0, 3)))
        counts = [len(geoms) for geoms, *_ in self._contacts]
        geoms, distance, position, frame, address = map(np.concatenate, zip(*self._contacts, strict=True))
        # The first row of an elliptic contact is its normal. Contacts without rows (address -1) have no force.
        first = np.cumsum([0, *map(len, self._forces)])[:-1]
        forces = np.concatenate([*self._forces, [0.0]])
        force = np.where(address >= 0, forces[np.where(address >= 0, np.repeat(first, counts) + address, -1)], 0.0)
        pair = model.body_of_geom[geoms]
        time_s = times[np.repeat(self._steps, counts)]
        return Touches(time_s, pair[:, 0], pair[:, 1], force, -distance, position, frame[:, :3])


def simulate(
    bodies: Sequence[Body],
    start_s: float,
    end_s: float,
    *,
    ground: Matter | None = GROUND,
    gravity: float = GRAVITY,
    step_s: float | None = None,
) -> Simulation:
    """Simulate from start_s to end_s, or until all is at rest. Raises UsageError without MuJoCo."""
    require_package("mujoco", "gym", "the Gym's world of bodies")
    with _failures_without_a_log():
        model = build(bodies, ground=ground, gravity=gravity)
    loose = sum(isinstance(b.motion, Free | Joint) for b in model.order)
    step_s = step_s or (DRIVEN_STEP_S if not loose else FINE_STEP_S if loose <= FEW_BODIES else COARSE_STEP_S)
    model.compiled.opt.timestep = step_s
    times = start_s + step_s * np.arange(int(np.ceil((end_s - start_s) / step_s)) + 1)
    script = _script(model, times)
    every = max(1, round(1 / (POSE_RATE_HZ * step_s)))
    with _failures_without_a_log():
        run = _run(model, times, script, every)
    motions = []
    for k, body in enumerate(model.order):
        last = 1 if isinstance(body.motion, Fixed) else len(run.positions)
        motions.append(Motion(run.positions[:last, k], run.rotations[:last, k], start_s, 1 / (every * step_s)))
    masses = [
        np.inf if isinstance(b.motion, Fixed | Driven) else float(model.compiled.body_mass[i])
        for b, i in zip(model.order, model.mj_body, strict=True)
    ]
    masses = np.array([*masses, np.inf])
    return Simulation(model.order, tuple(motions), masses, run.touches, step_s, run.last_step, run.stable)


@contextmanager
def _failures_without_a_log() -> Iterator[None]:
    """MuJoCo writes its warnings into a file in the working folder unless somebody takes them."""
    import mujoco

    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)


def _failed(state: mujoco.MjData) -> bool:
    """Whether the solver has met infinite or huge values; it begins anew from the first pose then."""
    import mujoco

    kinds = mujoco.mjtWarning
    return any(
        state.warning[kind].number for kind in (kinds.mjWARN_BADQPOS, kinds.mjWARN_BADQVEL, kinds.mjWARN_BADQACC)
    )


def _script(model: Model, times: np.ndarray) -> _Script:
    step_s, start_s = float(times[1] - times[0]), float(times[0])
    poses, speeds, targets, releases, switches = [], [], [], [], []
    compiled = model.compiled
    for body, index, geoms in zip(model.order, model.mj_body, model.geoms, strict=True):
        motion = body.motion
        if isinstance(motion, Driven):
            position, turn = motion.path(times)
            local = rotation.rotate(turn * np.array([1, -1, -1, -1]), rotation.spins(turn, step_s))
            velocity = np.diff(position, axis=0, append=position[-1:]) / step_s
            poses.append(np.concatenate([position, turn], axis=1))
            speeds.append(np.concatenate([velocity, local], axis=1))
        elif isinstance(motion, Free | Joint):
            joint = int(compiled.body_jntadr[index])
            q, v = int(compiled.jnt_qposadr[joint]), int(compiled.jnt_dofadr[joint])
            begin = _first_velocity(body)
            size = 7 if len(begin) == 6 else 4 if len(begin) == 3 else 1
            releases.append((max(motion.release_s, start_s), slice(q, q + size), slice(v, v + len(begin)), begin))
            if isinstance(motion, Joint) and motion.servo is not None:
                angle, pull = motion.servo.angle(times), 2 * np.pi * motion.servo.frequency_hz
                targets.append(angle + np.gradient(angle, step_s) * 2 / pull)  # so that it does not lag
        for time_s, there in ((body.shown[0], True), (body.shown[1], False)):
            if time_s > start_s and geoms and np.isfinite(time_s):
                switches.append((time_s, geoms, there))
    count = len(times)
    empty = np.zeros((count, 0))
    return _Script(
        np.concatenate([empty, *poses], axis=1),
        np.concatenate([empty, *speeds], axis=1),
        np.stack(targets, axis=1) if targets else empty,
        sorted(releases, key=lambda r: r[0]),
        sorted(switches, key=lambda s: s[0]),
    )


def _first_velocity(body: Body) -> np.ndarray:
    """As MuJoCo has it: a free body's spin is along its own axes."""
    motion = body.motion
    if isinstance(motion, Free):
        spin = rotation.rotate(np.array(body.turn) * np.array([1, -1, -1, -1]), np.array(motion.spin))
        return np.concatenate([motion.velocity, spin])
    assert isinstance(motion, Joint)
    return np.asarray(motion.axis) * motion.velocity if motion.kind == "ball" else np.array([motion.velocity])


def _run(model: Model, times: np.ndarray, script: _Script, every: int) -> _Run:
    """Simulate all steps, or until all is at rest or the solver fails; with poses at every `every`-th step."""
    import mujoco

    compiled = model.compiled
    state = mujoco.MjData(compiled)
    groups = compiled.geom_contype.copy(), compiled.geom_conaffinity.copy()
    for geoms in (g for _, g, there in script.switches if there):
        _switch(compiled, groups, geoms, False)
    releases, switches = list(script.releases), list(script.switches)
    for body, index in zip(model.order, model.mj_body, strict=True):
        if isinstance(body.motion, Joint) and body.motion.start:
            state.qpos[compiled.jnt_qposadr[compiled.body_jntadr[index]]] = body.motion.start
    first_pose = state.qpos.copy()
    step_s, bodies = float(times[1] - times[0]), list(model.mj_body)
    q, v = script.positions.shape[1], script.velocities.shape[1]
    busy_until = max([r[0] for r in releases] + [s[0] for s in switches] + [_last_change(script, times)], default=0.0)
    check = max(1, round(STILL_CHECK_S / step_s))
    step, still, k = mujoco.mj_step, 0, 0
    log = _Log()
    positions, rotations = [], []
    for k, time_s in enumerate(times):
        if q:
            state.qpos[:q], state.qvel[:v] = script.positions[k], script.velocities[k]
        if script.targets.shape[1]:
            state.ctrl[:] = script.targets[k]
        while releases and releases[0][0] <= time_s + 1e-9:
            _, _, slow, velocity = releases.pop(0)
            state.qvel[slow] = velocity + WAKES
        for _, held, slow, _ in releases:
            state.qpos[held], state.qvel[slow] = first_pose[held], 0.0
        while switches and switches[0][0] <= time_s + 1e-9:
            _, geoms, there = switches.pop(0)
            _switch(compiled, groups, geoms, there)
        step(compiled, state)
        # Contacts and poses are those of the step's beginning.
        if state.ncon:
            log.add(k, state.contact, state.efc_force)
        if k % every == 0:
            positions.append(state.xpos[bodies])
            rotations.append(state.xquat[bodies])
        if k % check == 0 and _failed(state):
            break
        if k % check == 0 and time_s > busy_until:
            still = still + 1 if compiled.nv == v or np.abs(state.qvel[v:]).max() < STILL_SPEED else 0
            if still >= STILL_CHECKS:
                break
    return _Run(np.array(positions), np.array(rotations), log.touches(model, times), k, not _failed(state))


def _switch(compiled: mujoco.MjModel, groups: tuple[np.ndarray, np.ndarray], geoms: Sequence[int], there: bool) -> None:
    for geom in geoms:
        compiled.geom_contype[geom] = groups[0][geom] if there else 0
        compiled.geom_conaffinity[geom] = groups[1][geom] if there else 0


def _last_change(script: _Script, times: np.ndarray) -> float:
    """When the last driven body stops and the last motor's target comes to rest."""
    moves = np.abs(script.velocities).max(axis=1, initial=0.0) > 1e-9
    moves |= np.abs(np.diff(script.targets, axis=0, append=script.targets[-1:])).max(axis=1, initial=0.0) > 1e-9
    return float(times[np.flatnonzero(moves)[-1]]) if moves.any() else float(times[0])
