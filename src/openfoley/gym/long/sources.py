"""Sources of lasting sounds and their visible parts: rain, fire, a fan, a stream, an engine, somebody walking.

A source is one object for all shots of its place. Its level follows its visible motion: running water, a wheel's speed,
steps. A source that begins or ends inside its place does so visibly.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.actions.stage import Stage
from openfoley.gym.actions.travel import legs
from openfoley.gym.flat import ambience
from openfoley.gym.materials import look_of
from openfoley.gym.records import Contact, Friction, GymObject, Look, Part, Performance, Track

RAMP_S = 1.0
"""In which a source begins or ends inside its place."""
LEVELS = (0.15, 0.5)
"""Of lasting sounds, as the flat world's."""
STEP_JITTER = 0.015
"""Of the time from one step to the next."""
WALK_REACH_M = 0.6
ENGINE_TURNS_HZ = (0.9, 2.4)
"""Of the visible wheel; the sound's lowest tone is `timbre.FIRINGS` times as high."""


@dataclass(frozen=True)
class Span:
    """When a place is shown (s), and where inside that its source begins or ends (None: not inside)."""

    start_s: float
    end_s: float
    begins_s: float | None = None
    ends_s: float | None = None

    @property
    def sounding(self) -> tuple[float, float]:
        return (
            self.start_s if self.begins_s is None else self.begins_s,
            self.end_s if self.ends_s is None else self.ends_s,
        )

    def gate(self, t: np.ndarray) -> np.ndarray:
        """0 where it does not sound, 1 where it does."""
        rise = 1.0 if self.begins_s is None else motion.smooth((t - self.begins_s) / RAMP_S)
        fall = 1.0 if self.ends_s is None else motion.smooth((self.ends_s - t) / RAMP_S)
        return np.ones(len(t)) * rise * fall

    def running(self, t: np.ndarray) -> np.ndarray:
        """Integral of the gate from the place's start on: the time of a thing that starts and stops."""

        def of_smooth(u: np.ndarray) -> np.ndarray:
            """Integral of `motion.smooth` from -infinity to u."""
            inside = np.clip(u, 0.0, 1.0)
            return inside**3 - inside**4 / 2 + np.maximum(u - 1, 0.0)

        if self.begins_s is not None:
            return RAMP_S * of_smooth((t - self.begins_s) / RAMP_S)
        if self.ends_s is not None:
            whole = (self.ends_s - self.start_s) / RAMP_S
            return RAMP_S * (of_smooth(np.full(len(t), whole)) - of_smooth((self.ends_s - t) / RAMP_S))
        return t - self.start_s


Source = Callable[[np.random.Generator, Span, float, str], Performance]
"""source(rng, span, x, id): what it does while its place is shown; x: its place from left to right, m."""


