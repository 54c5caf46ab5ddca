"""Writing: whole files or none, sound as files and tracks, and the picture copied packet for packet."""
