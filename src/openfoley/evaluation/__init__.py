"""Figures that judge generated sound: events in milliseconds, spectra, materials. Metrics never import training."""
