"""Models by name: registry, load, save. The only layer that may access the network."""
