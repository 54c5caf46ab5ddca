"""What begins to sound in each latent."""

from typing import Any

from openfoley.data.sounding import CLASSES, MATERIAL_NAMES, NAMED_LATENTS, UNTOLD, sounding_of

LATENT_S = 1024 / 44100


def event(latent: float, material: str, **settings: Any) -> dict[str, Any]:
    time = latent * LATENT_S
    return {"time_s": time, "end_s": time, "material": material, "visible": True, "audible": True, **settings}


def test_seen_blows_are_named_unseen_and_lasting_sounds_are_not_asked_for() -> None:
    events = [
        event(10.5, "glass"),
        event(13.5, "wood"),  # while the first still rings: the later one counts
        event(30.2, "steel", visible=False),
        event(50.0, "stone", audible=False),
        event(60.5, "gravel", continuous=True, end_s=70.5 * LATENT_S),
        event(98.5, "rubber"),
    ]
    labels = sounding_of({"events": events[::-1]}, 100, LATENT_S)
    glass, wood, rubber = (1 + MATERIAL_NAMES.index(name) for name in ("glass", "wood", "rubber"))
    assert labels[10:14].tolist() == [glass, glass, glass, wood]
    assert (labels == wood).sum() == NAMED_LATENTS and (labels == rubber).sum() == 2
    assert (labels[30:37] == UNTOLD).all() and (labels[60:71] == UNTOLD).all()
    assert (labels == UNTOLD).sum() == NAMED_LATENTS + 11 and (labels == 0).sum() == 100 - 28 - 2
    assert labels.max() < CLASSES


def test_a_scene_without_events_says_nothing() -> None:
    assert not sounding_of({"events": []}, 20, LATENT_S).any()
