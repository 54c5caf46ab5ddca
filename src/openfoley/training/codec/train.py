"""Trains the codec: random crops of the Gym's sound through the variational autoencoder, and back.

    z ~ N(mean(x), std(x)),  y = decoder(z)
    loss = spectra(y, x) + kl_weight KL(z | N(0, 1)) [+ adversarial + feature matching after `adversarial_from` steps]

The sampled z is what makes the decoder forgive the small errors of a generator. Afterwards the latents' mean and
standard deviation per channel over the training data are stored in the codec, which normalises by them (`importance`).
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.codecs.oobleck import OobleckCodec, OobleckConfig, fold_weight_norm
from openfoley.codecs.spectral_oobleck import GYM, SpectralOobleckConfig
from openfoley.data.disk import write_json
from openfoley.training.codec.crops import random_crops, to_float
from openfoley.training.codec.discriminator import Discriminator, codec_losses, judge_loss
from openfoley.training.codec.losses import SpectralWeights, kl_to_normal, level_distance, reconstruction_loss
from openfoley.training.codec.report import reconstruction_figures, spectrogram_picture
from openfoley.training.codec.start import GymCodec, add_weight_norm, build_codec, started
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import Both, make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.loop.schedule import warmup_cosine

logger = logging.getLogger(__name__)

WEIGHT_DECAY = 1e-3
BETAS = (0.8, 0.99)  # of AdamW, as in Stable Audio's and DAC's codec trainings
GRADIENT_LIMIT = 10.0  # norm
EMA_DECAY = 0.999
HELD_OUT_CLIPS = 8  # the last clips of the data are never trained on
STATISTICS_CLIPS = 48  # whose latents give the normalisation
JUDGE_WINDOWS = (2048, 1024, 512, 256, 128)  # samples


@dataclass(frozen=True)
class CodecTraining:
    """Everything a training depends on; the defaults are the preset `cpu`. data: folder of a `data.gym_cache.GymCache`.
    crop: samples. adversarial_from: step, None for never."""

    architecture: OobleckConfig | SpectralOobleckConfig = GYM
    data: Path = Path("out/gym/train")
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int = 1
    steps: int = 1800
    spectral: SpectralWeights = SpectralWeights(log_linear=0.5, linear=0.5, colour=0.5, waveform=0.1)
    batch: int = 8
    crop: int = 16 * 1024
    learning_rate: float = 2e-4
    warmup_steps: int = 100
    kl_weight: float = 3e-3
    adversarial_from: int | None = None
    adversarial_weight: float = 0.1
    feature_weight: float = 2.0
    judge_width: int = 16
    validate_every: int = 300
    time_limit_s: float | None = 90 * 60.0


CPU = CodecTraining()
GPU = replace(
    CPU,
    device="cuda",
    steps=12_000,
    spectral=replace(CPU.spectral, colour=1.0),
    batch=32,
    crop=48 * 1024,
    learning_rate=8e-4,
    warmup_steps=300,
    adversarial_from=6000,
    validate_every=2000,
    time_limit_s=None,
)
PRESETS = {"cpu": CPU, "cpu-long": CPU, "gpu": GPU}


def train_codec(preset: CodecTraining, out: Path, *, resume: bool, sound: np.ndarray | None = None) -> Path:
    """Writes out/{config.json, model.safetensors, report.json, log.csv, pictures/}; returns the weights' path.

    sound: int16 [clips, 2, samples] instead of the preset's data folder.
    """
    if sound is None:
        from openfoley.data.gym_cache import GymCache

        sound = GymCache.open(preset.data).sound
    training, held_out = sound[:-HELD_OUT_CLIPS], to_float(sound[-HELD_OUT_CLIPS:])
    run = Run.of(preset, out, resume=resume)
    torch.manual_seed(preset.seed)
    codec = started(preset.architecture, training, preset.crop, run.generator(-1)).to(preset.device)
    add_weight_norm(codec)
    optimizer = make_optimizer("adamw", [codec], preset.learning_rate, betas=BETAS, weight_decay=WEIGHT_DECAY)
    average = averaged(codec, EMA_DECAY)
    run.attach(codec=codec, optimizer=optimizer, average=average)
    judges = _Judges(preset, run) if preset.adversarial_from is not None else None

    for step in run.steps():
        random = run.generator(step)
        true = random_crops(training, preset.batch, preset.crop, random).to(preset.device)
        noise = torch.randn(preset.batch, codec.latent_dim, preset.crop // codec.hop_length, generator=random)
        with torch.autocast(preset.device, torch.bfloat16):
            mean, std = (part.float() for part in codec.posterior(true))
            decoded, magnitudes = _decoded(codec, mean + std * noise.to(preset.device), true)
        spectra = reconstruction_loss(decoded, true, preset.spectral, step=step, rate=codec.sample_rate)
        kl = kl_to_normal(mean, std)
        loss = spectra + magnitudes + preset.kl_weight * kl
        factor = warmup_cosine(step, warmup_steps=preset.warmup_steps, total_steps=preset.steps)
        if judges is not None and step >= (preset.adversarial_from or 0):
            loss = loss + judges.learn_and_judge(true, decoded, factor)
        norm = optimizer.descend(loss, codec.parameters(), factor=factor, limit=GRADIENT_LIMIT)
        average.update_parameters(codec)
        run.log(step, loss=loss, spectra=spectra, magnitudes=magnitudes, kl=kl, posterior_std=std.mean(), gradient=norm)
        if (step + 1) % preset.validate_every == 0:
            _validate(average.module, held_out, run, step)

    weights = out / "model.safetensors"
    if run.first_step == run.total_steps and weights.is_file():  # finished before: other parts may know it by its bytes
        return weights
    return _finish(preset, run, average.module, training, held_out)


def _decoded(
    codec: GymCodec, latents: Float[Tensor, "batch latent_dim latents"], true: Float[Tensor, "batch 2 time"]
) -> tuple[Float[Tensor, "batch 2 time"], Float[Tensor, ""]]:
    """The sound of unnormalised latents, and the distance of the decoder's magnitudes from the true ones (in nepers; 0
    for a codec that predicts none)."""
    if isinstance(codec, OobleckCodec):
        return codec.reconstruct(latents).float(), latents.new_zeros(())
    level, phase = codec.predicted(latents)
    return codec.waveform(level, phase), level_distance(level, codec.log_magnitude(codec.spectrum(true)))


class _Judges:
    """The adversarial part with its own optimiser."""

    def __init__(self, preset: CodecTraining, run: Run) -> None:
        self.preset = preset
        channels = preset.architecture.channels
        self.discriminator = Discriminator(JUDGE_WINDOWS, channels, preset.judge_width).to(preset.device)
        adam = torch.optim.AdamW(self.discriminator.parameters(), preset.learning_rate, BETAS, fused=True)
        self.optimizer = Both(adam)
        run.attach(discriminator=self.discriminator, judge_optimizer=self.optimizer)

    def learn_and_judge(self, true: Tensor, decoded: Tensor, factor: float) -> Tensor:
        """One step of the judges, then what they say to the codec."""
        loss = judge_loss(self.discriminator(true), self.discriminator(decoded.detach()))
        self.optimizer.descend(loss, self.discriminator.parameters(), factor=factor, limit=GRADIENT_LIMIT)
        self.discriminator.requires_grad_(False)
        adversarial, features = codec_losses(self.discriminator(true), self.discriminator(decoded))
        self.discriminator.requires_grad_(True)
        return self.preset.adversarial_weight * adversarial + self.preset.feature_weight * features


@torch.no_grad()
def _validate(codec: nn.Module, held_out: Tensor, run: Run, step: int) -> None:
    assert isinstance(codec, GymCodec)
    figures = reconstruction_figures(codec, held_out[:4])
    run.log(step, always=True, **{f"held_out_{name}": value for name, value in figures.items()})
    run.picture(step, "reconstruction", lambda: spectrogram_picture(codec, held_out[0]))


@torch.no_grad()
def _finish(preset: CodecTraining, run: Run, average: nn.Module, training: np.ndarray, held_out: Tensor) -> Path:
    """Plain weights, normalised latents, the report; model.safetensors comes last, the sign of a finished training."""
    from openfoley.hub.parts import section
    from openfoley.hub.save import save_weights

    codec = build_codec(preset.architecture).eval()
    codec.load_state_dict(fold_weight_norm({name: tensor.cpu() for name, tensor in average.state_dict().items()}))
    codec.to(preset.device)
    set_latent_statistics(codec, to_float(training[:: max(1, len(training) // STATISTICS_CLIPS)]))
    report = reconstruction_figures(codec, held_out)
    logger.info("codec on %d held-out clips: %s", len(held_out), report)
    write_json(run.folder / "report.json", report, indent=2)
    run.picture(run.total_steps, "reconstruction", lambda: spectrogram_picture(codec, held_out[0]))
    described = section("codec", preset.architecture)
    write_json(run.folder / "config.json", described, indent=2)
    path = run.folder / "model.safetensors"
    save_weights(codec.state_dict(), path)
    return path


def set_latent_statistics(codec: GymCodec, samples: Float[Tensor, "clips 2 time"]) -> None:
    """Zero mean per latent channel over these clips, and a mean variance of 1: equal for all channels, or by
    `importance`."""
    device = codec.latent_mean.device
    latents = torch.cat([codec.posterior(clip[None].to(device))[0][0] for clip in samples], 1)
    codec.latent_mean.copy_(latents.mean(1))
    std = latents.std(1).clamp(min=1e-3)  # a channel that carries nothing stays finite
    codec.latent_std.copy_(std / importance(codec, std))


def importance(codec: GymCodec, std: Float[Tensor, " latent_dim"]) -> Float[Tensor, " latent_dim"]:
    """The deviation that a generator is to see in each channel, of mean square 1.

    Components of unit variance are a poor target: most of them are unpredictable details, and a loss over all of them
    hardly depends on the few that say when something sounds. The root of what a channel moves in the log-magnitudes
    lies between that and their true sizes, among which nothing but loudness would count.
    """
    if isinstance(codec, OobleckCodec):
        return torch.ones_like(std)
    moved = (codec.synthesis.weight.square().sum((1, 2)).sqrt() * std).sqrt()
    return moved / moved.square().mean().sqrt()
