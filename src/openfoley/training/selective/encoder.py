"""Stage 1 of SelVA at Gym size (arXiv 2512.02650, section 3): what a text selects from the sync encoder's tokens.

    loss = | student(mixed picture, words of the target) - teacher(clean picture of the target) |^2, of pooled features

The teacher is the sync encoder itself, frozen; the student is its trunk, frozen too, with a selection behind it
(`encoders.selective_sync`). A step mixes true scenes of several sources, auto-mixed pictures of single ones (the same
material or action often as the partner) and names of what is not there, whose clean picture is the empty scene.

Writes OUT/config.json and model.safetensors (the selection and its pooling), training.json, log.csv, checkpoint.pt.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from openfoley.config import to_dict
from openfoley.data.auto_mixing import PARTNERS, Mixing, draw_mix, mixed
from openfoley.data.disk import write_json
from openfoley.data.gym_sources import GymSources, Source
from openfoley.data.snippets import SNIPPET_FRAMES
from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync, own_tensors
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.semantic_words import SemanticWords
from openfoley.encoders.sync import SyncEncoder
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import UsageError
from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.save import save_weights
from openfoley.training.loop.optimizer import OptimizerName, make_optimizer
from openfoley.training.loop.run import Run

BRIGHTEST = 255
Pictures = UInt8[Tensor, "items frames 3 height width"]


@dataclass(frozen=True)
class SelectiveEncoderTraining:
    """Everything a training depends on. sync, semantic: weights in the folder of the model that it belongs to.
    scene_share, absent_share: of the items, true scenes and names of what is absent; the others are auto-mixed.
    same_class: of the auto-mixed, with a partner of the same material or action."""

    data: Path = Path("out/data/sources")
    validation: Path = Path("out/data/sources-validation")
    sync: Path = Path("sync.safetensors")
    semantic: Path = Path("semantic.safetensors")
    selection: TextSelectionConfig = selective_sync.GYM
    mixing: Mixing = field(default_factory=lambda: Mixing(probability=1.0))
    scene_share: float = 0.5
    absent_share: float = 0.1
    same_class: float = 0.5
    items: int = 12
    steps: int = 6000
    optimizer: OptimizerName = "muon"
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    validate_every: int = 500
    validation_items: int = 48
    device: str = "cpu"
    seed: int = 1
    time_limit_s: float | None = None


@dataclass(frozen=True)
class Step:
    """Pictures as the student and the teacher have them, and what each item's words are."""

    pictures: Pictures
    clean: Pictures
    names: list[str]


@dataclass(frozen=True)
class SourceItems:
    """Items of a cache, drawn by a generator."""

    cache: GymSources

    @cached_property
    def present(self) -> list[Source]:
        return [one for one in self.cache.sources if not one.absent and one.is_seen]

    @cached_property
    def absent(self) -> list[Source]:
        return [one for one in self.cache.sources if one.absent]

    def draw(self, settings: SelectiveEncoderTraining, random: torch.Generator) -> Step:
        items = [self._item(settings, random) for _ in range(settings.items)]
        pictures, clean, names = zip(*items, strict=True)
        return Step(torch.stack(pictures), torch.stack(clean), list(names))

    def _item(self, settings: SelectiveEncoderTraining, random: torch.Generator) -> tuple[Tensor, Tensor, str]:
        chance, start = self._uniform(random), self._integer(self.cache.frames.shape[1] - SNIPPET_FRAMES + 1, random)
        is_absent = chance < settings.absent_share and len(self.absent) > 0
        of = self.absent if is_absent else self.present
        source = of[self._integer(len(of), random)]
        name = source.names[self._integer(len(source.names), random)]
        clean = self._snippet(source.alone, start)
        if is_absent or chance < settings.absent_share + settings.scene_share:
            return self._snippet(source.whole, start), clean, name
        mix = draw_mix(settings.mixing, random)
        if mix is None:
            return clean, clean, name
        partners = [self._partner(source, name, settings, random) for _ in range(PARTNERS[mix.layout])]
        others = torch.stack([self._snippet(one.alone, start) for one in partners])
        return mixed(clean, others, mix), clean, name

    def _partner(
        self, source: Source, name: str, settings: SelectiveEncoderTraining, random: torch.Generator
    ) -> Source:
        """Another thing that the name does not mean; of its material or action with probability `same_class`."""
        others = [one for one in self.present if one.whole != source.whole and not _fits(name, source, one)]
        near = [one for one in others if one.material == source.material or one.action == source.action]
        chosen = near if near and self._uniform(random) < settings.same_class else others
        if not chosen:
            raise UsageError("these scenes show one kind of thing alone; auto-mixing needs others, render more scenes")
        return chosen[self._integer(len(chosen), random)]

    def _snippet(self, row: int, start: int) -> UInt8[Tensor, "frames 3 height width"]:
        return torch.from_numpy(np.array(self.cache.frames[row, start : start + SNIPPET_FRAMES]))

    @staticmethod
    def _integer(high: int, random: torch.Generator) -> int:
        return int(torch.randint(high, (), generator=random))

    @staticmethod
    def _uniform(random: torch.Generator) -> float:
        return float(torch.rand((), generator=random))


