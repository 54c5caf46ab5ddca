"""Train the Gym-size semantic encoder: frames against captions, SigLIP loss (arXiv 2303.15343, 2502.14786).

A step takes one random frame from each of many scenes, and a text for each: one of the scene's captions, or one of its
objects in a few words. A text is the pair of every scene it is true of; a text about one object is left out for scenes
that hold another object of its material, and otherwise it is a stranger.

Writes OUT/config.json, OUT/tokenizer.json and OUT/model.safetensors (what the model folder takes), log.csv,
checkpoint.pt. The full-size SigLIP-2 is published and frozen; it is not trained here.
"""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from openfoley.config import to_dict
from openfoley.data.augmentation import GENTLE, PictureAugmentation, augment
from openfoley.data.gym_cache import GymCache
from openfoley.data.scene_texts import SceneText, all_texts, draw_text, materials, text_pairs
from openfoley.encoders import semantic
from openfoley.encoders.semantic import SemanticConfig, SemanticEncoder
from openfoley.encoders.siglip_loss import SiglipLoss
from openfoley.encoders.tokenizer import train_tokenizer
from openfoley.training.memory import keep_freed_memory
from openfoley.training.muon import OptimizerName, make_optimizer
from openfoley.training.run import Run
from openfoley.training.schedule import set_learning_rate, warmup_cosine

logger = logging.getLogger(__name__)

ADAM_BETAS = (0.9, 0.98)
PROMPTS = ("the sound of {}", "{} sounds", "a {} object")  # for naming materials


@dataclass(frozen=True)
class SemanticTraining:
    """Everything a training depends on."""

    semantic: SemanticConfig
    augmentation: PictureAugmentation
    data: Path  # Gym caches
    validation: Path
    device: str
    seed: int
    steps: int
    time_limit_s: float  # stops here at the latest
    scenes_per_step: int
    object_text_share: float  # of texts that name one object instead of the scene
    optimizer: OptimizerName
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    validate_every: int


CPU = SemanticTraining(  # one core: about 18 minutes
    semantic=semantic.GYM,
    augmentation=GENTLE,
    data=Path("out/data/train"),
    validation=Path("out/data/validation"),
    device="cpu",
    seed=1,
    steps=3500,
    time_limit_s=40 * 60,
    scenes_per_step=64,
    object_text_share=0.6,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.05,
    warmup_steps=80,
    validate_every=350,
)

GPU = replace(CPU, device="cuda", steps=4000, scenes_per_step=256, warmup_steps=200)


def train_semantic(preset: SemanticTraining, out: Path, *, resume: bool) -> Path:
    """Trains and returns OUT/model.safetensors."""
    from safetensors.torch import save_file

    keep_freed_memory()
    folder = Path(out)
    cache, validation = GymCache.open(preset.data), GymCache.open(preset.validation)
    texts = all_texts(cache.truth)
    tokenizer = train_tokenizer(texts, preset.semantic.vocabulary)
    run = Run(folder, total_steps=preset.steps, seed=preset.seed, resume=resume, time_limit_s=preset.time_limit_s)
    tokenizer.save(str(folder / "tokenizer.json"))

    torch.manual_seed(preset.seed)
    encoder = SemanticEncoder(preset.semantic, folder / "tokenizer.json").to(preset.device)
    siglip = SiglipLoss().to(preset.device)
    parameters = [*encoder.parameters(), *siglip.parameters()]
    optimizer = make_optimizer(
        preset.optimizer,
        [encoder, siglip],
        preset.learning_rate,
        betas=ADAM_BETAS,
        weight_decay=preset.weight_decay,
        adam_only=[encoder.siglip.text_model.embeddings.token_embedding.weight],
    )
    run.attach(encoder=encoder, siglip=siglip, optimizer=optimizer)

    for step in run.steps():
        set_learning_rate(optimizer, warmup_cosine(step, warmup_steps=preset.warmup_steps, total_steps=preset.steps))
        pictures, drawn, pairs = draw_step(cache, preset, run.generator(step))
        ids = encoder.token_ids([text.words for text in drawn]).to(preset.device)
        with torch.autocast(preset.device, torch.bfloat16):
            seen, read = encoder.pictures(pictures.to(preset.device)), encoder.texts(ids)
        loss = siglip(seen, read, pairs.to(preset.device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        run.log(step, loss=loss, gradient=norm)
        if (step + 1) % preset.validate_every == 0 or step + 1 == preset.steps:
            run.log(step, always=True, **validate(encoder, validation))

    hush_unseen_pieces(encoder, texts)
    save_file(encoder.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(to_dict(preset.semantic), indent=1))
    (folder / "training.json").write_text(json.dumps(to_dict(preset), indent=1))
    return folder / "model.safetensors"


def draw_step(
    cache: GymCache, preset: SemanticTraining, generator: torch.Generator
) -> tuple[Tensor, list[SceneText], Tensor]:
    """Pictures [n, 3, height, width] in 0..1, a text for each, and the labels [n, n] of Eq. 1."""
    scenes = torch.randperm(len(cache), generator=generator)[: preset.scenes_per_step].tolist()
    frames = torch.randint(0, cache.frames.shape[1], (len(scenes),), generator=generator).tolist()
    pictures = torch.stack([torch.from_numpy(cache.frames[s, f].copy()) for s, f in zip(scenes, frames, strict=True)])
    truths = [cache.truth[scene] for scene in scenes]
    texts = [draw_text(truth, preset.object_text_share, generator) for truth in truths]
    return augment(pictures[:, None], preset.augmentation, generator)[:, 0], texts, text_pairs(truths, texts)


@torch.no_grad()
def hush_unseen_pieces(encoder: SemanticEncoder, texts: list[str]) -> None:
    """Pieces that no training text holds kept their random start; at zero they carry no message."""
    ids = encoder.token_ids(texts).unique()
    table = encoder.siglip.text_model.embeddings.token_embedding.weight
    unseen = torch.ones(len(table), dtype=torch.bool)
    unseen[ids] = False
    table[unseen.to(table.device)] = 0.0


@torch.no_grad()
def validate(encoder: SemanticEncoder, cache: GymCache) -> dict[str, float]:
    """Naming the material of what sounds from single frames, without training for it.

    zero_shot_material: share of frames whose nearest material prompt is among the materials that sound visibly in the
    scene; chance is the share a random answer would get.
    """
    encoder.eval()
    truths = [(row, materials(truth)) for row, truth in enumerate(cache.truth) if materials(truth)]
    names = sorted(set().union(*(names for _, names in truths)))
    spoken = encoder.encode_text([prompt.format(name) for name in names for prompt in PROMPTS])
    spoken = spoken.unflatten(0, (len(names), len(PROMPTS))).mean(1)
    hits, chance = [], []
    for row, true in truths:
        frames = torch.from_numpy(cache.frames[row, 24::48].copy()).to(spoken.device)
        answers = (encoder.encode(frames[None])[0] @ spoken.T).argmax(-1).tolist()
        hits += [names[answer] in true for answer in answers]
        chance.append(len(true) / len(names))
    encoder.train()
    result = {
        "zero_shot_material": sum(hits) / max(1, len(hits)),
        "zero_shot_material_chance": sum(chance) / max(1, len(chance)),
    }
    logger.info("validation: %s", "  ".join(f"{name} {value:.3f}" for name, value in result.items()))
    return result
