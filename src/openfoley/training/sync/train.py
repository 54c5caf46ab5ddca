"""Train the sync encoder: pictures against sound, snippet by snippet (arXiv 2510.02916, sections 3.1 and A.4).

    loss = contrast_weight * SigLIP(picture snippets, sound snippets)
         + onset_weight * BCE(onset head(frame features), onset targets)
         + place_weight * BCE(place head(patch tokens), where an event is seen)
         + material_weight * CE(material heads(patch tokens, frame features), what it sounds on)

The last three are beyond the paper; weight 0 switches them off. Onset targets come from the sound alone
(`data.onsets`), places and materials from the Gym's truth (`data.seen_events`): they stand in for the pretraining that
VideoPrism brings at full size, since from scratch the contrastive loss alone learns nothing in minutes (docs/log.md).
A step takes a few videos with many snippets each, and for each picture snippet further sounds 2 to 10 frames away (see
`data.snippets`).

Writes OUT/config.json and model.safetensors (what the model folder takes), training.json, onset_head.safetensors
and, with a contrast, audio.safetensors (both only needed to measure sync), log.csv, checkpoint.pt.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.config import to_dict
from openfoley.data.augmentation import STRONG, PictureAugmentation, augment, random_boxes
from openfoley.data.disk import write_json
from openfoley.data.gym_cache import FINISHED
from openfoley.data.snippets import Snippets, joined, pair_labels, random_snippets, shifted_snippets
from openfoley.data.sync_clips import SyncClips
from openfoley.encoders import audio_tower, sync
from openfoley.encoders.audio_tower import AudioTower, AudioTowerConfig
from openfoley.encoders.siglip_loss import SiglipLoss
from openfoley.encoders.sync import SyncConfig, SyncEncoder
from openfoley.hub.load import load_part, load_weights
from openfoley.hub.save import save_weights
from openfoley.nn.transfer import sent
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import Both, OptimizerName, make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.sync.heads import Heads, onset_loss, place_loss
from openfoley.training.sync.validation import validate

logger = logging.getLogger(__name__)

LOUDNESS_SPREAD_DB = 8.0  # largest random change of level, so that the level alone identifies nothing
APPEARANCE = "appearance."  # keys of that part; a sync encoder can be trained on to have one
ADAM_BETAS = (0.9, 0.98)  # short trainings forget faster than Adam's 0.999
GRADIENT_LIMIT = 1.0  # norm, of the picture's side


@dataclass(frozen=True)
class SyncTraining:
    """Everything a training depends on; the defaults are the preset `cpu`, half an hour on two cores. Learning rates
    are peaks; the schedule is a warm-up and half a cosine."""

    sync: SyncConfig = sync.GYM
    audio: AudioTowerConfig = audio_tower.GYM
    augmentation: PictureAugmentation = replace(
        STRONG, smallest_crop=0.6, saturation=0.4, tint=0.12, grey_probability=0.08
    )
    data: Path = Path("out/data/train")  # Gym caches
    more_data: tuple[Path, ...] = ()  # others that join, one after another, when they are rendered
    data_shares: tuple[float, ...] = ()  # how often each of these is drawn from; empty: as often as it is long
    validation: Path = Path("out/data/validation")
    semantic: Path = Path("out/semantic")  # folder of the trained semantic encoder, for `sync.appearance`
    start: Path | None = None  # weights of a sync encoder to begin with; None: random ones
    device: str = "cpu"
    seed: int = 1
    steps: int = 2800
    time_limit_s: float = 180 * 60  # stops here at the latest, with the rate at its end (`Run.progress`)
    videos_per_step: int = 10
    snippets_per_video: int = 2
    shifts_per_snippet: int = 1  # further sounds
    optimizer: OptimizerName = "muon"
    learning_rate: float = 2e-3
    encoder_rate: float = 1.0  # share of it for the encoder: less where it was trained before and its heads are new
    audio_learning_rate: float = 1e-3
    appearance_learning_rate: float = 0.0  # of the semantic encoder's tower in it; 0: it stays as it is
    weight_decay: float = 0.02
    warmup_steps: int = 60
    frozen_steps: int = 0  # first steps in which the encoder stays as it is: heads and audio tower, new ones, learn
    average_decay: float = 0.0  # of the weights' moving average, which is what is kept (`loop.ema`); 0: none
    contrast_weight: float = 0.2
    onset_weight: float = 1.0
    place_weight: float = 1.0
    material_weight: float = 1.0
    alike: float = 0.004  # mean absolute difference of activity under which two sounds count as equal
    still: float = 0.15  # largest onset (0..1) under which nothing starts in a snippet
    validate_every: int = 300
    validation_videos: int = 24


CPU = SyncTraining()
CPU_LONG = replace(CPU, steps=11_500, time_limit_s=360 * 60)
GPU = replace(
    CPU, device="cuda", steps=8000, time_limit_s=15 * 60, videos_per_step=160, warmup_steps=100,
    appearance_learning_rate=2e-4, validate_every=1000,
)  # fmt: skip

PAPER = replace(  # the published sizes and rates: VideoPrism and AST pretrained, 1 M steps
    GPU,
    appearance_learning_rate=0.0,
    validate_every=2000,
    sync=sync.FULL,
    audio=audio_tower.FULL,
    steps=1_000_000,
    time_limit_s=30 * 24 * 3600,
    videos_per_step=6,
    snippets_per_video=5,
    optimizer="adamw",
    learning_rate=1e-4,
    audio_learning_rate=3e-5,
    weight_decay=1e-4,
    warmup_steps=2000,
    contrast_weight=1.0,
    onset_weight=0.0,
    place_weight=0.0,
    material_weight=0.0,
    augmentation=STRONG,
)
PRESETS = {"cpu": CPU, "cpu-long": CPU_LONG, "gpu": GPU}


def continued(preset: SyncTraining) -> SyncTraining:
    """The same for an encoder that was trained before: its new heads learn first, then it too, at a low rate, and its
    average is kept. No contrast: its audio tower is no part of a model, and a new one learns nothing in so few steps
    (docs/log.md, E12)."""
    return replace(
        preset, contrast_weight=0.0, encoder_rate=0.4, frozen_steps=min(150, preset.steps // 4), average_decay=0.995
    )


@dataclass(frozen=True)
class Step:
    """One batch, on the clips' device. The first sounds are those of the pictures; activity belongs to the sounds."""

    pictures: Float[Tensor, "snippets frames 3 height width"]  # in 0..1
    sounds: Float[Tensor, "sounds time"]
    activity: Float[Tensor, "sounds frames steps targets"]
    places: Float[Tensor, "snippets frames cells"]  # in 0..1
    materials: Int[Tensor, "snippets frames cells"]
    pairs: Float[Tensor, "snippets sounds"]


