"""The Foley Gym: seeded scenes whose picture, sound and event times come from one motion, a formula or a simulation."""