def source_of(kind: str, rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
    return SOURCES[kind](rng, span, x, id)


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _sounds(span: Span, one: GymObject, where: Track, level: Track, turns: Track | None = None) -> Friction:
    return Friction(*span.sounding, one.action, one.id, level, where, clock_s=0.0, turns=turns)


def _weather(kind: str) -> Source:
    """Rain or fire as in the flat world, but for where it begins or ends: there it fades in the picture too."""

    def source(rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
        act = ambience(rng, kind, *span.sounding, id)
        (lasting,) = act.frictions
        height = 1.3 if kind == "rain" else 0.2

        def shown(part: Part) -> Part:
            own = part.opacity
            return replace(part, opacity=lambda t: span.gate(t) * (1.0 if own is None else own(t)))

        def level(t: np.ndarray) -> np.ndarray:
            return lasting.level(t) * span.gate(t)

        where = motion.still((float(lasting.position(np.zeros(1))[0, 0]), height, 1.2))
        sound = _sounds(span, act.objects[0], where, level)
        return replace(act, parts=[shown(part) for part in act.parts], frictions=[sound])

    return source


def fan(rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
    """The flat world's fan; it turns up and runs down where it begins or ends."""
    act = ambience(rng, "fan", *span.sounding, id)
    (lasting,) = act.frictions

    def turned(track: Track) -> Track:
        return lambda t: track(span.running(t))

    parts = [replace(p, position=turned(p.position), angle=p.angle and turned(p.angle)) for p in act.parts]
    level: Track = lambda t: lasting.level(t) * span.gate(t)
    where = motion.still((float(lasting.position(np.zeros(1))[0, 0]), 1.0, 1.2))
    return replace(act, parts=parts, frictions=[_sounds(span, act.objects[0], where, level)])


def stream(rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
    """Water runs from a ledge into a pool: a sheet with drops in it, and foam below."""
    z, height, wide = _uniform(rng, 0.3, 1.1), _uniform(rng, 0.6, 1.2), _uniform(rng, 0.06, 0.14)
    strength, flicker = _uniform(rng, *LEVELS), motion.wander(rng, 0.12, 1.5)
    water = look_of("water", rng, bulge=0.3)
    ledge, foam = look_of("stone", rng, bulge=0.3), Look((0.9, 0.95, 1.0), 0.0, 0.8, 0.0)
    play = Performance(caption="a stream of water runs into a pool")
    play.objects.append(GymObject(id, "stream of water", "water", 0.4, int(rng.integers(2**31)), "stream"))
    sway = motion.wander(rng, 0.008, 4.0)
    play.parts += [
        Part((0.5, 0.02), 0.03, look_of("water", rng, bulge=0.2), motion.still((x, 0.04, z))),
        Part((wide + 0.12, 0.05), 0.04, ledge, motion.still((x, height + 0.1, z + 0.02)), shadow=False),
        Part(
            (wide, height / 2), 0.02, replace(water, waves=(6.0, 40.0, 25.0, 0.0), contrast=0.4, warp=2.0),
            lambda t: motion.points(x + sway(t), 0.06 + height / 2, z), None, span.gate, shadow=False, object_id=id,
        ),
    ]  # fmt: skip
    for _ in range(8):
        aside, phase = _uniform(rng, -wide, wide), _uniform(rng, 0, 1)
        period = float(np.sqrt(2 * height / motion.GRAVITY))
        fallen = lambda t, phase=phase, period=period: (t / period + phase) % 1
        track = lambda t, aside=aside, fallen=fallen: motion.points(
            x + aside, 0.06 + height * (1 - fallen(t) ** 2), z - 0.01
        )
        play.parts.append(Part((0.0, 0.03), 0.012, foam, track, None, lambda t: 0.9 * span.gate(t), shadow=False))
    splash = motion.wander(rng, 0.35, 6.0)
    play.parts.append(
        Part(
            (wide + 0.08, 0.0), 0.035, foam, motion.still((x, 0.08, z - 0.02)), None,
            lambda t: span.gate(t) * np.clip(0.6 + splash(t), 0.15, 1.0), shadow=False,
        )
    )  # fmt: skip

    def level(t: np.ndarray) -> np.ndarray:
        return strength * span.gate(t) * np.clip(1 + flicker(t), 0.5, 1.5)

    play.frictions.append(_sounds(span, play.objects[0], motion.still((x, 0.1, z)), level))
    return play


def engine(rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
    """A motor with a wheel: its body shakes, its pitch and level follow the wheel's speed, which drifts."""
    z, size = _uniform(rng, 0.3, 1.1), _uniform(rng, 0.3, 0.55)
    rate, strength = _uniform(rng, *ENGINE_TURNS_HZ), _uniform(rng, *LEVELS)
    speed, passed = _drift(rng, 0.15, 0.12)
    play = Performance(caption="an engine runs")
    play.objects.append(GymObject(id, "engine", "steel", size, int(rng.integers(2**31)), "engine"))

    def turns(t: np.ndarray) -> np.ndarray:
        running = span.running(t)
        return rate * (running + passed(running))

    def shaken(t: np.ndarray) -> np.ndarray:
        """Twice a turn, up and down."""
        return 0.012 * span.gate(t) * np.sin(4 * np.pi * turns(t))

    hub = (x + 0.8 * size, 0.2 + 0.5 * size, z - 0.03)
    spoke = look_of("steel", rng, bulge=0.8)
    play.parts += [
        Part((0.6 * size, 0.4 * size), 0.03, look_of("plastic", rng, bulge=0.4),
             lambda t: motion.points(x, 0.1 + 0.5 * size + shaken(t), z), object_id=id),
        Part((0.04, 0.25 * size), 0.02, look_of("steel", rng, bulge=0.4),
             lambda t: motion.points(x - 0.4 * size, 0.15 + 1.2 * size + shaken(t), z + 0.01), shadow=False),
        Part((0, 0), 0.42 * size, look_of("rubber", rng, bulge=0.2), motion.still(hub), lambda t: 2 * np.pi * turns(t)),
    ]  # fmt: skip
    for k in range(2):
        angle: Track = lambda t, k=k: 2 * np.pi * turns(t) + np.pi / 2 * k
        play.parts.append(
            Part((0.36 * size, 0.0), 0.025, spoke, motion.still((*hub[:2], z - 0.05)), angle, shadow=False)
        )
    play.parts += [_puff(rng, span, turns, (x - 0.4 * size, 0.2 + 1.5 * size, z), number / 3) for number in range(3)]

    def level(t: np.ndarray) -> np.ndarray:
        return strength * span.gate(t) * np.clip(1 + 1.5 * speed(span.running(t)), 0.4, 1.6)

    play.frictions.append(_sounds(span, play.objects[0], motion.still((x, 0.4, z)), level, turns))
    return play


def _drift(rng: np.random.Generator, scale: float, fastest_hz: float) -> tuple[Track, Track]:
    """A slow random curve around 0, and its integral."""
    rates, phases = rng.uniform(0.02, fastest_hz, 3), rng.uniform(0, 2 * np.pi, 3)
    sizes, omega = scale * rng.uniform(0.3, 1.0, 3) / 2, 2 * np.pi * rates

    def value(t: np.ndarray) -> np.ndarray:
        return np.sum(sizes[:, None] * np.sin(omega[:, None] * t[None] + phases[:, None]), axis=0)

    def integral(t: np.ndarray) -> np.ndarray:
        cosine = np.cos(omega[:, None] * t[None] + phases[:, None]) - np.cos(phases)[:, None]
        return np.sum(-sizes[:, None] / omega[:, None] * cosine, axis=0)

    return value, integral


def _puff(rng: np.random.Generator, span: Span, turns: Track, start: tuple[float, float, float], phase: float) -> Part:
    """Smoke that rises once a turn and fades."""
    aside = _uniform(rng, -0.15, 0.15)
    grey = Look((0.5, 0.5, 0.5), 0, 0.5, 0)

    def risen(t: np.ndarray) -> np.ndarray:
        return (turns(t) / 2 + phase) % 1

    def where(t: np.ndarray) -> np.ndarray:
        return np.array(start) + motion.points(aside * risen(t), 0.4 * risen(t), 0.0)

    return Part((0, 0), 0.05, grey, where, None, lambda t: 0.6 * span.gate(t) * (1 - risen(t)), shadow=False)


def walk(rng: np.random.Generator, span: Span, x: float, id: str) -> Performance:
    """Somebody walks to and fro at a steady pace; every step is an event."""
    first, last = span.sounding
    step, stride = _uniform(rng, 0.42, 0.66), _uniform(rng, 0.12, 0.25)
    material = str(rng.choice(["wood", "stone", "gravel", "rubber"]))
    s = Stage(
        rng, span.start_s, span.end_s, x, _uniform(rng, -0.1, 0.9), _uniform(rng, 0.28, 0.5), material, "wood", id
    )
    count = max(int((last - first - 0.1) / step) - 1, 1)
    plants = first + 0.05 + step * (1 + np.arange(count) + rng.uniform(-STEP_JITTER, STEP_JITTER, count))
    way = np.arange(count) * stride + rng.uniform(0, 2 * WALK_REACH_M)
    places = x * 0.5 - WALK_REACH_M + np.abs((way % (4 * WALK_REACH_M)) - 2 * WALK_REACH_M)
    play = Performance(caption=f"somebody walks on and on in {material} shoes")
    play.objects.append(s.thing("footsteps", f"{material} shoes"))
    looks = (s.look(bulge=0.5), s.look("plastic" if rng.random() < 0.5 else "rubber"))
    play.parts += legs(s, plants, places, step, s.size_m * _uniform(rng, 1.6, 2.4), looks)
    strength = _uniform(rng, 0.2, 0.45)
    force = strength * rng.uniform(0.8, 1.25, count)
    for time, place, f in zip(plants, places, force, strict=True):
        play.contacts.append(Contact(float(time), "footsteps", id, float(f), (float(place), 0.0, s.z), 2, 0.025))
    return play


SOURCES: dict[str, Source] = {
    "rain": _weather("rain"),
    "fire": _weather("fire"),
    "fan": fan,
    "stream": stream,
    "engine": engine,
    "walk": walk,
}
