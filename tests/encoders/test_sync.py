from dataclasses import replace

import pytest
import torch

from openfoley.config import from_dict, to_dict
from openfoley.encoders.motion import motion_channels
from openfoley.encoders.sync import FULL, GYM, SyncConfig, SyncEncoder

TINY = replace(GYM, image_size=32, hidden_size=16, heads=2, mlp_size=32, spatial_layers=1, added_spatial_layers=1)


@pytest.fixture(scope="module")
def encoder() -> SyncEncoder:
    torch.manual_seed(0)
    return SyncEncoder(TINY).eval()


def video(frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randint(0, 256, (frames, 3, 32, 32), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("frames", [1, 15, 16, 17, 24, 81, 150, 192])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_streamed_features_equal_those_of_the_whole_video(encoder: SyncEncoder, frames: int, chunk: int) -> None:
    pictures = video(frames)
    whole = encoder.encode(pictures[None])[0]
    stream = encoder.stream()
    parts = []
    for start in range(0, frames, chunk):
        parts += stream.push(pictures[start : start + chunk], start)
    streamed = torch.cat(parts + stream.flush())
    assert streamed.shape == (frames, TINY.hidden_size)
    assert torch.equal(streamed, whole)


@pytest.mark.parametrize("frames", [5, 16, 41])
def test_rows_together_are_as_rows_alone(encoder: SyncEncoder, frames: int) -> None:
    """What a GPU does, here on the CPU."""
    pictures = torch.randint(0, 256, (2, frames, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(encoder.encode_together(pictures), encoder.encode(pictures), atol=1e-4, rtol=1e-4)


def test_each_frame_comes_from_the_window_that_holds_it_centrally(encoder: SyncEncoder) -> None:
    pictures = video(40)
    whole = encoder.encode(pictures[None])[0]
    with torch.no_grad():
        window = encoder(pictures[None, 8:24].float() / 255)[0]
        first = encoder(pictures[None, :16].float() / 255)[0]
        last = encoder(pictures[None, 24:40].float() / 255)[0]
    torch.testing.assert_close(whole[12:20], window[4:12], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole[:12], first[:12], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(whole[28:], last[4:], atol=1e-5, rtol=1e-4)


def test_hop_of_the_whole_snippet_tiles_without_overlap() -> None:
    abutting = SyncEncoder(replace(TINY, snippet_hop=16)).eval()
    pictures = video(48)
    with torch.no_grad():
        windows = abutting(pictures.unflatten(0, (3, 16)).float() / 255).flatten(0, 1)
    torch.testing.assert_close(abutting.encode(pictures[None])[0], windows, atol=1e-5, rtol=1e-4)


def test_frames_out_of_order_are_refused(encoder: SyncEncoder) -> None:
    stream = encoder.stream()
    stream.push(video(4), 0)
    with pytest.raises(ValueError, match="expected frame 4, got 5"):
        stream.push(video(4), 5)


def test_a_still_picture_has_no_motion() -> None:
    still = torch.rand(1, 1, 3, 8, 8).expand(1, 16, 3, 8, 8)
    assert motion_channels(still, colours=False).abs().max() < 1e-4


def test_faint_motion_counts_as_much_as_strong_motion() -> None:
    strong = torch.rand(1, 16, 3, 8, 8)
    faint = 0.5 + 0.2 * (strong - 0.5)
    torch.testing.assert_close(
        motion_channels(faint, colours=False), motion_channels(strong, colours=False), atol=0.1, rtol=0.1
    )


def test_a_reversal_shows_as_differences_that_cancel() -> None:
    """A bright column goes right and comes back: at the turn the next picture equals the one before."""
    video = torch.zeros(1, 3, 3, 8, 8)
    for frame, column in enumerate((3, 4, 3)):
        video[0, frame, :, :, column] = 1
    channels = motion_channels(video, colours=False)
    before, after = channels[0, 1, 3], channels[0, 1, 4]
    torch.testing.assert_close(before, -after)
    assert before.abs().max() > 0.4


def test_plain_colours_come_after_the_motion_if_configured() -> None:
    video = torch.rand(1, 16, 3, 8, 8)
    both = motion_channels(video, colours=True)
    torch.testing.assert_close(both[:, :, :8], motion_channels(video, colours=False))
    torch.testing.assert_close(both[:, :, 8:], video - 0.5)


def test_frozen_backbone_gets_no_gradient_and_the_added_layers_do() -> None:
    frozen = SyncEncoder(replace(TINY, freeze_backbone=True))
    frozen(torch.rand(1, 16, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is None for p in frozen.backbone.parameters())
    trained = [*frozen.added_spatial.parameters(), *frozen.added_temporal.parameters()]
    assert all(p.grad is not None for p in trained)


def test_the_full_size_is_the_base_videoprism_of_the_paper() -> None:
    with torch.device("meta"):
        full = SyncEncoder(FULL)
    backbone = sum(p.numel() for p in full.backbone.parameters())
    assert abs(backbone / 114.4e6 - 1) < 0.01  # measured for the published base configuration
    assert (len(full.added_spatial), len(full.added_temporal), full.dim) == (4, 2, 768)
    assert all(p.requires_grad == (not name.startswith("backbone.")) for name, p in full.named_parameters())


def test_config_survives_the_round_trip() -> None:
    assert from_dict(SyncConfig, to_dict(GYM)) == GYM
