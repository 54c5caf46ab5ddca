"""Train the Gym-size semantic encoder: frames against captions, SigLIP loss (arXiv 2303.15343, 2502.14786).

    loss = SigLIP(pictures, texts) + material_weight * (BCE of the materials in pictures and in texts
                                                        + CE of the material where an event is seen)

A step takes one picture of each of many scenes, and a text for each: one of the scene's captions, or one of its
objects in a few words. A text is the pair of every scene it is true of; a text about one object is left out for scenes
that hold another object of its material, and otherwise it is a stranger. The materials are beyond the paper: they stand
in for SigLIP-2's pretraining, since from scratch the contrastive loss alone ends in vectors that are all the same
(docs/log.md). Two in three pictures of a scene with events show one, so that some patch is known to show its material.

Writes OUT/config.json, OUT/tokenizer.json and OUT/model.safetensors (what the model folder takes), log.csv,
checkpoint.pt. The full-size SigLIP-2 is published and frozen; it is not trained here.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.config import to_dict
from openfoley.data.augmentation import GENTLE, PictureAugmentation, augment, random_boxes
from openfoley.data.disk import write_json
from openfoley.data.gym_cache import GymCache
from openfoley.data.scene_texts import SceneText, all_texts, draw_text, materials, text_pairs
from openfoley.data.seen_events import NO_MATERIAL, PLACE_GRID, cell_of
from openfoley.data.stills import Stills
from openfoley.encoders import semantic
from openfoley.encoders.semantic import SemanticConfig, SemanticEncoder
from openfoley.encoders.siglip_loss import SiglipLoss
from openfoley.encoders.tokenizer import train_tokenizer
from openfoley.hub.save import save_weights
from openfoley.training.loop.optimizer import OptimizerName, make_optimizer
from openfoley.training.loop.run import Run

logger = logging.getLogger(__name__)

ADAM_BETAS = (0.9, 0.98)
GRADIENT_LIMIT = 1.0  # norm
PROMPTS = ("the sound of {}", "{} sounds", "a {} object")  # for naming materials


@dataclass(frozen=True)
class SemanticTraining:
    """Everything a training depends on; the defaults are the preset `cpu`, of about 9 minutes."""

    semantic: SemanticConfig = semantic.GYM
    augmentation: PictureAugmentation = GENTLE
    data: Path = Path("out/data/stills")  # folder of `data.stills.Stills`
    validation: Path = Path("out/data/validation")  # folder of a `data.gym_cache.GymCache`
    device: str = "cpu"
    seed: int = 1
    steps: int = 3000
    time_limit_s: float = 40 * 60  # stops here at the latest
    scenes_per_step: int = 64
    object_text_share: float = 0.6  # of texts that name one object instead of the scene
    optimizer: OptimizerName = "muon"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 80
    material_weight: float = 10.0
    validate_every: int = 350


CPU = SemanticTraining()
CPU_LONG = replace(CPU, steps=11_000, time_limit_s=90 * 60)  # 49 minutes on one shared core
GPU = replace(CPU, device="cuda", steps=4000, scenes_per_step=256, warmup_steps=200)
PRESETS = {"cpu": CPU, "cpu-long": CPU_LONG, "gpu": GPU}


@dataclass(frozen=True)
class Step:
    """One batch of n pictures and n texts."""

    pictures: Float[Tensor, "n 3 height width"]  # in 0..1
    texts: list[SceneText]
    pairs: Float[Tensor, "n n"]  # the labels of Eq. 1
    materials: Float[Tensor, "n materials"]  # 1 where the scene has visible events of it
    cells: Int[Tensor, " n"]  # the patch that shows an event ...
    shown: Int[Tensor, " n"]  # ... and its material, or NO_MATERIAL


class MaterialHeads(nn.Module):
    """What only training needs: names of materials from pictures, texts and patches."""

    def __init__(self, dim: int, materials: int) -> None:
        super().__init__()
        self.of_picture = nn.Linear(dim, materials)
        self.of_text = nn.Linear(dim, materials)
        self.of_patch = nn.Linear(dim, materials)

    def loss(
        self,
        seen: Float[Tensor, "n dim"],
        patches: Float[Tensor, "n patches dim"],
        read: Float[Tensor, "n dim"],
        batch: Step,
        texts: Float[Tensor, "n materials"],
    ) -> Float[Tensor, ""]:
        """In nats; texts: the materials that each text is about."""
        picture = F.binary_cross_entropy_with_logits(self.of_picture(seen).float(), batch.materials.to(seen.device))
        text = F.binary_cross_entropy_with_logits(self.of_text(read).float(), texts.to(seen.device))
        known = (batch.shown != NO_MATERIAL).nonzero()[:, 0]
        here = patches[known.to(seen.device), batch.cells[known].to(seen.device)]
        patch = F.cross_entropy(self.of_patch(here).float(), batch.shown[known].to(seen.device), reduction="sum")
        return picture + text + patch / max(1, len(known))


def train_semantic(preset: SemanticTraining, out: Path, *, resume: bool) -> Path:
    """Trains and returns OUT/model.safetensors."""
    folder = Path(out)
    stills, validation = Stills.open(preset.data), GymCache.open(preset.validation)
    texts = all_texts(stills.truth)
    tokenizer = train_tokenizer(texts, preset.semantic.vocabulary)
    run = Run.of(preset, folder, resume=resume)
    tokenizer.save(str(folder / "tokenizer.json"))

    torch.manual_seed(preset.seed)
    encoder = SemanticEncoder(preset.semantic, folder / "tokenizer.json").to(preset.device)
    siglip = SiglipLoss().to(preset.device)
    names = tuple(sorted(set().union(*(materials(truth) for truth in stills.truth))))
    heads = MaterialHeads(encoder.dim, len(names)).to(preset.device)
    parameters = [*encoder.parameters(), *siglip.parameters(), *heads.parameters()]
    optimizer = make_optimizer(
        preset.optimizer,
        [encoder, siglip, heads],
        preset.learning_rate,
        betas=ADAM_BETAS,
        weight_decay=preset.weight_decay,
        adam_only=[encoder.siglip.text_model.embeddings.token_embedding.weight],
    )
    run.attach(encoder=encoder, siglip=siglip, heads=heads, optimizer=optimizer)

    for step in run.steps():
        batch = draw_step(stills, names, preset, run.generator(step))
        ids = encoder.token_ids([text.words for text in batch.texts]).to(preset.device)
        named = materials_of(batch.texts, batch.materials, names)
        with torch.autocast(preset.device, torch.bfloat16):
            seen, patches = encoder.look(batch.pictures.to(preset.device))
            read = encoder.texts(ids)
            material = heads.loss(seen, patches, read, batch, named)
        contrast = siglip(seen, read, batch.pairs.to(preset.device))
        loss = contrast + preset.material_weight * material
        factor = run.rate_factor(step, preset.warmup_steps)
        norm = optimizer.descend(loss, parameters, factor=factor, limit=GRADIENT_LIMIT)
        run.log(step, loss=loss, contrast=contrast, material=material, gradient=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            run.log(step, always=True, **validate(encoder, validation))

    zero_unseen_pieces(encoder, texts)
    write_json(folder / "config.json", to_dict(preset.semantic), indent=1)
    write_json(folder / "training.json", to_dict(preset), indent=1)
    save_weights(encoder.state_dict(), folder / "model.safetensors", exact=True)
    return folder / "model.safetensors"


def draw_step(stills: Stills, names: tuple[str, ...], preset: SemanticTraining, generator: torch.Generator) -> Step:
    """Scenes, pictures, texts and augmentation of one step, all decided by the generator."""
    scenes = torch.randperm(len(stills), generator=generator)[: preset.scenes_per_step].tolist()
    which = torch.randint(stills.pictures.shape[1], (len(scenes),), generator=generator).tolist()
    boxes = random_boxes(len(scenes), preset.augmentation, generator)
    cells, shown = [], []
    for scene, picture, box in zip(scenes, which, boxes.tolist(), strict=True):
        event = stills.truth[scene]["shown"][picture]
        cell = event and cell_of(event["x"], event["y"], box)
        cells.append(cell[0] * PLACE_GRID + cell[1] if cell else 0)
        shown.append(names.index(event["material"]) if cell else NO_MATERIAL)
    pictures = torch.from_numpy(stills.pictures[scenes, which])
    truths = [stills.truth[scene] for scene in scenes]
    texts = [draw_text(truth, preset.object_text_share, generator) for truth in truths]
    sounding = [materials(truth) for truth in truths]
    return Step(
        pictures=augment(pictures[:, None], boxes, preset.augmentation, generator)[:, 0],
        texts=texts,
        pairs=text_pairs(truths, texts),
        materials=torch.tensor([[float(name in held) for name in names] for held in sounding]),
        cells=torch.tensor(cells),
        shown=torch.tensor(shown),
    )


def materials_of(
    texts: list[SceneText], held: Float[Tensor, "n materials"], names: tuple[str, ...]
) -> Float[Tensor, "n materials"]:
    """The materials that each text is about: its own, or those of its scene for a whole caption."""
    single = torch.tensor([[float(name == text.material) for name in names] for text in texts])
    return torch.where(single.any(1, keepdim=True), single, held)


@torch.no_grad()
def zero_unseen_pieces(encoder: SemanticEncoder, texts: list[str]) -> None:
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
    scene; chance is the share a random answer would get. picture_spread: mean deviation of a channel from scene to
    scene, of 1 at most; near 0 all vectors are the same.
    """
    encoder.eval()
    truths = [(row, materials(truth)) for row, truth in enumerate(cache.truth) if materials(truth)]
    names = sorted(set().union(*(names for _, names in truths)))
    spoken = encoder.encode_text([prompt.format(name) for name in names for prompt in PROMPTS])
    spoken = spoken.unflatten(0, (len(names), len(PROMPTS))).mean(1)
    hits, chance, looks = [], [], []
    for row, true in truths:
        frames = torch.from_numpy(cache.frames[row, 24::48].copy()).to(spoken.device)
        seen = encoder.encode(frames[None])[0]
        looks.append(seen[0])
        answers = (seen @ spoken.T).argmax(-1).tolist()
        hits += [names[answer] in true for answer in answers]
        chance.append(len(true) / len(names))
    encoder.train()
    vectors = torch.stack(looks)
    result = {
        "picture_spread": float(vectors.std(0).mean()),
        "zero_shot_material": sum(hits) / max(1, len(hits)),
        "zero_shot_material_chance": sum(chance) / max(1, len(chance)),
    }
    logger.info("validation: %s", "  ".join(f"{name} {value:.3f}" for name, value in result.items()))
    return result
