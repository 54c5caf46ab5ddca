"""Adapters that condition every window of a frozen generator on the whole video (LD-LAudio-V1, arXiv 2508.11074)."""
