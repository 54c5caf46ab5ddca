"""Train the sync encoder: pictures against sound, snippet by snippet (arXiv 2510.02916, sections 3.1 and A.4).

    loss = contrast_weight * SigLIP(picture snippets, sound snippets)
         + onset_weight * BCE(onset head(frame features), onset targets)
         + place_weight * BCE(place head(patch tokens), where an event is seen)

The last two are beyond the paper; weight 0 switches them off. Onset targets come from the sound alone (`data.onsets`),
places from the Gym's truth: they stand in for the pretraining that VideoPrism brings at full size, since from scratch
the contrastive loss alone learns nothing in minutes (docs/log.md). A step takes a few videos with many snippets each,
and for each picture snippet further sounds 2 to 10 frames away (see `data.snippets`).

Writes OUT/config.json and model.safetensors (what the model folder takes), training.json, audio.safetensors and
onset_head.safetensors (only needed to go on training or to judge sync), log.csv, checkpoint.pt.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.config import to_dict
from openfoley.data.augmentation import STRONG, PictureAugmentation, augment
from openfoley.data.onsets import STEPS_PER_FRAME, TARGETS
from openfoley.data.snippets import Snippets, joined, pair_labels, random_snippets, shifted_snippets
from openfoley.data.sync_clips import PLACE_GRID, SyncClips
from openfoley.encoders import audio_tower, sync
from openfoley.encoders.audio_tower import AudioTower, AudioTowerConfig
from openfoley.encoders.siglip_loss import SiglipLoss
from openfoley.encoders.sync import SyncConfig, SyncEncoder
from openfoley.training.memory import keep_freed_memory
from openfoley.training.muon import Both, OptimizerName, make_optimizer
from openfoley.training.offset_retrieval import offset_retrieval
from openfoley.training.run import Run
from openfoley.training.schedule import set_learning_rate, warmup_cosine

logger = logging.getLogger(__name__)

LOUDNESS_SPREAD_DB = 8.0  # sounds are made up to this much louder or quieter, so that level alone tells nothing
PLACE_POSITIVE_WEIGHT = 10.0  # events fill one cell in 500
RARE = -4.0  # logit: onsets fill about 2 % of the targets
ADAM_BETAS = (0.9, 0.98)  # short trainings forget faster than Adam's 0.999


@dataclass(frozen=True)
class SyncTraining:
    """Everything a training depends on. Learning rates are peaks; the schedule is a warm-up and half a cosine."""

    sync: SyncConfig
    audio: AudioTowerConfig
    augmentation: PictureAugmentation
    data: Path  # Gym caches
    validation: Path
    device: str
    seed: int
    steps: int
    time_limit_s: float  # stops here at the latest; choose steps so that it is not reached, the cosine needs its end
    videos_per_step: int
    snippets_per_video: int
    shifts_per_snippet: int  # further sounds
    optimizer: OptimizerName
    learning_rate: float
    audio_learning_rate: float
    weight_decay: float
    warmup_steps: int
    contrast_weight: float
    onset_weight: float
    place_weight: float
    alike: float  # mean absolute difference of activity under which two sounds cannot be told apart
    still: float  # largest onset (0..1) under which nothing starts in a snippet
    validate_every: int
    validation_videos: int


CPU = SyncTraining(  # one core: about an hour
    sync=sync.GYM,
    audio=audio_tower.GYM,
    augmentation=replace(STRONG, crop_probability=0.0, mirror=False),  # draw_step mirrors, the places with it
    data=Path("out/data/train"),
    validation=Path("out/data/validation"),
    device="cpu",
    seed=1,
    steps=3300,
    time_limit_s=90 * 60,
    videos_per_step=10,
    snippets_per_video=2,
    shifts_per_snippet=1,
    optimizer="muon",
    learning_rate=2e-3,
    audio_learning_rate=1e-3,
    weight_decay=0.02,
    warmup_steps=60,
    contrast_weight=0.2,
    onset_weight=1.0,
    place_weight=1.0,
    alike=0.004,
    still=0.15,
    validate_every=300,
    validation_videos=24,
)

GPU = replace(CPU, device="cuda", steps=12000, time_limit_s=15 * 60, videos_per_step=12, warmup_steps=400)

PAPER = replace(  # the published sizes and rates: VideoPrism and AST pretrained, 1 M steps
    GPU,
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
    augmentation=STRONG,
)


class OnsetHead(nn.Module):
    """Frame features [..., dim] -> logits of `onset_targets` [..., STEPS_PER_FRAME, TARGETS]; for training only."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        last = nn.Linear(dim, STEPS_PER_FRAME * TARGETS)
        nn.init.constant_(last.bias, RARE)
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).unflatten(-1, (STEPS_PER_FRAME, TARGETS))


