"""Chains of links that hang: they swing against a post or a panel, or are lowered on a plate, link by link."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Joint, Piece, Servo
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.parts import cord, hand, rod
from openfoley.gym.bodies.matter import Matter, volume
from openfoley.gym.bodies.records import Box, Sphere, Surface, Vector
from openfoley.gym.records import Track

MATERIALS = {
    "loop": ("steel", "plastic", "brass"),
    "bead": ("wood", "glass", "stone", "ceramic", "plastic", "clay"),
    "bar": ("steel", "wood", "plastic", "ceramic", "brass"),
}
SMALLEST_LINK_M = 0.03
"""A shorter one would be dented beyond its middle by what it meets."""
BEND = {"loop": 1.5, "bead": 1.1, "bar": 1.4}
"""rad: how far two links can turn against each other, so that they do not pass through each other."""
LED_HZ = 10.0
"""Of the spring by which a hand leads the uppermost link."""
HELD = Matter(2000, 0.5, 0.3)
"""Of what leads a chain; the motor's force follows the mass that it moves."""
STANDS_M = 0.02
"""Half the thickness of what a chain meets, at least."""
CLEAR = (0.3, 1.0)
"""Distance of a near miss, in lengths of a link."""


@dataclass(frozen=True)
class _Chain:
    """pitch: from a link to the next; thin: half the width of a link (m). kind: key of MATERIALS."""

    kind: str
    count: int
    pitch: float
    thin: float
    material: str
    matter: Matter
    paint: Surface
    object_id: str

    @property
    def long(self) -> float:
        return self.count * self.pitch

    @property
    def reach(self) -> float:
        """How far its lowest point is from where it hangs, straight."""
        below = {"loop": 0.3 * self.thin, "bead": self.thin - self.pitch / 2, "bar": -0.35 * self.thin}[self.kind]
        return self.long + below


def chains(builder: Builder) -> Mechanism:
    """One chain. Silent: it swings past what it could meet, or stops short of it."""
    p, play = builder, Mechanism()
    kind = p.pick(tuple(MATERIALS))
    link = max(p.size_m * p.uniform(0.35, 0.7), SMALLEST_LINK_M)
    wide = {"loop": 0.3, "bead": 0.42, "bar": p.uniform(0.12, 0.18)}[kind]
    material, count = p.material(*MATERIALS[kind]), p.count(5, 9)
    thing = p.thing("rattle", "chain", material, link)
    play.objects = [thing]
    matter, paint = p.matter(material), p.surface(material, link)
    chain = _Chain(kind, count, link, link * wide, material, matter, paint, thing.id)
    play.caption = (_lowered if p.chance(0.45) else _swung)(p, play, chain)
    return play


def _link(builder: Builder, chain: _Chain, number: int) -> tuple[Piece, ...]:
    """About its middle; it hangs from (0, pitch / 2, 0), and the next from (0, -pitch / 2, 0)."""
    p, half, r = builder, chain.pitch / 2, chain.thin
    if chain.kind == "bead":
        line = cord((0, -half, 0), (0, half, 0), r * 0.2, p)
        return (Piece(Sphere(r), chain.paint), line)
    if chain.kind == "bar":
        end = half - 1.35 * r  # of its axis: bent by BEND, two do not meet
        line = cord((0, -half, 0), (0, half, 0), r * 0.3, p)
        return (rod((0, -end - r, 0), (0, end + r, 0), r, chain.paint), line)
    wire = r * 0.3
    side = r - wire
    across = (1.0, 0.0) if number % 2 else (0.0, 1.0)
    ends = [(across[0] * s * side, across[1] * s * side) for s in (-1, 1)]
    high = half + wire  # links hold each other by their ends, whose middles are one wire beyond the joint
    long = [rod((x, -high, z), (x, high, z), wire, chain.paint) for x, z in ends]
    short = [
        rod((ends[0][0], y, ends[0][1]), (ends[1][0], y, ends[1][1]), wire, chain.paint, touches=False)
        for y in (-high + wire, high - wire)
    ]
    return (*long, *short)


