"""The Foley Gym: seeded scenes whose picture, sound and event times come from one closed-form motion."""