def _fits(name: str, source: Source, other: Source) -> bool:
    """Whether a name of `source` may mean the other too: its own, or one by the material alone."""
    if name in other.names or (source.material, source.action) == (other.material, other.action):
        return True
    by_material = name.startswith("the ") and name.endswith(" one")
    thing = source.names[0] == other.names[0]
    return thing or (by_material and source.material == other.material)


def train_selective_encoder(settings: SelectiveEncoderTraining, out: Path, *, resume: bool) -> Path:
    """Trains and returns OUT/model.safetensors."""
    items, held_out = SourceItems(GymSources.open(settings.data)), SourceItems(GymSources.open(settings.validation))
    run = Run.of(settings, out, resume=resume)
    model = load_model(settings.sync.parent, settings.device)
    student, words = new_student(model, settings.selection, settings.seed)
    trained = list(student.trained_parameters())
    optimizer = make_optimizer(
        settings.optimizer, [student], settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
    own = Own(student)
    run.attach(student=own, optimizer=optimizer)
    fixed = held_out.draw(_many(settings), torch.Generator().manual_seed(0))
    for step in run.steps():
        batch = items.draw(settings, run.generator(step))
        loss, _ = errors(student, words, batch)
        factor = run.rate_factor(step, settings.warmup_steps)
        norm = optimizer.descend(loss, trained, factor=factor, limit=settings.gradient_norm)
        run.log(step, loss=loss, gradient=norm)
        if (step + 1) % settings.validate_every == 0 or run.ends_with(step):
            with torch.no_grad():
                left, unselected = errors(student, words, fixed)
            run.log(step, always=True, validation=left, validation_share=left / unselected)
    write_json(out / "config.json", to_dict(settings.selection), indent=1)
    write_json(out / "training.json", to_dict(settings), indent=1)
    save_weights(own.state_dict(), out / "model.safetensors", exact=True)
    return out / "model.safetensors"


class Own:
    """A student's state without its trunk's, for checkpoints."""

    def __init__(self, student: SelectiveSync) -> None:
        self.student = student

    def state_dict(self) -> dict[str, Shaped[Tensor, "..."]]:
        return own_tensors(self.student.state_dict())

    def load_state_dict(self, state_dict: dict[str, Shaped[Tensor, "..."]]) -> None:
        self.student.load_state_dict({**self.student.state_dict(), **state_dict})


def new_student(model: Model, selection: TextSelectionConfig, seed: int) -> tuple[SelectiveSync, SemanticWords]:
    """A selection on a model's sync encoder that changes nothing yet, and the model's words."""
    trunk, meaning = model.parts["sync"], model.parts["semantic"]
    if not isinstance(trunk, SyncEncoder) or not isinstance(meaning, SemanticEncoder):
        raise UsageError(f"{model.name} has no sync encoder of the Gym's kind; pass salsa-v-gym or a folder like it")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = SelectiveSync(trunk, selection).to(model.device)
    return student, SemanticWords(meaning)


def errors(student: SelectiveSync, words: SemanticWords, batch: Step) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean squared error of the student's features, and of the teacher's of the mixed picture (nothing selected)."""
    text, is_word = words.encode_words(batch.names)
    device = text.device
    with torch.no_grad():
        tokens, clean = (student.trunk.tokens(p.to(device).float() / BRIGHTEST) for p in (batch.pictures, batch.clean))
        target = student.trunk.pool(clean)
        unselected = (student.trunk.pool(tokens) - target).square().mean()
    return (student.selected(tokens, text, is_word) - target).square().mean(), unselected


def _many(settings: SelectiveEncoderTraining) -> SelectiveEncoderTraining:
    return replace(settings, items=settings.validation_items)