def _links(
    builder: Builder, chain: _Chain, top: Vector, lean: float, release_s: float, parent: str | None
) -> list[Body]:
    """Hung from `top` (in the parent's axes, if there is one), straight, leaning by `lean` (rad) about z. They are held
    until release_s."""
    p, half, bodies = builder, chain.pitch / 2, []
    loss_s, bend = p.scaled(1.0, 5.0), (0.0, BEND[chain.kind])
    turn = rotation.about((0, 0, 1), lean)
    x, y, z = (float(v) for v in np.array(top) + np.array(rotation.turned(turn, (0.0, -half, 0.0))))
    for k in range(chain.count):
        joint = Joint("ball", anchor=(0, half, 0), angles=bend if k else None, release_s=release_s, loss_s=loss_s)
        there, turned = ((x, y, z), turn) if k == 0 else ((0.0, -chain.pitch, 0.0), (1.0, 0.0, 0.0, 0.0))
        above = bodies[-1].id if k else parent
        pieces = _link(p, chain, k)
        bodies.append(Body(f"{p.id}.link{k}", pieces, chain.matter, there, turned, joint, chain.object_id, above))
    return bodies


def _swung(builder: Builder, play: Mechanism, chain: _Chain) -> str:
    """Let go aside, or swung by the bar that it hangs from; a post or panel stands where it comes through. Silent: it
    stands behind, or farther than the chain comes."""
    p, link, reach = builder, chain.pitch, chain.reach
    noun, led = p.pick(("post", "panel")), p.chance(0.5)
    top = reach + link * p.uniform(0.4, 2.0)
    swing = link * p.uniform(0.8, 2.0) if led else 0.0
    lean = 0.0 if led else p.uniform(0.3, 0.9)
    widest = chain.thin + (0.5 * swing if led else reach * float(np.sin(lean)))
    thick = max(STANDS_M, link * p.uniform(0.15, 0.8))
    half = (thick, (top - link * p.uniform(1.0, 2.0)) / 2, thick * p.uniform(1.0, 3.0) * (2 if noun == "panel" else 1))
    behind, face = 0.0, chain.thin + link * p.uniform(0.1, 0.5)
    if not p.sounds:
        miss = link * p.uniform(*CLEAR)
        if led or p.chance(0.5):
            behind = half[2] + chain.thin + miss
        else:
            face = widest + miss
    play.bodies.append(_struck(p, play, noun, half, (face + thick, half[1], behind)))
    paint = p.surface(p.material("wood", "steel"), link)
    beam = Piece(Box((link * 0.3, link * 0.15, link * 0.6)), paint, touches=False)
    back = max(3 * link, behind + half[2] + link)
    if led:
        slide = Joint("slide", (1, 0, 0), servo=Servo(_to_and_fro(p, swing, reach), LED_HZ))
        arm = rod((0, 0, 0), (0, link * 2.5, back), link * 0.15, paint, touches=False)
        holder = Body(f"{p.id}.holder", (beam, arm), HELD, (0, top, 0), motion=slide)
        play.bodies += [holder, *_links(p, chain, (0.0, 0.0, 0.0), 0.0, p.start_s, holder.id)]
    else:
        arm = rod((0, 0, 0), (0, 0, back), link * 0.2, paint, touches=False)
        pole = rod((0, 0, back), (0, -top, back), link * 0.2, paint, touches=False)
        play.bodies.append(Body(f"{p.id}.frame", (beam, arm, pole), place=(0.0, top, 0.0)))
        play.bodies += _links(p, chain, (0.0, top, 0.0), -lean, p.start_s + p.scaled(0.15, 1.0), None)
    play.radius, play.height = max(widest, face + 2 * thick, 0.5 * reach), top + link
    return f"a {play.objects[0].caption} swings and rattles against a {noun}"


