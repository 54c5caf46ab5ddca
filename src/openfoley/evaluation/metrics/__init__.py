"""Metrics of one sound, or of the sounds of many clips, against ground truth."""
