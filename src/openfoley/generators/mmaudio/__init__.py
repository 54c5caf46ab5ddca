"""MMAudio's generator (arXiv 2412.15322), the published five variants and a Gym size."""

from openfoley.generators.mmaudio.config import (
    GYM,
    LARGE_44K,
    LARGE_44K_V2,
    MEDIUM_44K,
    SMALL_16K,
    SMALL_44K,
    VARIANTS,
    MMAudioConfig,
)
from openfoley.generators.mmaudio.foreign import from_mmaudio, latent_statistics
from openfoley.generators.mmaudio.model import MMAudioGenerator

__all__ = [
    "GYM",
    "LARGE_44K",
    "LARGE_44K_V2",
    "MEDIUM_44K",
    "SMALL_16K",
    "SMALL_44K",
    "VARIANTS",
    "MMAudioConfig",
    "MMAudioGenerator",
    "from_mmaudio",
    "latent_statistics",
]
