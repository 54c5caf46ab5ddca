"""The model that OpenFoley ships: SALSA-V (arXiv 2510.02916) in a small size, trained from scratch on the Foley Gym.

Its weights are inside the package, in hub/weights.
"""

from openfoley.hub.cards.base import Card

WORDS = """
a against and as ball balls block board bounce bounces bowl box cardboard ceramic china clapper click close collide
crackles crystal dish drip drips falls fan fire foley footsteps glass granite gravel hear hums in into iron is knock
knocks mallet marble metal oak of on paper pegs pendulum plastic porcelain post pour poured rain recording roll
rolls rotate rubbed rubber sand scrape shake shaken shoes silence slide slides sound sounds steel stick stone strike
strikes swing tap taps the then together turning two water we wheel while wood wooden
"""
"""Every word of the training captions (gym/captions.py); a test compares them with freshly sampled scenes."""

CARDS = (
    Card(
        name="salsa-v-gym",
        family="salsa-v",
        variant="gym",
        task="video (and text or a thing's name) to sound",
        scope="Foley Gym scenes: impacts, rolling, scraping, pouring of ten materials; not for real footage",
        sample_rate=44100,
        channels=2,
        parameters=4_088_257,
        weights_bytes=67_977_896,
        working_bytes=990_000_000,
        trained_s=8.0,
        licence="Apache-2.0",
        words=tuple(WORDS.split()),
    ),
)
