"""Materials: impact sound (modal synthesis), friction sound, and appearance.

Mode ratios are of a free bar (wood, steel), a plate or a shell, spread at random per object; `pitch_hz` is the lowest
mode of an object 0.3 m long, and pitch goes with 1/size. Values were set by listening and by literature figures of
decay, not fitted to a recording.
"""

from dataclasses import dataclass

import numpy as np

from openfoley.gym.records import Look


@dataclass(frozen=True)
class Material:
    name: str
    pitch_hz: float  # lowest mode of a 0.3 m object
    ratios: tuple[float, ...]
    decay_s: float  # T60 of the lowest mode
    damping: float  # how much faster high modes die: T60 ~ (f / f0) ** -damping
    noise: float  # share of the broadband contact click
    noise_s: float  # its decay
    soft_hz: float  # spectral corner of a soft blow; a hard one reaches ten times as far
    chirp: float = 0.0  # rise of pitch per second (water)
    adjectives: tuple[str, ...] = ()


BAR = (1.0, 2.757, 5.404, 8.933, 13.34)
PLATE = (1.0, 1.52, 2.44, 3.02, 3.95, 5.21, 6.6, 8.3)
SHELL = (1.0, 1.83, 2.71, 3.9, 5.6, 7.2, 9.8)

MATERIALS: dict[str, Material] = {
    m.name: m
    for m in (
        Material("wood", 420, BAR, 0.16, 0.5, 0.5, 0.008, 900, adjectives=("wooden", "wood", "oak")),
        Material("steel", 900, BAR + (2.0, 4.1), 1.3, 0.3, 0.12, 0.003, 2600, adjectives=("steel", "metal", "iron")),
        Material("glass", 1500, SHELL, 0.55, 0.4, 0.15, 0.003, 3200, adjectives=("glass", "crystal")),
        Material("plastic", 560, PLATE[:5], 0.09, 0.3, 0.6, 0.006, 1300, adjectives=("plastic",)),
        Material("rubber", 130, (1.0, 1.7, 2.6), 0.13, 0.9, 0.25, 0.012, 260, adjectives=("rubber",)),
        Material("stone", 1100, PLATE[:5], 0.06, 0.5, 0.9, 0.010, 2100, adjectives=("stone", "marble", "granite")),
        Material("ceramic", 1150, SHELL[:5], 0.28, 0.5, 0.3, 0.004, 2300, adjectives=("ceramic", "porcelain", "china")),
        Material("cardboard", 190, PLATE[:4], 0.07, 0.8, 0.9, 0.022, 420, adjectives=("cardboard", "paper")),
        Material("water", 720, (1.0, 2.1), 0.11, 0.6, 0.35, 0.015, 1100, chirp=6.0, adjectives=("water",)),
        Material("gravel", 1700, PLATE[:3], 0.02, 0.3, 1.2, 0.012, 2600, adjectives=("gravel", "sand")),
        # Held out of training:
        Material("brass", 620, SHELL + (11.2,), 1.6, 0.25, 0.1, 0.003, 2000, adjectives=("brass", "bronze")),
        Material("clay", 640, PLATE[:4], 0.10, 0.6, 0.5, 0.009, 1000, adjectives=("clay", "terracotta")),
    )
}
HELD_OUT_MATERIALS = ("brass", "clay")
SOLID = ("wood", "steel", "glass", "plastic", "rubber", "stone", "ceramic", "cardboard")


def look_of(material: str, rng: np.random.Generator, *, bulge: float) -> Look:
    """Paint that identifies the material: grain, speckle, gloss and a hue range of its own, all jittered."""
    u = lambda a, b: float(rng.uniform(a, b))

    def jitter(rgb: tuple[float, ...], spread: float = 0.08) -> tuple[float, float, float]:
        red, green, blue = (float(np.clip(c + u(-spread, spread), 0.02, 1.0)) for c in rgb)
        return red, green, blue

    phase = u(0, 6.28)
    turn = u(0, 3.14)

    def waves(k: float, warp_k: float) -> tuple[float, float, float, float]:
        return (k * np.cos(turn), k * np.sin(turn), -warp_k * np.sin(turn), warp_k * np.cos(turn))

    if material == "wood":
        base = [(0.55, 0.33, 0.15), (0.72, 0.5, 0.28), (0.36, 0.2, 0.1)][rng.integers(3)]
        return Look(jitter(base), 0.12, 1, bulge, waves(u(25, 70), u(5, 15)), u(0.5, 2.0), u(0.15, 0.4), 1.0, phase)
    if material in ("steel", "brass"):
        base = (0.62, 0.64, 0.68) if material == "steel" else (0.75, 0.58, 0.22)
        return Look(jitter(base, 0.06), u(0.7, 1.0), 1, bulge, waves(u(6, 14), 0), 0.0, u(0.05, 0.2), 1.0, phase)
    if material == "glass":
        return Look(jitter((0.65, 0.88, 0.9)), 1.0, u(0.4, 0.65), bulge, waves(u(4, 8), 0), 0.0, 0.1, 1.0, phase)
    if material == "plastic":
        hue = u(0, 6.28)
        base = tuple(0.5 + 0.48 * np.cos(hue + k) for k in (0.0, 2.1, 4.2))
        return Look(jitter(base, 0.04), u(0.3, 0.6), 1, bulge, (0, 0, 0, 0), 0.0, 0.0, 1.0, phase)
    if material == "rubber":
        base = [(0.07, 0.07, 0.08), (0.35, 0.06, 0.06), (0.08, 0.12, 0.3)][rng.integers(3)]
        return Look(jitter(base, 0.03), 0.05, 1, bulge, waves(u(10, 20), 0), 0.0, u(0.0, 0.35), 3.0, phase)
    if material in ("stone", "gravel"):
        base = (0.45, 0.44, 0.42) if material == "stone" else (0.6, 0.52, 0.38)
        return Look(jitter(base), 0.05, 1, bulge, waves(u(50, 110), u(40, 90)), u(2, 5), u(0.3, 0.6), 1.5, phase)
    if material == "ceramic":
        return Look(
            jitter((0.92, 0.91, 0.88), 0.05), u(0.6, 0.9), 1, bulge, waves(u(12, 30), 0), 0.0, u(0, 0.12), 4, phase
        )
    if material == "cardboard":
        return Look(
            jitter((0.68, 0.52, 0.34), 0.05), 0.02, 1, bulge * 0.3, waves(u(60, 120), 0), 0.0, u(0.05, 0.15), 1, phase
        )
    if material == "water":
        return Look(
            jitter((0.2, 0.42, 0.75)), 0.9, u(0.6, 0.85), bulge, waves(u(10, 25), u(8, 20)), u(1, 3), 0.2, 1, phase
        )
    return Look(
        jitter((0.7, 0.36, 0.24)), 0.1, 1, bulge, waves(u(15, 40), u(10, 30)), u(1, 3), u(0.1, 0.25), 1, phase
    )  # clay
