"""Files of pictures and sound, in and out: the only folder that opens media files (PyAV)."""
