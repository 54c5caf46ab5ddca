"""Stage 1 of SelVA (arXiv 2512.02650, section 3): what a text selects from an encoder's tokens.

    loss = | student(mixed picture, name of the target) - teacher(clean picture of the target) |^2, of pooled features

Teacher and student are told in `student`, items in `items`. With a `bank` the frozen trunk is computed once an item,
not once a step.

Writes OUT/config.json and model.safetensors (what was trained), training.json, log.csv, checkpoint.pt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openfoley.config import to_dict
from openfoley.data.disk import write_json
from openfoley.encoders import selective_sync
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.hub.save import save_weights
from openfoley.training.loop.ahead import Ahead
from openfoley.training.loop.identity import content_of
from openfoley.training.loop.optimizer import Both, OptimizerName, make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.selective.bank import TokenBank
from openfoley.training.selective.items import ItemDraws, Items, Kind, Pictured
from openfoley.training.selective.student import (
    KnownWords,
    Own,
    Pictures,
    Student,
    Trained,
    WordEncoder,
)

BETAS = (0.9, 0.98)
KINDS: tuple[Kind, ...] = ("scene", "mixed", "absent")
VALIDATED_AT_ONCE = 12


@dataclass(frozen=True)
class SelectiveEncoderTraining:
    """Everything a training depends on; the defaults are those of the Gym's size. origin: a fingerprint of the model's
    weights. data, validation: folders of the sources. trained: `student.Trained`; trunk_rate: of a trained trunk, as a
    share of the learning rate. bank: items of which the trunk's tokens are kept; 0: each step draws new ones. loaders:
    threads that draw ahead."""

    data: Path = Path("out/data/sources")
    validation: Path = Path("out/data/sources-validation")
    origin: str = ""
    selection: TextSelectionConfig = selective_sync.GYM
    draws: ItemDraws = field(default_factory=ItemDraws)
    trained: Trained = "selection"
    trunk_rate: float = 0.1
    bank: int = 12_000
    items: int = 12
    steps: int = 6000
    optimizer: OptimizerName = "muon"
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    validate_every: int = 500
    validation_items: int = 240
    loaders: int = 0
    seed: int = 1
    time_limit_s: float | None = None


@dataclass(frozen=True)
class Data:
    """What a training learns from, and what it is validated with. bank: of the items; None: each step draws new
    ones."""

    items: Items
    bank: TokenBank | None
    held_out: Items
    validation: TokenBank


@dataclass(frozen=True)
class Drawn:
    """A step's items: their names, their rows in the bank if there is one, and their pictures unless the bank has all
    that is asked of them."""

    names: list[str]
    rows: Int[Tensor, " items"] | None
    pictures: Pictures | None
    clean: Pictures | None


@dataclass(frozen=True)
class Batch:
    """The trunk's tokens of the pictures, the teacher's features of what is named in them, and the names."""

    tokens: Float[Tensor, "items n places channels"]
    taught: Float[Tensor, "items n dim"]
    names: list[str]


def open_data(
    settings: SelectiveEncoderTraining, student: Student, training: Pictured, validation: Pictured, folder: Path
) -> Data:
    """student: a new one, whose trunk is its teacher's. The banks lie in `folder`, which trainings that differ in
    names and selection share."""
    plain = replace(settings.draws, labels_only=False, wrong_share=0.0, coarse_share=0.0)  # the same for all variants
    items, held_out = Items(training, settings.draws, student.frames), Items(validation, plain, student.frames)

    def bank(items: Items, split: str, of: Path, count: int, seed: int) -> TokenBank:
        return TokenBank.build(folder / split, items, student, count, seed, f"{settings.origin} {content_of(of)}")

    return Data(
        items,
        bank(items, "train", settings.data, settings.bank, settings.seed) if settings.bank else None,
        held_out,
        bank(held_out, "validation", settings.validation, settings.validation_items, 0),
    )


def train_selective_encoder(
    settings: SelectiveEncoderTraining, student: Student, words: WordEncoder, data: Data, out: Path, *, resume: bool
) -> Path:
    """Trains and returns OUT/model.safetensors."""
    run = Run.of(settings, out, resume=resume)
    known, own, network = KnownWords(words), Own(student.network), student.network
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = _optimizer(settings, student)
    run.attach(student=own, optimizer=optimizer)
    drawn = Ahead(lambda step: draw(settings, data, run.generator(step)), settings.steps, settings.loaders)
    for step in run.steps():
        loss = error(student, known, batch_of(student, data, drawn.of(step), settings.trained))
        factor = run.rate_factor(step, settings.warmup_steps)
        norm = optimizer.descend(loss, trained, factor=factor, limit=settings.gradient_norm)
        run.log(step, loss=loss, gradient=norm)
        if (step + 1) % settings.validate_every == 0 or run.ends_with(step):
            run.log(step, always=True, **validate(student, known, data, settings.trained))
    write_json(out / "config.json", to_dict(settings.selection), indent=1)
    write_json(out / "training.json", to_dict(settings), indent=1)
    save_weights(own.state_dict(), out / "model.safetensors", exact=True)
    return out / "model.safetensors"


def draw(settings: SelectiveEncoderTraining, data: Data, random: torch.Generator) -> Drawn:
    """Depends on `random` alone."""
    rows, items = None, data.items
    if data.bank is None:
        drawn = [items.draw(random) for _ in range(settings.items)]
    else:
        rows = torch.randint(len(data.bank), (settings.items,), generator=random)
        drawn = [data.bank.items[int(row)] for row in rows]
    names = [items.name(one, random) for one in drawn]
    if rows is not None and settings.trained == "selection":
        return Drawn(names, rows, None, None)
    seen, clean = (torch.stack(pictures) for pictures in zip(*map(items.pictures, drawn), strict=True))
    return Drawn(names, rows, seen, clean)


def batch_of(student: Student, data: Data, drawn: Drawn, trained: Trained) -> Batch:
    """A trunk that is trained sees the bank's items anew; its teacher's features are the bank's."""
    tokens = taught = None
    if data.bank is not None and drawn.rows is not None:
        tokens, taught = data.bank.read(drawn.rows, student.network.selection.empty.device)
    if drawn.pictures is not None:
        with torch.set_grad_enabled(trained == "all"):
            tokens = student.tokens(drawn.pictures)
    if taught is None and drawn.clean is not None:
        taught = student.taught(drawn.clean)
    assert tokens is not None and taught is not None
    return Batch(tokens, taught, drawn.names)


