"""MMAudio codec: the published networks on seeded weights, conversions, chunked decoding, exact lengths."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction

import pytest
import seeded
import torch
from safetensors.torch import load_file
from torch import Tensor

from openfoley.codecs import bigvgan, mel_vae
from openfoley.codecs.base import StreamingDecoder
from openfoley.codecs.bigvgan import BigVgan
from openfoley.codecs.mel_vae import MelVae
from openfoley.codecs.mmaudio import CODEC_16K, CODEC_44K, MMAudioCodec, from_mmaudio
from openfoley.codecs.oobleck import fold_weight_norm
from openfoley.errors import WeightsError

SHAPES = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())
VAES = {"vae_16k": mel_vae.VAE_16K, "vae_44k": mel_vae.VAE_44K}
VOCODERS = {"bigvgan_16k": bigvgan.BIGVGAN_16K, "bigvgan_v2_44k": bigvgan.BIGVGAN_V2_44K}
CODECS = {"mel_16k": CODEC_16K, "mel_44k": CODEC_44K}


@pytest.fixture(scope="module")
def goldens() -> dict[str, Tensor]:
    return load_file(seeded.FOLDER / "mmaudio_parts.safetensors")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def built(network, state):
    """Loaded strictly, without random weights first."""
    with torch.device("meta"):
        module = network()
    module.load_state_dict(state, strict=True, assign=True)
    return module.eval()


TINY = replace(
    CODEC_44K,
    vae=mel_vae.MelVaeConfig(mel_bands=8, latent_dim=4, width=8, attention_reach=9),
    vocoder=bigvgan.BigVganConfig(mel_bands=8, rates=(2, 2, 2, 2, 2, 2), final_bias=False, squash="clamp"),
    n_fft=256,
    mel_hop=64,
)


@pytest.fixture(scope="module")
def tiny() -> MMAudioCodec:
    """The real classes with narrow layers and strong weights, so that every dependence shows."""
    from unittest.mock import patch

    torch.manual_seed(3)
    with patch.object(bigvgan, "INITIAL_CHANNELS", 64):
        codec = MMAudioCodec(TINY).eval()
    for name, parameter in codec.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.4 / parameter[0].numel() ** 0.5)
        elif "alpha" in name or "beta" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return codec


@pytest.mark.slow
@pytest.mark.parametrize("name", VAES)
def test_vae_equals_the_published_one(name: str, goldens: dict[str, Tensor]) -> None:
    """Suggested tolerance 2e-4; reached 5e-6 (16k and 44k, values to 7)."""
    vae = built(lambda: MelVae(VAES[name]), mel_vae.from_mmaudio(seeded.state(SHAPES[name])))
    folded = vae.decoder.conv_in.weight.flatten()
    torch.testing.assert_close(folded[:: folded.numel() // 256][:256], goldens[f"{name}.folded"], atol=1e-6, rtol=1e-5)
    frames = goldens[f"{name}.in.mel"].shape[-1]
    z = seeded.noise("input.z", (1, vae.config.latent_dim, frames // 2))
    mean, std = vae.posterior(goldens[f"{name}.in.mel"])
    for ours, key in ((vae.reconstruct(z), "mel"), (mean, "mean"), (std, "std")):
        torch.testing.assert_close(ours[..., ::6], goldens[f"{name}.out.{key}"], atol=2e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", VOCODERS)
def test_vocoder_equals_the_published_one(name: str, goldens: dict[str, Tensor]) -> None:
    """Suggested tolerance 1e-4; reached 2e-6 (values to 0.6)."""
    state = bigvgan.from_mmaudio(seeded.state(SHAPES[name]))
    vocoder = built(lambda: BigVgan(VOCODERS[name]), state)
    wave = vocoder(goldens[f"{name}.in.mel"])
    torch.testing.assert_close(wave[..., ::2], goldens[f"{name}.out.wav"], atol=2e-5, rtol=0)
    if name == "bigvgan_v2_44k":
        error = vocoder.bfloat16()(goldens[f"{name}.in.mel"])[..., ::2] - goldens[f"{name}.out.wav"]
        assert error.norm() / goldens[f"{name}.out.wav"].norm() < 0.02


@pytest.mark.parametrize("name", CODECS)
def test_mel_equals_the_published_one(name: str, goldens: dict[str, Tensor]) -> None:
    """Tolerance 1e-5, half of it rounding in the published values themselves (float64 gives 4e-6); reached 7e-6."""
    codec = object.__new__(MMAudioCodec)
    torch.nn.Module.__init__(codec)
    codec.config = CODECS[name]
    wave = goldens[f"{name}.in.wave"]
    mel = codec.log_mel(wave[:, None] if wave.ndim == 2 else wave)
    torch.testing.assert_close(mel, goldens[f"{name}.out.mel"], atol=1e-5, rtol=0)
    silence = codec.log_mel(torch.zeros(1, 1, 16 * CODECS[name].mel_hop))
    torch.testing.assert_close(silence[..., :2], goldens[f"{name}.out.mel_silence"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", [*VAES, *VOCODERS])
def test_every_key_and_shape_of_the_checkpoint_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mel_vae, "is_folded", lambda state: False)
    checkpoint = {
        key: seeded.low_pass() if key.endswith(".filter") else torch.empty(shape, device="meta")
        for key, shape in SHAPES[name].items()
    }
    with torch.device("meta"):
        module = MelVae(VAES[name]) if name in VAES else BigVgan(VOCODERS[name])
    convert = mel_vae.from_mmaudio if name in VAES else bigvgan.from_mmaudio
    given = {key: tuple(value.shape) for key, value in convert(checkpoint).items()}
    assert given == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    del checkpoint[next(iter(sorted(key for key in checkpoint if key.endswith(("weight", "bias")))))]
    assert convert(checkpoint).keys() < given.keys()


def test_weight_norm_is_read_in_three_spellings() -> None:
    legacy = {
        "a.weight_g": torch.rand(3, 1, 1) + 0.5,
        "a.weight_v": torch.randn(3, 2, 5),
        "a.bias": torch.randn(3),
    }
    new = {
        "a.parametrizations.weight.original0": legacy["a.weight_g"],
        "a.parametrizations.weight.original1": legacy["a.weight_v"],
        "a.bias": legacy["a.bias"],
    }
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(2, 3, 5))
    layer.load_state_dict({key.removeprefix("a."): value for key, value in new.items()})
    folded = fold_weight_norm(legacy)
    torch.testing.assert_close(folded["a.weight"], layer.weight)
    for other in (new, folded):
        again = fold_weight_norm(other)
        assert again.keys() == folded.keys() and torch.equal(again["a.weight"], folded["a.weight"])


def test_vae_weights_are_folded_exactly_once() -> None:
    raw = {"decoder.conv_in.weight": 3 * torch.randn(6, 4, 3), "data_mean": torch.randn(1, 8, 1)}
    folded = mel_vae.from_mmaudio(raw)
    norms = torch.linalg.vector_norm(folded["decoder.conv_in.weight"], dim=(1, 2))
    torch.testing.assert_close(norms, torch.ones(6), atol=1e-3, rtol=0)
    assert torch.equal(folded["data_mean"], raw["data_mean"])
    with pytest.raises(WeightsError, match="folded already"):
        mel_vae.from_mmaudio(folded)


def test_another_low_pass_is_refused() -> None:
    with pytest.raises(WeightsError, match="low-pass"):
        bigvgan.from_mmaudio({"activation_post.upsample.filter": torch.ones(1, 1, 12) / 12})


def test_codec_declares_the_published_rates() -> None:
    with torch.device("meta"):
        small, large = MMAudioCodec(CODEC_16K), MMAudioCodec(CODEC_44K)
    assert (small.latent_rate, large.latent_rate) == (Fraction(125, 4), Fraction(44100, 1024))
    assert (small.hop_length, large.hop_length) == (512, 1024)
    assert (small.latent_dim, large.latent_dim, large.channels) == (20, 40, 1)


@pytest.mark.parametrize("length", [128, 200, 129, 1000])
def test_lengths_are_whole_latents(tiny: MMAudioCodec, length: int) -> None:
    latent = tiny.encode(torch.rand(1, 1, length) - 0.5)
    assert latent.shape == (1, -(-length // tiny.hop_length), 4)
    assert tiny.decode(latent).shape == (1, 1, latent.shape[1] * tiny.hop_length)


def test_decoder_context_covers_what_samples_depend_on(tiny: MMAudioCodec) -> None:
    """And is not much larger than needed: with strong weights, latents just inside it change the samples."""
    reach, hop = tiny.decoder_context, tiny.hop_length
    latent = torch.randn(1, 2 * reach + 7, 4)
    middle = reach + 3
    whole = tiny.decode(latent)[..., middle * hop : (middle + 1) * hop]
    for distance in (reach + 1, -reach - 1):
        changed = latent.clone()
        changed[:, middle + distance] += 3
        assert torch.equal(tiny.decode(changed)[..., middle * hop : (middle + 1) * hop], whole)
    changed = latent.clone()
    changed[:, middle + tiny.config.vae.attention_reach] += 3
    assert not torch.equal(tiny.decode(changed)[..., middle * hop : (middle + 1) * hop], whole)


@pytest.mark.parametrize("pushes", [[1] * 20 + [60], [64, 0, 30, 20]])
def test_chunked_decoding_equals_unchunked(
    tiny: MMAudioCodec, pushes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.codecs import mmaudio

    latent = torch.randn(1, sum(pushes), 4, generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(mmaudio, "PIECE_LATENTS", 10**6)
    whole = tiny.decode(latent)
    assert whole.std() > 0.05
    monkeypatch.setattr(mmaudio, "PIECE_LATENTS", 23)
    torch.testing.assert_close(tiny.decode(latent), whole, atol=1e-5, rtol=0)
    stream = StreamingDecoder(tiny, chunk=24)
    parts = [stream.push(part) for part in latent.split(pushes, 1)] + [stream.flush()]
    torch.testing.assert_close(torch.cat(parts, -1), whole, atol=1e-5, rtol=0)


def test_statistics_of_the_flow_network_are_the_codec_s(tiny: MMAudioCodec) -> None:
    state = {key: value for key, value in tiny.state_dict().items() if key.startswith("vae.")}
    vae = {key.removeprefix("vae."): 2 * value for key, value in state.items()}
    mean, std = torch.randn(1, 1, 4), torch.rand(1, 1, 4)
    converted = from_mmaudio(vae, {"conv_post.weight": torch.randn(1, 24, 7)}, mean, std)
    assert torch.equal(converted["latent_mean"], mean.flatten()) and torch.equal(converted["latent_std"], std.flatten())
    assert converted["vocoder.conv_post.weight"].shape == (1, 24, 1, 7)


def test_codec_in_bfloat16_takes_and_gives_float32(tiny: MMAudioCodec) -> None:
    """The weights determine the dtype of the computation, not the caller."""
    halved, latent = copy.deepcopy(tiny).bfloat16(), torch.randn(1, 6, tiny.latent_dim)
    samples = halved.decode(latent)
    assert samples.dtype == torch.float32
    assert halved.encode(samples).shape == latent.shape
    mel, expected = halved.vae.reconstruct(latent.mT), tiny.vae.reconstruct(latent.mT)
    assert (mel - expected).norm() < 0.05 * expected.norm()


def test_pieces_have_one_size_so_that_memory_is_flat(tiny: MMAudioCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolution libraries keep compiled code for every length that they meet."""
    from openfoley.codecs import mmaudio

    lengths = []

    def recorded(mel: Tensor) -> Tensor:
        lengths.append(mel.shape[-1])
        return torch.zeros(1, 1, mel.shape[-1] * tiny.config.mel_hop)

    monkeypatch.setattr(mmaudio, "PIECE_LATENTS", 50)
    monkeypatch.setattr(tiny.vocoder, "forward", recorded)
    for count in (181, 260):
        lengths.clear()
        assert tiny.decode(torch.randn(1, count, 4)).shape == (1, 1, count * tiny.hop_length)
        assert len(lengths) == -(-count // 50) and len(set(lengths)) == 1


def test_widened_spans_have_one_size_and_their_margins() -> None:
    for first in range(0, 91, 7):
        low, high = mel_vae.widened(first, first + 10, 6, 100)
        assert high - low == 22 and low <= max(0, first - 6) and high >= min(100, first + 16)
    assert mel_vae.widened(3, 9, 50, 20) == (0, 20)
