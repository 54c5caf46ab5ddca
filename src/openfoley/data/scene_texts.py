"""Texts about Gym scenes, and which texts match which scenes, from their truth records."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

OBJECT_FORMS = ("{caption}", "the sound of {caption}", "{material} {action}", "{action} of {material}", "{material}")
OBJECT_FORMS_STILL = ("a {material} object", "{material} sounds", "the sound of {material}")


@dataclass(frozen=True)
class SceneText:
    """words, and the material if the text is about one object."""

    words: str
    material: str | None


def captions(truth: dict) -> list[str]:
    """All wordings of a scene's caption."""
    return list(truth.get("captions") or [truth["caption"]])


def materials(truth: dict) -> set[str]:
    """Materials of visible, audible events."""
    return {event["material"] for event in truth["events"] if event.get("visible", True) and event.get("audible", True)}


def draw_text(truth: dict, object_share: float, generator: torch.Generator) -> SceneText:
    """One of the captions, or (with probability object_share) one visibly sounding object in a few words."""

    def chosen(items: list) -> object:
        return items[int(torch.randint(0, len(items), (), generator=generator))]

    objects = [item for item in truth["objects"] if item["material"] in materials(truth)]
    if objects and float(torch.rand((), generator=generator)) < object_share:
        item = chosen(objects)
        assert isinstance(item, dict)
        forms = [*OBJECT_FORMS_STILL, *(OBJECT_FORMS if item.get("action") else OBJECT_FORMS[:2])]
        form = str(chosen(forms))
        words = form.format(caption=item["caption"], material=item["material"], action=item.get("action"))
        return SceneText(words, item["material"])
    return SceneText(str(chosen(captions(truth))), None)


def text_pairs(truths: list[dict], texts: list[SceneText]) -> Float[Tensor, "scenes texts"]:
    """1 if the text was drawn for that scene or is one of its captions; 0 (left out) if it is
    about a material that the scene holds as well; else -1. texts[i] was drawn for truths[i]."""
    labels = torch.full((len(truths), len(texts)), -1.0)
    for row, truth in enumerate(truths):
        own, held = set(captions(truth)), {item["material"] for item in truth["objects"]}
        for column, text in enumerate(texts):
            if row == column or text.words in own:
                labels[row, column] = 1.0
            elif text.material in held:
                labels[row, column] = 0.0
    return labels


def all_texts(truths: list[dict]) -> list[str]:
    """Every text that `draw_text` can return."""
    found = []
    for truth in truths:
        found += captions(truth)
        for item in truth["objects"]:
            action = item.get("action") or ""
            forms = (*OBJECT_FORMS, *OBJECT_FORMS_STILL)
            found += [f.format(caption=item["caption"], material=item["material"], action=action) for f in forms]
    return found