def error(student: Student, words: WordEncoder, batch: Batch) -> Float[Tensor, ""]:
    """Mean squared error of the student's features."""
    text, is_word = words.encode_words(batch.names)
    return (student.selected(batch.tokens, text, is_word) - batch.taught).square().mean()


@torch.no_grad()
def validate(student: Student, words: WordEncoder, data: Data, trained: Trained) -> dict[str, float]:
    """The error of held-out items, and its share of what it is where nothing is selected: of all, and of each kind."""
    bank, random = data.validation, torch.Generator().manual_seed(0)
    device = student.network.selection.empty.device
    left, unselected = torch.zeros(len(bank)), torch.zeros(len(bank))
    for rows in torch.arange(len(bank)).split(VALIDATED_AT_ONCE):
        tokens, taught = bank.read(rows, device)
        text, is_word = words.encode_words([data.held_out.name(bank.items[int(row)], random) for row in rows])
        unselected[rows] = (student.unselected(tokens) - taught).square().mean((1, 2)).cpu()
        if trained == "all":
            tokens = student.tokens(torch.stack([data.held_out.pictures(bank.items[int(row)])[0] for row in rows]))
        left[rows] = (student.selected(tokens, text, is_word) - taught).square().mean((1, 2)).cpu()
    result = {"validation": float(left.mean()), "validation_share": float(left.sum() / unselected.sum())}
    for kind in KINDS:
        rows = torch.tensor([k for k, item in enumerate(bank.items) if item.kind == kind], dtype=torch.long)
        if len(rows):
            result[f"share_{kind}"] = float(left[rows].sum() / unselected[rows].sum())
    return result


def _optimizer(settings: SelectiveEncoderTraining, student: Student) -> Both:
    """One for what selects and, where it is trained, another for the trunk."""
    own = {id(weight) for weight in student.network.trained_parameters()}
    trunk = [weight for weight in student.network.parameters() if id(weight) not in own]

    def part(rate: float, left_out: Sequence[Tensor]) -> Both:
        return make_optimizer(
            settings.optimizer, [student.network], rate, betas=BETAS, weight_decay=settings.weight_decay,
            left_out=left_out,
        )  # fmt: skip

    selection = part(settings.learning_rate, trunk)
    if settings.trained == "selection":
        return selection
    rest = part(settings.learning_rate * settings.trunk_rate, list(student.network.trained_parameters()))
    return Both(*selection.optimizers, *rest.optimizers)
