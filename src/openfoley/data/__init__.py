"""Data sets and feature caches for training and evaluation."""
