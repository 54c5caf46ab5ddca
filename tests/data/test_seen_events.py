"""Where and when something is seen to sound, as a dense target."""

import torch

from openfoley.data.seen_events import NO_MATERIAL, PLACE_GRID, SeenEvents
from openfoley.data.snippets import Snippets

TRUTH = [
    {
        "events": [
            {"time_s": 10 / 24, "x": 0.1, "y": 0.9, "material": "wood", "visible": True},
            {"time_s": 14.25 / 24, "x": 0.5, "y": 0.5, "material": "steel", "visible": True},
            {"time_s": 12 / 24, "x": 0.5, "y": 0.5, "material": "steel", "visible": False},
            {"time_s": 12 / 24, "x": 0.5, "y": 0.5, "material": "water", "visible": True, "continuous": True},
        ]
    }
]


def one(start: int) -> Snippets:
    return Snippets(torch.tensor([0]), torch.tensor([start]))


def test_an_event_is_on_its_frame_or_is_shared_between_two() -> None:
    events = SeenEvents.of(TRUTH)
    assert events.names == ("steel", "wood")
    places, materials = (t[0].unflatten(-1, (PLACE_GRID, PLACE_GRID)) for t in events.targets(one(4)))
    assert places[6, 5, 0] == 1 and materials[6, 5, 0] == events.names.index("wood")
    assert places[10, 3, 3] == 0.75 and places[11, 3, 3] == 0.25 and materials[10, 3, 3] == 0
    assert places.sum() == 2 and (materials != NO_MATERIAL).sum() == 3  # unseen and lasting ones are left out


def test_a_snippet_cuts_its_own_frames_out() -> None:
    places, _ = SeenEvents.of(TRUTH).targets(one(16))
    assert places.sum() == 0
    places, _ = SeenEvents.of(TRUTH).targets(one(14))
    assert places[0, 0].sum() == 0.75 and places[0, 1].sum() == 0.25


def test_places_move_with_the_part_of_the_picture_that_is_shown() -> None:
    events, mirrored_half = SeenEvents.of(TRUTH), torch.tensor([[0.4, 0.4, -0.5, 0.5]])
    places, _ = (t[0].unflatten(-1, (PLACE_GRID, PLACE_GRID)) for t in events.targets(one(4), mirrored_half))
    assert places.sum() == 1 and places[10, 1, 4] == 0.75  # 0.2 from the left and top, then mirrored


def test_a_material_that_training_does_not_know_is_none() -> None:
    _, materials = SeenEvents.of(TRUTH, ("glass", "wood")).targets(one(4))
    assert set(materials.unique().tolist()) == {NO_MATERIAL, 1}
