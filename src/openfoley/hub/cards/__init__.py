"""One card per model family: purpose, files, checksums, licences. A new family adds a module here."""

from openfoley.hub.cards import mmaudio, salsa_v_gym, selva
from openfoley.hub.cards.base import Card

CARDS: dict[str, Card] = {card.name: card for module in (salsa_v_gym, mmaudio, selva) for card in module.CARDS}