def draw_step(clips: SyncClips, preset: SyncTraining, generator: torch.Generator) -> Step:
    """Videos, snippets, shifted sounds and augmentation of one step, all decided by the generator."""
    videos = torch.randperm(len(clips), generator=generator)[: preset.videos_per_step]
    seen = random_snippets(len(videos), preset.snippets_per_video, clips.frame_count, generator)
    seen = Snippets(videos[seen.video], seen.start)
    sounding = joined(seen, shifted_snippets(seen, preset.shifts_per_snippet, clips.frame_count, generator))
    activity = clips.activity(sounding)
    pairs = pair_labels(seen, sounding, activity[: len(seen.start)], activity, alike=preset.alike, still=preset.still)
    gain_db = LOUDNESS_SPREAD_DB * (2 * torch.rand(len(sounding.start), 1, generator=generator) - 1)
    sounds = clips.sounds(sounding)
    boxes = random_boxes(len(seen.start), preset.augmentation, generator)
    places, materials = clips.events.targets(seen, boxes)
    return Step(
        pictures=augment(clips.pictures(seen), boxes, preset.augmentation, generator),
        places=sent(places, sounds.device),
        materials=sent(materials, sounds.device),
        sounds=sounds * (10 ** (gain_db / 20)).to(sounds.device),
        activity=activity,
        pairs=pairs,
    )


