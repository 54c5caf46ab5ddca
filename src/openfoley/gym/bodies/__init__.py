"""Gym scenes of solid bodies in three dimensions: simulated contacts, ray-traced pictures."""
