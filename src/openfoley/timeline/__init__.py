"""Cuts, cues and the plan of windows."""
