"""Evaluation networks. No generator may import them."""
