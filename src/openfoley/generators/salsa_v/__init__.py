"""SALSA-V's generator (arXiv 2510.02916, section 3, Figure 1)."""