def train_sync(preset: SyncTraining, out: Path, *, resume: bool) -> Path:
    """Trains and returns OUT/model.safetensors."""
    folder = Path(out)
    clips = SyncClips.open(preset.data)
    validation = SyncClips.open(preset.validation).named(clips.events.names)
    names, parts_of_data, to_come = clips.events.names, [_at_hand(clips, preset)], list(preset.more_data)
    run = Run.of(preset, folder, resume=resume)

    torch.manual_seed(preset.seed)
    encoder = build_encoder(preset).to(preset.device)
    tower = AudioTower(preset.audio).to(preset.device) if preset.contrast_weight else None
    heads = Heads(encoder.dim, len(names)).to(preset.device)
    siglip = SiglipLoss().to(preset.device)
    pictures_side = [w for part in (encoder, heads, siglip) for w in part.parameters() if w.requires_grad]
    optimizer = _optimizer(preset, encoder, (heads, siglip), tower)
    average = averaged(encoder, preset.average_decay) if preset.average_decay else None
    run.attach(encoder=encoder, heads=heads, siglip=siglip, optimizer=optimizer)
    run.attach(**{name: part for name, part in (("tower", tower), ("average", average)) if part is not None})
    kept = encoder if average is None else cast(SyncEncoder, average.module)

    for step in run.steps():
        while to_come and (to_come[0] / FINISHED).is_file():
            parts_of_data.append(_at_hand(SyncClips.open(to_come.pop(0)).named(names), preset))
        random = run.generator(step)
        batch = draw_step(_one_of(parts_of_data, random, preset.data_shares), preset, random)
        learns = step >= preset.frozen_steps
        with torch.autocast(preset.device, torch.bfloat16):
            with torch.set_grad_enabled(learns):
                tokens = encoder.tokens(batch.pictures)
                features = encoder.pool(tokens)
            seen, logits = heads.place(tokens), heads.onset(features)
            sounds = None if tower is None else tower(batch.sounds)
        onset = onset_loss(logits.float(), batch.activity[: len(features)])
        contrast = place = material = onset.new_zeros(())
        if sounds is not None:
            contrast = siglip(features.float().mean(1), sounds.float().mean(1), batch.pairs)
        if preset.place_weight:
            place = place_loss(seen.float(), batch.places)
        if preset.material_weight:
            targets = batch.places, batch.materials
            material = heads.material.loss(tokens.float(), features.float(), *targets)
        loss = preset.contrast_weight * contrast + preset.onset_weight * onset
        loss = loss + preset.place_weight * place + preset.material_weight * material
        factor = run.rate_factor(step, preset.warmup_steps)
        norm = optimizer.descend(loss, pictures_side, factor=factor, limit=GRADIENT_LIMIT)
        if average is not None and learns:
            average.update_parameters(encoder)
        run.log(step, loss=loss, contrast=contrast, onset=onset, place=place, material=material, gradient=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            figures = validate(
                kept,
                tower,
                heads,
                validation,
                videos=preset.validation_videos,
                still=preset.still,
                seed=preset.seed,
            )
            run.log(step, always=True, **figures)

    if tower is not None:
        save_weights(tower.state_dict(), folder / "audio.safetensors", exact=True)
    save_weights(heads.onset.state_dict(), folder / "onset_head.safetensors", exact=True)
    write_json(folder / "config.json", to_dict(preset.sync), indent=1)
    write_json(folder / "training.json", to_dict(preset), indent=1)
    save_weights(kept.state_dict(), folder / "model.safetensors", exact=True)
    return folder / "model.safetensors"


def _at_hand(clips: SyncClips, preset: SyncTraining) -> SyncClips:
    """On a GPU the clips lie in its memory (5.6 MB each: 33 GB for the 6,000 of the preset `gpu`)."""
    return clips if preset.device == "cpu" else clips.to(preset.device)


def _one_of(parts: list[SyncClips], generator: torch.Generator, shares: tuple[float, ...] = ()) -> SyncClips:
    """One part, by chance, each as likely as its share or, without shares, as it is long."""
    if len(parts) == 1:
        return parts[0]
    weights = torch.tensor(shares[: len(parts)] or [len(part) for part in parts], dtype=torch.float64)
    return parts[int(torch.multinomial(weights, 1, generator=generator))]


def build_encoder(preset: SyncTraining) -> SyncEncoder:
    """Random weights, or those of `preset.start`. If these hold no appearance or none are given, its tower is the
    semantic encoder's. Raises WeightsError where files do not match."""
    encoder = SyncEncoder(preset.sync)
    had = preset.start is not None and load_weights(encoder, preset.start, may_lack=APPEARANCE)
    if encoder.appearance is not None:
        if not had:
            encoder.appearance.take_tower(load_part("semantic", preset.semantic))
        encoder.appearance.tower.requires_grad_(preset.appearance_learning_rate > 0)
    return encoder


def _optimizer(
    preset: SyncTraining, encoder: SyncEncoder, heads: Sequence[nn.Module], tower: AudioTower | None
) -> Both:
    """One each for the encoder, its heads, the audio tower and the appearance's, which have their own rates."""
    looks = None if encoder.appearance is None else encoder.appearance.tower
    groups = [([encoder], preset.encoder_rate * preset.learning_rate), (heads, preset.learning_rate)]
    if tower is not None:
        groups.append(([tower], preset.audio_learning_rate))
    if looks is not None and preset.appearance_learning_rate:
        groups.append(([looks], preset.appearance_learning_rate))
    optimizers = []
    for modules, rate in groups:
        elsewhere = looks.parameters() if looks is not None and encoder in modules else ()
        optimizers += make_optimizer(
            preset.optimizer, modules, rate, betas=ADAM_BETAS, weight_decay=preset.weight_decay, left_out=elsewhere
        ).optimizers
    return Both(*optimizers)
