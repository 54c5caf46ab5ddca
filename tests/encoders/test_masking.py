"""Masks over patches: what is hidden does not reach the features, exactly, in every encoder that pools patches."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from openfoley.encoders import selective_sync, sync
from openfoley.encoders.base import Maskable, MaskedPooling, TextConditioned, frame_dim
from openfoley.encoders.clip import ClipEncoder
from openfoley.encoders.masked import MaskedSync, MaskedSynchformer, masked
from openfoley.encoders.masking import attention_bias, mostly_seen, patch_shares, relative
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.selective_synchformer import SELVA, SelectiveSynchformer, SelectiveSynchformerConfig
from openfoley.encoders.sync import SyncEncoder
from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder

SIDE, PATCHES, FRAMES = 32, 4, 40
SMALL = {"image_size": SIDE, "patch_size": 16, "hidden_size": 32, "heads": 2, "mlp_size": 32}
SYNC = replace(sync.GYM, **SMALL, appearance=None)
SYNCH = replace(SYNCHFORMER, image_size=SIDE, hidden_size=24, heads=3, mlp_size=32, layers=1)
BLOCK = replace(selective_sync.GYM, width=32, heads=2, text_dim=20, mlp_width=32)
SYNCH_BLOCK = replace(SELVA.selection, width=24, heads=3, text_dim=20, mlp_width=32, start="random")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def noisy(encoder: torch.nn.Module) -> torch.nn.Module:
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return encoder.eval()


KINDS: dict[str, Callable[[], Maskable]] = {
    "sync": lambda: MaskedSync(noisy(SyncEncoder(SYNC))),
    "synchformer": lambda: MaskedSynchformer(noisy(SynchformerEncoder(SYNCH))),
    "selective sync": lambda: noisy(SelectiveSync(SyncEncoder(SYNC), BLOCK)),
    "selective synchformer": lambda: noisy(SelectiveSynchformer(SelectiveSynchformerConfig(SYNCH, SYNCH_BLOCK))),
}


def features_of(encoder: Maskable, trunk: Tensor, seen: Tensor | None) -> Tensor:
    present = torch.ones(trunk.shape[:2], dtype=torch.bool)
    if isinstance(encoder, MaskedPooling):
        return encoder.pool(trunk, present, seen)
    assert isinstance(encoder, TextConditioned)
    text = torch.randn(1, 3, 20, generator=torch.Generator().manual_seed(2))
    return encoder.select(trunk, present, text, torch.ones(1, 3, dtype=torch.bool), seen)


@pytest.fixture(params=KINDS)
def encoder(request: pytest.FixtureRequest) -> Maskable:
    torch.manual_seed(0)
    return KINDS[request.param]()


@pytest.fixture
def trunk(encoder: Maskable) -> Tensor:
    frames = torch.randint(0, 256, (1, FRAMES, 3, SIDE, SIDE), dtype=torch.uint8)
    trunk = encoder.encode(frames)
    assert trunk.shape[-1] == encoder.trunk_dim == frame_dim(encoder)
    return trunk


def test_what_is_hidden_does_not_change_the_features_at_all(encoder: Maskable, trunk: Tensor) -> None:
    seen = torch.ones(1, trunk.shape[1], PATCHES)
    seen[..., 1:3] = 0
    features = features_of(encoder, trunk, seen)
    other = trunk.unflatten(-1, (PATCHES, -1)).clone()
    other[..., 1:3, :] = 100 * torch.randn_like(other[..., 1:3, :])
    assert torch.equal(features_of(encoder, other.flatten(2), seen), features)
    other[..., 0, :] += torch.randn_like(other[..., 0, :])
    assert not torch.allclose(features_of(encoder, other.flatten(2), seen), features, atol=1e-2)
    assert not torch.allclose(features_of(encoder, trunk, None), features, atol=1e-2)


def test_a_mask_that_hides_nothing_changes_nothing(encoder: Maskable, trunk: Tensor) -> None:
    every = torch.full((1, trunk.shape[1], PATCHES), 0.25)  # of a thing that covers a quarter of each patch
    assert torch.equal(features_of(encoder, trunk, every), features_of(encoder, trunk, None))


def test_a_mask_belongs_to_the_features_of_its_frames(encoder: Maskable) -> None:
    """Frame k hides all but patch k % 4, of which it shows the share (k + 1) / 40."""
    mask = torch.zeros(FRAMES, 3, SIDE, SIDE, dtype=torch.uint8)
    for k in range(FRAMES):
        row, column = divmod(k % PATCHES, 2)
        mask[k, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = round(255 * (k + 1) / FRAMES)
    stream = encoder.mask_stream()
    shares = torch.cat(stream.push(mask[:17], 0) + stream.push(mask[17:], 17) + stream.flush())
    own = mask[:, 0].reshape(FRAMES, 2, 16, 2, 16).float().mean((2, 4)).flatten(1) / 255
    if encoder.outputs.group == 1:
        expected = own
    else:  # segments of 16 frames, 8 apart, 2 frames a feature
        expected = torch.stack([own[at + 2 * j : at + 2 * j + 2].mean(0) for at in range(0, 32, 8) for j in range(8)])
    assert shares.shape == (len(expected), PATCHES)
    torch.testing.assert_close(shares, expected, atol=1e-5, rtol=0)
    assert torch.equal(shares > 0, expected > 0), "what is hidden is hidden wholly"


def test_pooling_the_tokens_equals_the_encoder_that_pools_them_itself() -> None:
    frames = torch.randint(0, 256, (1, FRAMES, 3, SIDE, SIDE), dtype=torch.uint8)
    for network in (noisy(SyncEncoder(SYNC)), noisy(SynchformerEncoder(SYNCH))):
        assert isinstance(network, (SyncEncoder, SynchformerEncoder))
        ours = masked(network)
        assert ours is not None and (ours.inputs, ours.outputs) == (network.inputs, network.outputs)
        torch.testing.assert_close(features_of(ours, ours.encode(frames), None), network.encode(frames))
    assert masked(ClipEncoder.__new__(ClipEncoder)) is None


def test_absent_features_stay_zero(encoder: Maskable, trunk: Tensor) -> None:
    if isinstance(encoder, MaskedPooling):
        features = encoder.pool(
            trunk, torch.zeros(1, trunk.shape[1], dtype=torch.bool), torch.zeros(1, trunk.shape[1], 4)
        )
        assert not features.any() and features.isfinite().all()


def test_shares_are_relative_to_the_patch_that_is_seen_most() -> None:
    seen = torch.tensor([[0.2, 0.1, 0.05, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    expected = torch.tensor([[1.0, 0.5, 0.25, 0.0], [1.0] * 4, [1.0] * 4])
    torch.testing.assert_close(relative(seen), expected)
    assert torch.equal(attention_bias(seen).exp().round(decimals=5), expected)
    assert mostly_seen(seen).tolist() == [[True, True, False, False], [True] * 4, [True] * 4]


def test_shares_of_patches_are_those_of_their_area() -> None:
    mask = torch.zeros(1, 1, 3, 8, 12)
    mask[..., 2:6, 2:5] = 1  # rows 2 to 5, columns 2 to 4 of patches of 4 x 4
    expected = torch.tensor([4, 2, 0, 4, 2, 0]) / 16
    assert torch.equal(patch_shares(mask, 4)[0, 0], expected)


def test_times_of_masked_features_are_those_of_the_encoder() -> None:
    assert MaskedSync(SyncEncoder(SYNC)).outputs.rate == Fraction(24)