def _struck(builder: Builder, play: Mechanism, noun: str, half: Vector, middle: Vector) -> Body:
    """A fixed box, which rings itself now and then."""
    p = builder
    material = p.material("steel", "wood", "plastic", "glass", "ceramic", "stone")
    piece = Piece(Box(half), p.surface(material, max(half)))
    if not (p.sounds and p.chance(0.4)):
        return Body(f"{p.id}.{noun}", (piece,), place=middle)
    thing = p.thing("ring", noun, material, max(half))
    play.objects.append(thing)
    return Body(f"{p.id}.{noun}", (piece,), p.matter(material), middle, object_id=thing.id, rings=True)


def _to_and_fro(builder: Builder, swing: float, reach: float) -> Track:
    """Place (m) of the bar: near the chain's own period, in spells."""
    p = builder
    period = 2 * np.pi * float(np.sqrt(reach * 0.67 / motion.GRAVITY)) * p.uniform(0.8, 1.4)
    begin, phase = p.start_s + p.uniform(0.1, 0.6), p.pick((0.0, np.pi))
    rest = p.uniform(0.0, 0.4)

    def place(t: np.ndarray) -> np.ndarray:
        since = np.maximum(t - begin, 0)
        slowly = 1 - rest * (0.5 - 0.5 * np.cos(2 * np.pi * since / (5 * period)))
        return 0.5 * swing * slowly * motion.smooth(since / period) * np.sin(2 * np.pi * since / period + phase)

    return place


def _lowered(builder: Builder, play: Mechanism, chain: _Chain) -> str:
    """A hand lets a chain down on a plate, link by link, and draws it up again. Silent: it hovers above it."""
    p, link = builder, chain.pitch
    wide, thick = chain.long * p.uniform(0.7, 1.1), max(STANDS_M, link * p.uniform(0.2, 0.5))
    laid = p.uniform(0.5, 0.85) * chain.long  # how much of it comes to lie
    low = link * p.uniform(*CLEAR) if not p.sounds else -laid
    high = max(low, 0.0) + link * p.uniform(0.5, 1.5)
    mass = chain.matter.density * chain.count * sum(volume(q.shape) for q in _link(p, chain, 0) if q.weighs)
    play.bodies.append(_struck(p, play, "plate", (wide, thick, wide), (0.0, thick, 0.0)))
    # A straight chain that came down upright would strike like a rod with the hand's mass behind it.
    slant, sway = p.uniform(0.15, 0.5) * p.pick((-1.0, 1.0)), p.uniform(0.2, 0.45) * p.pick((-1.0, 1.0))
    axis = (float(np.sin(slant)), float(np.cos(slant)), 0.0)
    slide = Joint("slide", axis, servo=Servo(_downs(p, (high - low) / axis[1]), LED_HZ, 3 * motion.GRAVITY * mass))
    held, name = 2 * thick + chain.reach + high, f"{p.id}.holder"
    fingers = tuple(hand(link * 1.2, p))
    play.bodies.append(Body(name, fingers, HELD, (0, held, 0), motion=slide, mass_kg=mass / chain.count))
    play.bodies += _links(p, chain, (0.0, 0.0, 0.0), sway, p.start_s, name)
    play.radius, play.height = wide, held + link
    return f"a {play.objects[0].caption} is lowered and rattles on a plate"


def _downs(builder: Builder, deep: float) -> Track:
    """Place (m) of a hand, from 0: down by `deep`, up again, over and over."""
    p, spans = builder, []
    time_s = p.start_s + p.uniform(0.1, 0.8)
    fall, rise = deep / p.scaled(0.3, 1.2) + 0.3, deep / p.scaled(0.4, 1.2) + 0.3
    while time_s < p.end_s - 0.5:
        spans.append((time_s, time_s + fall + p.uniform(0.1, 1.2)))
        time_s = spans[-1][1] + rise + p.uniform(0.1, 0.8)
    spans = spans or [(p.start_s + 0.1, p.end_s)]

    def place(t: np.ndarray) -> np.ndarray:
        shares = [motion.smooth((t - a) / fall) - motion.smooth((t - b) / rise) for a, b in spans]
        return -deep * np.max([np.zeros(len(t)), *shares], axis=0)

    return place
