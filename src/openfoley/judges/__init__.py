"""Networks that judge sounds. No generator may import them."""
