import torch

from openfoley.data.scene_texts import SceneText, all_texts, draw_text, materials, text_pairs


def scene(*names: str) -> dict:
    return {
        "caption": " and ".join(f"a {name} ball" for name in names),
        "objects": [{"caption": f"a {name} ball", "material": name, "action": "bounce"} for name in names],
        "events": [{"material": name, "visible": name != "hidden", "audible": True} for name in names],
    }


def test_only_visible_sounding_materials_count() -> None:
    assert materials(scene("wood", "hidden")) == {"wood"}


def test_labels_leave_out_texts_that_may_be_true_of_another_scene() -> None:
    truths = [scene("wood"), scene("wood", "glass"), scene("steel")]
    texts = [SceneText("wood", "wood"), SceneText(truths[1]["caption"], None), SceneText("steel", "steel")]
    assert text_pairs(truths, texts).tolist() == [[1, -1, -1], [0, 1, -1], [-1, -1, 1]]


def test_equal_captions_are_pairs() -> None:
    truths = [scene("wood"), scene("wood")]
    assert (text_pairs(truths, [SceneText(t["caption"], None) for t in truths]) == 1).all()


def test_every_drawn_text_is_known_beforehand() -> None:
    truth = scene("wood", "glass")
    generator = torch.Generator().manual_seed(0)
    assert {draw_text(truth, 0.7, generator).words for _ in range(200)} <= set(all_texts([truth]))
