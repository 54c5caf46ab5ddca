"""Pairs of picture and sound, short and small, for models that make both."""
