"""Confidence intervals and tests over clips."""
