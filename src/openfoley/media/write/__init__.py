"""Writing: atomic files, sound as files and tracks, and the video stream copied packet for packet."""
