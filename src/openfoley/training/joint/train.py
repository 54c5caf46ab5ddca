"""Trains one stage of a joint model of sound and picture, resumable at any step (arXiv 2409.17550, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn

from openfoley.codecs.folded import FoldedCodec
from openfoley.data.pairs.pair import PairBatch, Pairs, batch_of
from openfoley.encoders.words import vocabulary_of
from openfoley.generators.joint.model import JointGenerator, Pair, PairText
from openfoley.hub.load import load_weights
from openfoley.hub.pair_parts import FORMAT, PairCodec, PairModelConfig, base_modules
from openfoley.hub.save import save_weights
from openfoley.media.write.atomic import replace_when_done
from openfoley.training.joint.objective import Losses, all_powers, base_loss, joint_losses, kept_captions
from openfoley.training.joint.presets import JointTraining, PairTraining
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import make_optimizer
from openfoley.training.loop.run import Run

BETAS = (0.9, 0.999)
HALF, HALF_FILE = 0.5, "half.safetensors"
"""Of a training of connectors: then the averaged weights are kept, as a training of half the length (but for the end of
the learning rate's schedule)."""
PLAIN = 0.5
"""Probability of a clip's first caption; else any is drawn."""
DEFAULT_STEPS, VIDEO_GUIDANCE, AUDIO_GUIDANCE = 25, 2.0, 2.0
"""At Gym size; not tuned. The published ones, 7.5 and 2.5, are for models with a wide choice of what to make."""


class PairNetworks(Protocol):
    """What a training computes with."""

    generator: JointGenerator

    @property
    def codec(self) -> PairCodec: ...

    def text(self, captions: Sequence[str]) -> PairText: ...


class Networks(nn.Module):
    """The generator and the words that its U-Nets read."""

    def __init__(self, config: PairModelConfig) -> None:
        super().__init__()
        self.generator = JointGenerator(config.generator)
        self.video_words, self.audio_words, files = base_modules(config, self.generator)
        self.files = files
        self.codec = FoldedCodec(config.codec)

    def text(self, captions: Sequence[str]) -> PairText:
        return PairText(self.video_words(captions), self.audio_words(captions))


class Trained(nn.Module):
    """What a stage trains, under one roof: for the optimiser, the average and the checkpoint. Shares its weights with
    the networks."""

    def __init__(self, weights: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self.weights = nn.ParameterDict({name.replace(".", "/"): value for name, value in weights.items()})


def train_stage_on(
    preset: PairTraining, training: Pairs, validation: Pairs, out: Path, *, resume: bool
) -> tuple[PairModelConfig, Networks]:
    """Writes out/{model.safetensors (averages of all that is trained, and of that file's rest the start), log.csv}, and
    of connectors alone HALF_FILE; returns the networks with the averaged weights."""
    run = Run.of(preset, out, resume=resume)
    config = model_config(preset, training)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        networks = Networks(config)
    for base in preset.bases:
        load_weights(networks.files[base.name], base / "model.safetensors")
    networks.to(preset.device).train()
    trained = Trained(chosen_weights(networks, preset))
    networks.requires_grad_(False)
    keeps = preset.stage == "connectors" and preset.trained == "connectors"
    half = out / HALF_FILE if keeps else None
    optimise(run, preset, networks, trained, training, validation, half)
    if preset.trained != "connectors":
        for name in ("video", "audio"):
            _save(networks.files[name], out / f"{name}.safetensors")
    _save(networks.files[preset.stage], out / "model.safetensors")
    return config, networks


def _save(module: nn.Module, path: Path) -> None:
    """Whole or not at all: a stage whose weights are there counts as finished."""
    with replace_when_done(path, force=True) as unfinished:
        save_weights(module.state_dict(), unfinished, exact=True)


def optimise(
    run: Run,
    preset: JointTraining,
    networks: PairNetworks,
    trained: Trained,
    training: Pairs,
    validation: Pairs,
    half: Path | None = None,
) -> None:
    """All steps of a stage; at the end the networks have the averaged weights. Gradients of several passes are added
    up, each divided by their number. half: where the connectors' averages of half of the training are kept."""
    trained.requires_grad_(True)
    average = averaged(trained, preset.ema_decay)
    optimizer = make_optimizer("adamw", [trained], preset.learning_rate, betas=BETAS, weight_decay=preset.weight_decay)
    run.attach(model=trained, average=average, optimizer=optimizer)
    device, sound_steps = torch.device(preset.device), networks.codec.sound_steps(int(training.form.samples))
    held = latents_of(networks.codec, first_of(validation, preset.validation), device)
    keeps_half = half is not None and not (run.first_step and half.exists())

    for step in run.steps():
        if step == 0:  # of the bare base models, in the third stage: its connectors add nothing yet
            run.log(-1, always=True, **validated(networks, preset, *held, run.generator(-1), sound_steps))
        random = run.generator(step)
        optimizer.zero_grad()
        losses: Losses = {}
        for _ in range(preset.passes):
            batch = drawn(training, preset.batch, random)
            captions = kept_captions(one_caption(batch, random), preset.caption_drop, random)
            latents = latents_of(networks.codec, batch, device)[0]
            with precision_of(preset, device):
                losses = stage_losses(networks, preset, latents, captions, random, sound_steps)
            (losses["loss"] / preset.passes).backward()
        factor = run.rate_factor(step, preset.warmup_steps)
        norm = optimizer.update(trained.parameters(), factor=factor, limit=preset.gradient_norm)
        average.update_parameters(trained)
        run.log(step, always=False, **losses, gradient_norm=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            with with_average(trained, average.module):
                run.log(step, always=True, **validated(networks, preset, *held, run.generator(-1), sound_steps))
        if keeps_half and half is not None and (run.progress(step + 1) >= HALF or run.ends_with(step)):
            with with_average(trained, average.module):
                _save(networks.generator.connectors, half)
            run.log(step, always=True, half=step + 1)
            keeps_half = False
    with torch.no_grad():
        _copy(trained, average.module)
    if keeps_half and half is not None:  # resumed with less time than it had taken
        _save(networks.generator.connectors, half)


def model_config(preset: PairTraining, training: Pairs) -> PairModelConfig:
    """What the folder of the finished model says of it, but for the curves."""
    words = vocabulary_of(caption for captions in training.captions for caption in captions)
    return PairModelConfig(
        format=FORMAT, kind="pair", name="pair", generator=preset.architecture, codec=preset.codec,
        frames=training.form.count, video_words=words, audio_words=words, longest=preset.longest, steps=DEFAULT_STEPS,
        video_guidance=VIDEO_GUIDANCE, audio_guidance=AUDIO_GUIDANCE, curves=None,
    )  # fmt: skip


def chosen_weights(networks: Networks, preset: PairTraining) -> dict[str, nn.Parameter]:
    """A base stage: its U-Net and words. The third: the connectors, and what `preset.trained` adds."""
    found = {f"{preset.stage}.{name}": value for name, value in networks.files[preset.stage].named_parameters()}
    if preset.stage == "connectors" and preset.trained != "connectors":
        for base in ("video", "audio"):
            for name, value in networks.files[base].named_parameters():
                if preset.trained == "everything" or "motion_modules" in name:
                    found[f"{base}.{name}"] = value
    return found


def stage_losses(
    networks: PairNetworks,
    preset: JointTraining,
    latents: Pair,
    captions: Sequence[str],
    random: torch.Generator,
    sound_steps: int | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """sound_steps: see `joint_losses`."""
    generator, powers = networks.generator, all_powers(preset.architecture, latents.video.device)
    text = networks.text(captions)
    if preset.stage == "connectors":
        return joint_losses(generator, text, latents, powers, preset.self_condition, random, sound_steps)
    chosen = {
        "video": (partial(_alone, generator.video_noise, text.video), latents.video, powers[0]),
        "audio": (partial(_alone, generator.audio_noise, text.audio), latents.audio, powers[1]),
    }
    return {"loss": base_loss(*chosen[preset.stage], random, preset.architecture.prediction)}


def _alone(
    noise_of: Callable[..., Float[Tensor, "..."]],
    text: Float[Tensor, "..."],
    x: Float[Tensor, "..."],
    t: Int64[Tensor, " batch"],
) -> Float[Tensor, "..."]:
    """Of a bare U-Net."""
    return noise_of(x, t, text, None)


@torch.no_grad()
def validated(
    networks: PairNetworks,
    preset: JointTraining,
    latents: Pair,
    captions: Sequence[str],
    random: torch.Generator,
    sound_steps: int | None = None,
) -> dict[str, float]:
    """The losses of this stage on the validation clips, the same noise and timesteps every time."""
    sums: dict[str, float] = {}
    for first in range(0, len(captions), preset.together):
        rows = slice(first, first + preset.together)
        part, some = Pair(*(each[rows] for each in latents)), captions[rows]
        with precision_of(preset, latents.video.device):
            losses = stage_losses(networks, preset, part, some, random, sound_steps)
        sums = {name: sums.get(name, 0.0) + len(some) * float(value) for name, value in losses.items()}
    return {f"validation_{name}": value / len(captions) for name, value in sums.items()}


def precision_of(preset: JointTraining, device: torch.device) -> torch.autocast:
    """That passes run under."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=preset.precision == "bfloat16")


def first_of(pairs: Pairs, count: int) -> PairBatch:
    return batch_of(pairs, range(min(count, len(pairs))))


def latents_of(codec: PairCodec, batch: PairBatch, device: torch.device) -> tuple[Pair, list[str]]:
    """And the plainest captions."""
    latents = Pair(codec.encode_video(batch.frames).to(device), codec.encode_audio(batch.sound).to(device))
    return latents, [captions[0] for captions in batch.captions]


def drawn(pairs: Pairs, size: int, random: torch.Generator) -> PairBatch:
    return batch_of(pairs, torch.randint(len(pairs), (size,), generator=random).tolist())


def one_caption(batch: PairBatch, random: torch.Generator) -> list[str]:
    """Half of the time a clip's plainest caption, which prompts are like, else any."""
    return [
        c[0] if float(torch.rand((), generator=random)) < PLAIN else c[int(torch.randint(len(c), (), generator=random))]
        for c in batch.captions
    ]


@contextmanager
def with_average(trained: Trained, average: nn.Module) -> Iterator[None]:
    """The networks with the averaged weights, while the block runs."""
    kept = {name: value.detach().to("cpu", copy=True) for name, value in trained.state_dict().items()}
    with torch.no_grad():
        _copy(trained, average)
    try:
        yield
    finally:
        trained.load_state_dict(kept)


def _copy(trained: Trained, source: nn.Module) -> None:
    values: dict[str, Shaped[Tensor, "..."]] = source.state_dict()
    trained.load_state_dict(values)