class PlaceHead(nn.Module):
    """Patch tokens [..., patches, dim] -> logit that an event is seen there now [..., patches]; for training only."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))
        nn.init.constant_(self.layers[1].bias, RARE)  # type: ignore[arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens).squeeze(-1)


@dataclass(frozen=True)
class Step:
    """One batch. The first sounds are those of the pictures; activity belongs to the sounds."""

    pictures: Tensor  # float [n, 16, 3, height, width] in 0..1
    sounds: Tensor  # float [m, 10667]
    activity: Tensor  # float [m, 16, 4, 7]
    places: Tensor  # float [n, 16, PLACE_GRID ** 2] in 0..1
    pairs: Tensor  # float [n, m]


def draw_step(clips: SyncClips, preset: SyncTraining, generator: torch.Generator) -> Step:
    """Videos, snippets, shifted sounds and augmentation of one step, all decided by the generator."""
    videos = torch.randperm(len(clips), generator=generator)[: preset.videos_per_step]
    seen = random_snippets(len(videos), preset.snippets_per_video, clips.frame_count, generator)
    seen = Snippets(videos[seen.video], seen.start)
    heard = joined(seen, shifted_snippets(seen, preset.shifts_per_snippet, clips.frame_count, generator))
    activity = clips.activity(heard)
    pairs = pair_labels(seen, heard, activity[: len(seen.start)], activity, alike=preset.alike, still=preset.still)
    gain_db = LOUDNESS_SPREAD_DB * (2 * torch.rand(len(heard.start), 1, generator=generator) - 1)
    mirrored = torch.rand(len(seen.start), generator=generator) < 0.5
    pictures, places = clips.pictures(seen), clips.events(seen).unflatten(-1, (PLACE_GRID, PLACE_GRID))
    return Step(
        pictures=augment(_mirror(pictures, mirrored), preset.augmentation, generator),
        places=_mirror(places, mirrored).flatten(-2),
        sounds=clips.sounds(heard) * 10 ** (gain_db / 20),
        activity=activity,
        pairs=pairs,
    )


def _mirror(pictures: Tensor, chosen: Tensor) -> Tensor:
    """Left and right change places in the chosen rows."""
    return torch.where(chosen.view(-1, *[1] * (pictures.ndim - 1)), pictures.flip(-1), pictures)


def train_sync(preset: SyncTraining, out: Path, *, resume: bool) -> Path:
    """Trains and returns OUT/model.safetensors."""
    from safetensors.torch import save_file

    keep_freed_memory()
    folder = Path(out)
    clips, validation = SyncClips.open(preset.data), SyncClips.open(preset.validation)
    run = Run(folder, total_steps=preset.steps, seed=preset.seed, resume=resume, time_limit_s=preset.time_limit_s)

    torch.manual_seed(preset.seed)
    encoder = SyncEncoder(preset.sync).to(preset.device)
    tower = AudioTower(preset.audio).to(preset.device)
    head, place_head = OnsetHead(encoder.dim).to(preset.device), PlaceHead(encoder.dim).to(preset.device)
    siglip = SiglipLoss().to(preset.device)
    parts = (encoder, head, place_head, siglip)
    mine = [p for part in parts for p in part.parameters() if p.requires_grad]
    optimizer = _optimizer(preset, parts, tower)
    run.attach(encoder=encoder, tower=tower, head=head, place_head=place_head, siglip=siglip, optimizer=optimizer)

    for step in run.steps():
        set_learning_rate(optimizer, warmup_cosine(step, warmup_steps=preset.warmup_steps, total_steps=preset.steps))
        batch = draw_step(clips, preset, run.generator(step))
        with torch.autocast(preset.device, torch.bfloat16):
            tokens = encoder.tokens(batch.pictures.to(preset.device))
            features, seen = encoder.pool(tokens), place_head(tokens)
            sounds = tower(batch.sounds.to(preset.device))
            logits = head(features)
        contrast = siglip(features.float().mean(1), sounds.float().mean(1), batch.pairs.to(preset.device))
        onset = onset_loss(logits.float(), batch.activity[: len(features)].to(preset.device))
        place = place_loss(seen.float(), batch.places.to(preset.device)) if preset.place_weight else onset.new_zeros(())
        loss = preset.contrast_weight * contrast + preset.onset_weight * onset + preset.place_weight * place
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(mine, 1.0)
        optimizer.step()
        run.log(step, loss=loss, contrast=contrast, onset=onset, place=place, gradient=norm)
        if (step + 1) % preset.validate_every == 0 or step + 1 == preset.steps:
            run.log(step, always=True, **validate(encoder, tower, head, validation, preset))

    save_file(encoder.state_dict(), folder / "model.safetensors")
    save_file(tower.state_dict(), folder / "audio.safetensors")
    save_file(head.state_dict(), folder / "onset_head.safetensors")
    (folder / "config.json").write_text(json.dumps(to_dict(preset.sync), indent=1))
    (folder / "training.json").write_text(json.dumps(to_dict(preset), indent=1))
    return folder / "model.safetensors"


def _optimizer(preset: SyncTraining, parts: Iterable[nn.Module], tower: AudioTower) -> Both:
    """One for the picture's side and one for the audio tower, which has a rate of its own."""
    of_parts, of_tower = (
        make_optimizer(preset.optimizer, modules, rate, betas=ADAM_BETAS, weight_decay=preset.weight_decay)
        for modules, rate in ((parts, preset.learning_rate), ([tower], preset.audio_learning_rate))
    )
    return Both(*of_parts.optimizers, *of_tower.optimizers)


