"""Small shared network parts, no domain words."""
