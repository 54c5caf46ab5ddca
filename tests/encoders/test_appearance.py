"""The frozen image tower: its features, their positions, and its ownership."""

from dataclasses import replace

import pytest
import torch

from openfoley.encoders import semantic
from openfoley.encoders.appearance import Appearance, AppearanceConfig
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.sync import GYM, SyncConfig, SyncEncoder
from openfoley.encoders.tokenizer import train_tokenizer
from openfoley.errors import WeightsError

CONFIG = AppearanceConfig(hidden_size=16, heads=2, mlp_size=32, layers=1, stem_widths=(8, 8, 8), every=4)
SIZE, PATCHES = 32, 4
SHAPE = replace(
    semantic.GYM, image_size=SIZE, hidden_size=16, heads=2, mlp_size=32, vision_layers=1, text_layers=1,
    stem_widths=(8, 8, 8), vocabulary=300,
)  # fmt: skip
TOKENIZER = train_tokenizer(["a glass ball"], 300).to_str()


@pytest.fixture
def looks() -> Appearance:
    torch.manual_seed(0)
    made = Appearance(CONFIG, SIZE, 24).eval()
    torch.nn.init.normal_(made.out.weight)
    return made


@pytest.fixture(scope="module")
def meaning() -> SemanticEncoder:
    torch.manual_seed(1)
    return SemanticEncoder(SHAPE, TOKENIZER).eval()


def test_every_frame_has_the_looks_of_the_one_that_was_looked_at(looks: Appearance) -> None:
    pictures = torch.rand(2, 16, 3, SIZE, SIZE)
    seen = looks(pictures)
    assert seen.shape == (2, 16, PATCHES, 24)
    assert torch.equal(seen[:, 4], seen[:, 7]) and not torch.equal(seen[:, 3], seen[:, 4])
    pictures[:, 6] = 0.0  # the one of frames 4 to 7
    changed = (looks(pictures) != seen).flatten(2).any(2)
    assert changed[:, 4:8].all() and not changed[:, :4].any() and not changed[:, 8:].any()


def test_it_has_the_features_of_the_semantic_encoder(looks: Appearance, meaning: SemanticEncoder) -> None:
    looks.take_tower(meaning)
    pictures = torch.rand(1, 16, 3, SIZE, SIZE)
    with torch.no_grad():
        patches = meaning.look(pictures[:, 2])[1]
        torch.testing.assert_close(looks(pictures)[:, 0], looks.out(patches))


def test_only_the_projection_is_trained_and_starts_silent() -> None:
    fresh = Appearance(CONFIG, SIZE, 24)
    assert not fresh(torch.rand(1, 16, 3, SIZE, SIZE)).any()
    assert {name for name, p in fresh.named_parameters() if p.requires_grad} == {"out.weight", "out.bias"}


@pytest.mark.parametrize("other", [{"heads": 1}, {"image_size": 48}])
def test_another_tower_is_refused(looks: Appearance, other: dict[str, int]) -> None:
    shape = replace(SHAPE, **other)
    with pytest.raises(WeightsError, match=f"{next(iter(other.values()))}"):
        looks.take_tower(SemanticEncoder(shape, TOKENIZER))


def test_an_encoder_with_new_looks_starts_as_the_one_without() -> None:
    shape = replace(GYM, image_size=SIZE, hidden_size=16, heads=2, mlp_size=32)
    torch.manual_seed(0)
    without = SyncEncoder(replace(shape, appearance=None)).eval()
    having = SyncEncoder(replace(shape, appearance=CONFIG)).eval()
    missing, extra = having.load_state_dict(without.state_dict(), strict=False)
    assert not extra and all(key.startswith("appearance.") for key in missing)
    pictures = torch.rand(1, 16, 3, SIZE, SIZE)
    torch.testing.assert_close(having(pictures), without(pictures))


@pytest.mark.parametrize("wrong", [replace(GYM, snippet_frames=18), replace(GYM, patch_size=8, stem_widths=None)])
def test_snippets_and_patches_must_fit_the_looks(wrong: SyncConfig) -> None:
    with pytest.raises(ValueError, match="one frame in 4"):
        SyncEncoder(replace(wrong, image_size=SIZE, hidden_size=16, heads=2, mlp_size=32, appearance=CONFIG))
