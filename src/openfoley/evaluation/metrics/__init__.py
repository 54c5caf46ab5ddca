"""One sound, or the sounds of many clips, against the truth of their scenes."""