def onset_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy in nats per frame, less its smallest possible value (the entropy of the targets): 0 is perfect."""
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") - _entropy(targets)
    return loss.flatten(2).sum(-1).mean()


def place_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Weighted cross entropy per frame, summed over the patches; both [n, frames, patches]."""
    weight = 1 + (PLACE_POSITIVE_WEIGHT - 1) * targets
    return F.binary_cross_entropy_with_logits(logits, targets, weight=weight, reduction="none").sum(-1).mean()


def _entropy(targets: Tensor) -> Tensor:
    return -(torch.xlogy(targets, targets) + torch.xlogy(1 - targets, 1 - targets))


@torch.no_grad()
def validate(
    encoder: SyncEncoder, tower: AudioTower, head: OnsetHead, clips: SyncClips, preset: SyncTraining
) -> dict[str, float]:
    """Retrieval of the right offset, and how well the onset head knows when things start, on clips never trained on."""
    for part in (encoder, tower, head):
        part.eval()
    with torch.autocast(preset.device, torch.bfloat16):
        found = offset_retrieval(
            encoder,
            tower,
            clips,
            videos=preset.validation_videos,
            per_video=6,
            reach=12,
            still=preset.still,
            generator=torch.Generator().manual_seed(preset.seed),
        )
        predicted, true = [], []
        for video in range(0, min(preset.validation_videos, len(clips)), 4):
            frames = torch.from_numpy(clips.frames[video].copy()).to(preset.device)
            predicted.append(head(encoder.encode(frames[None])[0]).float().sigmoid()[..., :-1].amax(-1).flatten().cpu())
            true.append(torch.from_numpy(clips.onsets[video] / 255)[..., :-1].amax(-1).flatten())
    for part in (encoder, tower, head):
        part.train()
    correlation = torch.corrcoef(torch.stack([torch.cat(predicted), torch.cat(true).float()]))[0, 1]
    result = {f"offset_{name}": float(value) for name, value in asdict(found).items()}
    result["onset_correlation"] = float(correlation.nan_to_num())
    logger.info("validation: %s", "  ".join(f"{name} {value:.4g}" for name, value in result.items()))
    return result
