"""Adapters that let every window of a frozen generator know the whole video (LD-LAudio-V1, arXiv 2508.11074)."""
