"""What surfaces look like: those that identify a material, those of grounds and fixtures, light and sky."""

import numpy as np

from openfoley.gym.bodies.records import Light, Pattern, Surface, Vector

PLAIN_SHARE = 0.35
"""Of things without any grain, whatever they are made of."""
HUES: dict[str, tuple[Vector, ...]] = {
    "wood": ((0.55, 0.33, 0.15), (0.72, 0.50, 0.28), (0.36, 0.20, 0.10), (0.80, 0.63, 0.40)),
    "steel": ((0.62, 0.64, 0.68), (0.45, 0.46, 0.48)),
    "glass": ((0.65, 0.88, 0.90), (0.30, 0.62, 0.45), (0.75, 0.85, 0.95)),
    "rubber": ((0.07, 0.07, 0.08), (0.35, 0.06, 0.06), (0.08, 0.12, 0.30), (0.50, 0.22, 0.05)),
    "stone": ((0.45, 0.44, 0.42), (0.30, 0.29, 0.30), (0.62, 0.58, 0.52)),
    "ceramic": ((0.92, 0.91, 0.88), (0.80, 0.86, 0.92)),
    "cardboard": ((0.68, 0.52, 0.34), (0.58, 0.43, 0.27)),
    "brass": ((0.75, 0.58, 0.22),),
    "clay": ((0.70, 0.36, 0.24),),
}
GRAIN: dict[str, tuple[Pattern, float, float]] = {
    "wood": ("grain", 0.25, 0.25),
    "steel": ("grain", 0.15, 0.08),
    "glass": ("plain", 0.2, 0.0),
    "plastic": ("plain", 0.3, 0.0),
    "rubber": ("stripes", 0.5, 0.15),
    "stone": ("speckle", 0.1, 0.45),
    "ceramic": ("plain", 0.3, 0.0),
    "cardboard": ("stripes", 0.6, 0.12),
    "brass": ("grain", 0.15, 0.08),
    "clay": ("speckle", 0.12, 0.15),
}
"""Pattern, its size relative to the thing's, its contrast."""
GLOSS: dict[str, tuple[float, float]] = {
    "wood": (0.12, 0.6), "steel": (0.9, 0.2), "glass": (1.0, 0.06), "plastic": (0.45, 0.3), "rubber": (0.08, 0.8),
    "stone": (0.06, 0.8), "ceramic": (0.8, 0.12), "cardboard": (0.02, 0.9), "brass": (0.9, 0.2), "clay": (0.06, 0.8),
}  # fmt: skip
"""Strength and roughness of the highlight."""
MARKINGS: tuple[Pattern, ...] = ("checks", "stripes", "dots")


def any_hue(rng: np.random.Generator, low: float = 0.02, high: float = 0.95) -> Vector:
    """Any colour, from grey to saturated."""
    phase, chroma, value = rng.uniform(0, 2 * np.pi), rng.beta(1.2, 1.2), rng.uniform(low, high)
    wheel = 0.5 + 0.5 * np.cos(phase + np.array([0.0, 2.1, 4.2]))
    red, green, blue = np.clip(value * ((1 - chroma) + chroma * wheel), 0.01, 1.0)
    return (float(red), float(green), float(blue))


def surface_of(material: str, size_m: float, rng: np.random.Generator) -> Surface:
    """Paint that identifies the material of a thing of this size: a hue range, grain and gloss of its own, jittered.
    Plastic and rubber things may be marked with checks, stripes or dots."""
    if material == "plastic":
        base = np.array(any_hue(rng, 0.3))
    else:
        base = np.array(HUES[material][rng.integers(len(HUES[material]))])
    base = np.clip(base * rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05, 3), 0.02, 1.0)
    pattern, relative, contrast = GRAIN[material]
    second = base * rng.uniform(0.4, 0.75)
    if rng.random() < PLAIN_SHARE:
        pattern = "plain"
    if material in ("plastic", "rubber", "ceramic") and rng.random() < 0.3:
        pattern, relative, contrast = MARKINGS[rng.integers(len(MARKINGS))], 0.5, 1.0
        second = np.array(any_hue(rng, 0.05))
    gloss, roughness = GLOSS[material]
    return Surface(
        _rgb(base),
        _rgb(second),
        pattern,
        size_m * relative * float(rng.uniform(0.7, 1.4)),
        contrast * float(rng.uniform(0.6, 1.4)) if contrast < 1 else 1.0,
        float(np.clip(gloss * rng.uniform(0.7, 1.3), 0, 1)),
        float(np.clip(roughness * rng.uniform(0.7, 1.4), 0.03, 1)),
        int(rng.integers(2**31)),
    )


def any_surface(rng: np.random.Generator, size_m: float) -> Surface:
    """Of grounds, walls and fixtures: plain more often than not, else any pattern of any contrast."""
    color = any_hue(rng) if rng.random() < 0.5 else _grey(rng.uniform(0.03, 0.9))
    pattern: Pattern = "plain"
    if rng.random() < 0.5:
        patterns: tuple[Pattern, ...] = ("checks", "stripes", "dots", "grain", "speckle")
        pattern = patterns[rng.integers(len(patterns))]
    second = np.array(color) * rng.uniform(0.4, 0.9) if rng.random() < 0.6 else np.array(any_hue(rng))
    gloss = float(rng.choice([0.0, rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.9)], p=[0.5, 0.35, 0.15]))
    return Surface(
        color,
        _rgb(second),
        pattern,
        size_m * float(np.exp(rng.uniform(np.log(0.3), np.log(2)))),
        float(rng.uniform(0.1, 1.0)) if pattern != "plain" else 0.0,
        gloss,
        float(rng.uniform(0.1, 0.9)),
        int(rng.integers(2**31)),
    )


def any_light(rng: np.random.Generator) -> Light:
    """A sun from above at any side, from hard to soft and from strong to almost none, under a bright or dim sky."""
    side, height = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(22, 80))
    direction = (
        float(np.cos(height) * np.sin(side)),
        float(np.sin(height)),
        float(-np.cos(height) * np.cos(side)),
    )
    warm = rng.uniform(-0.12, 0.12)
    sun = rng.uniform(0.25, 1.2) * np.array([1 + warm, 1.0, 1 - warm])
    sky = rng.uniform(0.2, 0.7) * (1 + rng.uniform(-0.12, 0.12, 3))
    softness = float(rng.choice([0.0, rng.uniform(0.01, 0.06), rng.uniform(0.06, 0.3)], p=[0.3, 0.35, 0.35]))
    return Light(direction, _rgb(sun), _rgb(sky), _rgb(rng.uniform(0.1, 0.4) * sky), softness)


def any_sky(rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Colours at the horizon and above; half of all backgrounds are of one plain colour."""
    horizon = _grey(rng.uniform(0.02, 1.0)) if rng.random() < 0.4 else any_hue(rng)
    if rng.random() < 0.5:
        return horizon, horizon
    return horizon, any_hue(rng)


def _grey(value: float) -> Vector:
    return _rgb(np.full(3, value))


def _rgb(values: np.ndarray) -> Vector:
    red, green, blue = (float(v) for v in np.clip(values, 0.0, 2.0))
    return (red, green, blue)
