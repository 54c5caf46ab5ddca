"""Reads and writes media files (PyAV); no other folder opens them."""
