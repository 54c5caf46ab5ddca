"""Models by name: registry, load, save. The only layer that may reach the network."""
