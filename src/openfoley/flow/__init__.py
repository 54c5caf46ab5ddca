"""Masked flow matching with shortcut steps as pure functions (arXiv 2510.02916, sections 3.2, 3.3, A.1)."""
