"""What a material is made of for the dynamics: density, restitution and friction."""

from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Shape, Sphere

HARD_CONTACT_S = 0.006
"""How long a blow between hard things lasts. Real ones last 0.1 to 3 ms; longer ones need fewer steps, and neither a
picture nor the time of the first touch shows the difference."""
SOFT_CONTACT_S = 0.12


@dataclass(frozen=True)
class Matter:
    """density (kg / m^3), restitution against hard ground, Coulomb friction coefficient, `contact_s`: how long a blow
    on it lasts. Of two hard things that meet, the lower restitution and the higher friction count; a soft one
    (longer contact_s) decides alone."""

    density: float
    restitution: float
    friction: float
    contact_s: float = HARD_CONTACT_S


MATTER: dict[str, Matter] = {
    "wood": Matter(650, 0.50, 0.40),
    "steel": Matter(7800, 0.65, 0.25),
    "glass": Matter(2500, 0.68, 0.22),
    "plastic": Matter(950, 0.60, 0.30),
    "rubber": Matter(1150, 0.78, 0.80),
    "stone": Matter(2600, 0.52, 0.50),
    "ceramic": Matter(2200, 0.52, 0.35),
    "cardboard": Matter(140, 0.25, 0.40),
    "brass": Matter(8500, 0.60, 0.28),
    "clay": Matter(1800, 0.32, 0.50),
}
CUSHION = Matter(60, 0.2, 0.8, SOFT_CONTACT_S)
GROUND = Matter(2000, 0.85, 0.35)
"""Of grounds and fixtures: the thing that falls on them decides how it bounces."""


def matter_of(material: str, rng: np.random.Generator) -> Matter:
    """Its constants, jittered: no two things of a material are quite alike."""
    matter = MATTER[material]
    restitution = float(np.clip(matter.restitution * rng.uniform(0.8, 1.15), 0.2, 0.85))
    return replace(
        matter,
        density=matter.density * float(rng.uniform(0.85, 1.15)),
        restitution=restitution,
        friction=matter.friction * float(rng.uniform(0.75, 1.3)),
    )


def volume(shape: Shape) -> float:
    """m^3; a hull's is that of the ellipsoid in its bounding box."""
    match shape:
        case Sphere(radius):
            return 4 / 3 * np.pi * radius**3
        case Box(half):
            return 8 * half[0] * half[1] * half[2]
        case Cylinder(radius, half_length):
            return 2 * np.pi * radius**2 * half_length
        case Capsule(radius, half_length):
            return np.pi * radius**2 * (2 * half_length + 4 / 3 * radius)
        case Hull(points):
            return float(np.pi / 6 * np.prod(np.ptp(np.array(points), axis=0)))
