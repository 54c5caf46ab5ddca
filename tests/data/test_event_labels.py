"""Labels of the material that begins to sound in each latent."""

from typing import Any

from openfoley.data.event_labels import CLASSES, EVENT_LATENTS, MATERIAL_NAMES, UNLABELLED, event_labels

LATENT_S = 1024 / 44100


def event(latent: float, material: str, **settings: Any) -> dict[str, Any]:
    time = latent * LATENT_S
    return {"time_s": time, "end_s": time, "material": material, "visible": True, "audible": True, **settings}


def test_visible_impacts_are_labelled_hidden_and_lasting_sounds_are_not() -> None:
    events = [
        event(10.5, "glass"),
        event(13.5, "wood"),  # while the first still rings: the later one counts
        event(30.2, "steel", visible=False),
        event(50.0, "stone", audible=False),
        event(60.5, "gravel", continuous=True, end_s=70.5 * LATENT_S),
        event(98.5, "rubber"),
    ]
    labels = event_labels({"events": events[::-1]}, 100, LATENT_S)
    glass, wood, rubber = (1 + MATERIAL_NAMES.index(name) for name in ("glass", "wood", "rubber"))
    assert labels[10:14].tolist() == [glass, glass, glass, wood]
    assert (labels == wood).sum() == EVENT_LATENTS and (labels == rubber).sum() == 2
    assert (labels[30:37] == UNLABELLED).all() and (labels[60:71] == UNLABELLED).all()
    assert (labels == UNLABELLED).sum() == EVENT_LATENTS + 11 and (labels == 0).sum() == 100 - 28 - 2
    assert labels.max() < CLASSES


def test_a_scene_without_events_has_label_zero_throughout() -> None:
    assert not event_labels({"events": []}, 20, LATENT_S).any()
