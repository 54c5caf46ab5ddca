"""SALSA-V's generator (arXiv 2510.02916, section 3, Figure 1)."""

from openfoley.generators.salsa_v.config import GYM, LARGE, SMALL, SalsaVConfig
from openfoley.generators.salsa_v.model import SalsaVGenerator

__all__ = ["GYM", "LARGE", "SMALL", "SalsaVConfig", "SalsaVGenerator"]
