"""SelVA's video encoder: published outputs on seeded weights, the teacher it starts as, trunk and text apart."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import seeded
import torch
from safetensors.torch import load_file

from openfoley.encoders.base import FrameEncoder, TextConditioned, frame_dim
from openfoley.encoders.selective_synchformer import (
    SELVA,
    SelectiveSynchformer,
    SelectiveSynchformerConfig,
    from_selva_checkpoint,
)
from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder
from openfoley.errors import WeightsError

GOLDENS = load_file(seeded.FOLDER / "selva.safetensors")
SHAPES = json.loads((seeded.FOLDER / "selva_shapes.json").read_text())["video_encoder"]
TINY = SelectiveSynchformerConfig(
    replace(SYNCHFORMER, image_size=32, hidden_size=24, heads=3, mlp_size=32, layers=2),
    replace(SELVA.selection, width=24, heads=3, text_dim=20, mlp_width=32, start="random"),
)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def tiny(trained: bool) -> SelectiveSynchformer:
    torch.manual_seed(0)
    encoder = SelectiveSynchformer(TINY).eval()
    for parameter in encoder.parameters() if trained else encoder.trunk.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder


def frames_of(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (1, count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def text_of(tokens: int, seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.randn(1, tokens, 20, generator=torch.Generator().manual_seed(seed))
    return values, torch.ones(1, tokens, dtype=torch.bool)


@pytest.mark.slow
def test_encoder_equals_the_published_one_with_every_kind_of_text() -> None:
    """Suggested tolerance 2e-4 and 1e-3 of the value."""
    with torch.device("meta"):
        encoder = SelectiveSynchformer(SELVA)
    encoder.load_state_dict(from_selva_checkpoint(seeded.state(SHAPES)), strict=True, assign=True)
    video = (0.5 * seeded.noise("input.sync_video", (2, 24, 3, 224, 224))).clamp(-1, 1)
    sample = GOLDENS["video_encoder.in.video.sample"]
    assert torch.equal(video.flatten()[:: video.numel() // 4096][: len(sample)], sample)
    segments = torch.stack([one[at : at + 16] for one in video for at in (0, 8)])  # item by item
    trunk = encoder.eval().trunk.tokens(segments).flatten(-2).flatten(0, 1).unflatten(0, (2, 16))
    text, is_word = 2 * seeded.noise("input.t5_text_f", (2, 7, 768)), GOLDENS["video_encoder.in.text_mask"]
    nothing, present = torch.zeros_like(is_word), torch.ones(2, 16, dtype=torch.bool)

    def check(name: str, mask: torch.Tensor) -> None:
        expected = GOLDENS[f"video_encoder.out.{name}"]
        torch.testing.assert_close(encoder.select(trunk, present, text, mask), expected, atol=2e-4, rtol=1e-3)

    check("features", is_word)
    check("features_empty_text", nothing)
    encoder.selection.supplementary.mul_(50)
    check("features_sup_x50", is_word)
    encoder.selection.supplementary = torch.nn.Parameter(encoder.selection.supplementary[:0])
    check("features_no_sup", is_word)
    check("features_empty_text_no_sup", nothing)


def test_every_key_of_the_checkpoint_is_used_or_left_out_by_name() -> None:
    with torch.device("meta"):
        encoder = SelectiveSynchformer(SELVA)
    checkpoint = {key: torch.empty(shape, device="meta") for key, shape in SHAPES.items()}
    assert len(checkpoint) == 260
    ours = from_selva_checkpoint(checkpoint)
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in encoder.state_dict().items()}
    unused = sum(value.numel() for key, value in checkpoint.items() if ".patch_embed." in key)
    assert sum(value.numel() for value in ours.values()) + unused == 134_838_656
    assert from_selva_checkpoint({**checkpoint, "odd": torch.zeros(1)}).keys() - ours.keys() == {"selection.odd"}
    with pytest.raises(WeightsError, match="lacks the trunk or the selection"):
        from_selva_checkpoint({key: value for key, value in checkpoint.items() if key.startswith("vfeat")})


def test_stage_one_trains_exactly_the_published_share() -> None:
    with torch.device("meta"):
        trained = sum(value.numel() for value in SelectiveSynchformer(SELVA).trained_parameters())
    assert trained == 19_485_824


def test_a_new_student_equals_its_teacher_bit_for_bit() -> None:
    student, (text, is_word) = tiny(trained=False), text_of(4)
    teacher = SynchformerEncoder(TINY.trunk).eval()
    teacher.load_state_dict(student.trunk.state_dict())
    segments = torch.randn(3, 16, 3, 32, 32)
    assert torch.equal(student(segments, text.expand(3, -1, -1), is_word.expand(3, -1)), teacher(segments))
    frames = frames_of(60)
    trunk = student.encode(frames)
    present = torch.ones(trunk.shape[:2], dtype=torch.bool)
    assert torch.equal(student.select(trunk, present, text, is_word), teacher.encode(frames))


def test_the_picture_is_encoded_without_the_text_and_the_text_selects() -> None:
    encoder = tiny(trained=True)
    assert isinstance(encoder, FrameEncoder) and isinstance(encoder, TextConditioned)
    trunk = encoder.encode(frames_of(60))
    assert trunk.shape == (1, 56, frame_dim(encoder)) and encoder.outputs.dim == 24
    present = torch.ones(1, 56, dtype=torch.bool)
    ball, door, silence = (encoder.select(trunk, present, *text) for text in (text_of(4), text_of(4, 3), text_of(4)))
    assert torch.equal(ball, silence) and not torch.allclose(ball, door, atol=1e-2)
    nothing = encoder.select(trunk, present, text_of(4)[0], torch.zeros(1, 4, dtype=torch.bool))
    other = encoder.select(trunk, present, text_of(2, 9)[0], torch.zeros(1, 2, dtype=torch.bool))
    assert not torch.allclose(nothing, ball, atol=1e-2)
    torch.testing.assert_close(nothing, other)


def test_segments_of_which_nothing_is_present_cost_nothing_and_change_no_others() -> None:
    encoder, (text, is_word) = tiny(trained=True), text_of(4)
    trunk = encoder.encode(frames_of(40))
    present = torch.ones(1, 32, dtype=torch.bool)
    whole = encoder.select(trunk, present, text, is_word)
    present[:, 8:24] = False
    part = encoder.select(trunk, present, text, is_word)
    assert not part[:, 8:24].any()
    torch.testing.assert_close(part[:, [*range(8), *range(24, 32)]], whole[:, [*range(8), *range(24, 32)]])


def test_frames_are_squashed_and_features_come_in_segments() -> None:
    encoder = tiny(trained=False)
    frames, outputs = encoder.inputs.frames, encoder.outputs
    assert frames is not None and (frames.fit, frames.resize, frames.rate) == ("squash", "bicubic", Fraction(25))
    assert (outputs.rate, outputs.group, encoder.inputs.words) == (Fraction(25), 8, "words")
