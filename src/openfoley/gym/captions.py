"""Captions in varied wording, built from objects and actions."""

import numpy as np

from openfoley.gym.materials import MATERIALS
from openfoley.gym.records import Performance

_OPENINGS = ("", "the sound of ", "we hear ", "foley: ", "close recording of ", "")
_JOINS = (" and ", " while ", ", then ", " as ")
SILENT_CAPTION = "silence"
_OBJECT_ONLY = ("{material} {action}", "{action} of {material}", "{material} sounds", "{material}")


def said_of(material: str) -> tuple[str, ...]:
    """The words for a material; none for one that the Gym does not have."""
    return MATERIALS[material].adjectives if material in MATERIALS else ()


def reword(text: str, rng: np.random.Generator) -> str:
    """Swap material names for their synonyms."""
    words = text.split(" ")
    for k, word in enumerate(words):
        if word in MATERIALS and rng.random() < 0.6:
            words[k] = str(rng.choice(MATERIALS[word].adjectives))
    return " ".join(words)


def scene_captions(performances: list[Performance], rng: np.random.Generator, count: int = 6) -> tuple[str, ...]:
    """`count` captions of one scene; the first is the plainest. A scene without sound is called silence."""
    sounding = [p for p in performances if p.objects and (p.contacts or p.frictions)]
    if not sounding:
        return (SILENT_CAPTION,) * count
    plain = " and ".join(p.caption for p in sounding)
    captions = [plain]
    while len(captions) < count:
        parts = []
        for p in sounding:
            thing = p.objects[0]
            if rng.random() < 0.35:
                form = str(rng.choice(_OBJECT_ONLY))
                parts.append(reword(form.format(material=thing.material, action=thing.action), rng))
            else:
                parts.append(reword(p.caption, rng))
        rng.shuffle(parts)
        captions.append(str(rng.choice(_OPENINGS)) + str(rng.choice(_JOINS)).join(parts))
    return tuple(captions)
