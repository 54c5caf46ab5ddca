"""MMAudio's generator (arXiv 2412.15322), the published five variants and a Gym size."""
