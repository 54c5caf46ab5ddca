"""Simple figures and a picture of what a codec does to held-out sound; the full report is evaluation's."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.training.codec.losses import FLOOR, magnitudes
from openfoley.training.codec.start import GymCodec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_WINDOW = 1024  # samples
SILENCE_S = 1.0


@torch.no_grad()
def reconstruction_figures(codec: GymCodec, samples: Float[Tensor, "clips 2 time"]) -> dict[str, float]:
    """Means over clips: log_spectral_db (mean |difference| of 20 log10 magnitudes over bins
    that are above -80 dBFS in either), onset_spectral_db (the same with windows of 128 samples, 3 ms), si_sdr_db (clips
    with sound only), silence_dbfs (level of decoded digital silence), posterior_std_ratio (noise of the latents in
    units of their own standard deviation)."""
    device = codec.latent_mean.device
    sums: dict[str, list[float]] = {}
    for clip in samples:
        true = clip[None].to(device)
        mean, std = codec.posterior(true)
        decoded = codec.reconstruct(mean)[..., : true.shape[-1]]
        for name, window in (("log_spectral_db", FIGURE_WINDOW), ("onset_spectral_db", 128)):
            sums.setdefault(name, []).append(_log_distance_db(decoded, true, window))
        if true.square().mean() > FLOOR**2:
            sums.setdefault("si_sdr_db", []).append(_si_sdr_db(decoded, true))
        sums.setdefault("posterior_std_ratio", []).append((std.mean() / mean.std(2).mean().clamp(min=1e-6)).item())
    figures = {name: sum(values) / len(values) for name, values in sums.items()}
    silence = codec.decode(codec.encode(torch.zeros(1, 2, int(SILENCE_S * codec.sample_rate), device=device)))
    return figures | {"silence_dbfs": 10 * silence.square().mean().clamp(min=1e-14).log10().item()}


def _log_distance_db(decoded: Tensor, true: Tensor, window: int) -> float:
    one, other = magnitudes(decoded, window), magnitudes(true, window)
    audible = torch.maximum(one, other) > 10 * FLOOR
    distance = 20 * ((one + FLOOR).log10() - (other + FLOOR).log10()).abs()
    return (distance[audible].mean() if audible.any() else distance.mean()).item()


def _si_sdr_db(decoded: Tensor, true: Tensor) -> float:
    """Scale-invariant ratio of signal to distortion (Le Roux et al., arXiv 1811.02508)."""
    scaled = (decoded * true).sum() / true.square().sum() * true
    return 10 * (scaled.square().sum() / (decoded - scaled).square().sum().clamp(min=1e-12)).log10().item()


@torch.no_grad()
def spectrogram_picture(codec: GymCodec, clip: Float[Tensor, "2 time"]) -> "Figure":
    """True above decoded: log-magnitude spectrograms of the left channel, and 50 ms at the loudest peak."""
    from matplotlib.figure import Figure

    true = clip[None].to(codec.latent_mean.device)
    decoded = codec.decode(codec.encode(true))[..., : true.shape[-1]]
    figure = Figure(figsize=(12, 8), layout="constrained")
    top, middle, bottom = figure.subplots(3)
    seconds = true.shape[-1] / codec.sample_rate
    for axis, samples, title in ((top, true, "true"), (middle, decoded, "decoded")):
        picture = 20 * (magnitudes(samples, FIGURE_WINDOW)[0, 0] + FLOOR).log10().cpu()
        extent = (0.0, seconds, 0.0, codec.sample_rate / 2000)
        axis.imshow(picture, origin="lower", aspect="auto", vmin=-100, vmax=-20, extent=extent)
        axis.set(title=title, ylabel="kHz")
    peak = int(true[0, 0].abs().argmax())
    span = slice(max(0, peak - codec.sample_rate // 100), peak + codec.sample_rate // 25)
    for samples, title in ((true, "true"), (decoded, "decoded")):
        bottom.plot(samples[0, 0, span].cpu(), label=title, linewidth=0.8)
    bottom.set(title="50 ms at the loudest peak", xlabel="samples")
    bottom.legend()
    return figure
