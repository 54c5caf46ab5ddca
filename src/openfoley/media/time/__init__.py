"""Time: one clock for a whole file, and SMPTE timecode."""
