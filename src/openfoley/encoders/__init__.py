"""Pictures and text to features."""
