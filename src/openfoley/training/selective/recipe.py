"""The recipe of a pair that selects by text: sources, encoder, features, generator. The model decides its size.

data/sources, data/sources-validation   Gym scenes of several sources (`data.gym_sources`), or clips at the Gym's size
tokens/{train,validation}               the frozen trunk's tokens of items (`bank`), 147 kB each at Gym size
selective-encoder/                      stage 1
selective-features/{train,validation}   what stage 2 trains from
selective-generator/                    stage 2
selective-model/                        the model's folder with the pair, after either stage

A variant's folders have its name behind them; it shares sources and tokens.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

from torch import nn

from openfoley.data.disk import write_json
from openfoley.data.gym_sources import GymSources
from openfoley.data.labelled_clips import (
    GYM_REQUEST,
    LABELS,
    SPLITS,
    LabelledClips,
    at_gym_size,
    open_labelled,
    read_labels,
)
from openfoley.encoders.base import TextEncoder
from openfoley.encoders.selective_synchformer import SelectiveSynchformer
from openfoley.encoders.synchformer import SynchformerEncoder
from openfoley.encoders.t5 import T5TextEncoder
from openfoley.errors import UsageError
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.gym.seeds import Split, check_world, mixed_seeds, seeds_of
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.load import load_base, load_weights, read_weights
from openfoley.hub.parts import Model
from openfoley.hub.registry import find_model
from openfoley.hub.save import add_selection, save_weights
from openfoley.hub.selection import selection_tensors
from openfoley.media.frames import FrameRequest
from openfoley.media.read.content_hash import file_hash
from openfoley.training.gym_losses.presets import CPU
from openfoley.training.loop.checkpoint import check_unused
from openfoley.training.loop.identity import content_of
from openfoley.training.salsa_v.presets import GeneratorTraining
from openfoley.training.salsa_v.train import train_generator
from openfoley.training.selective import full_size
from openfoley.training.selective.bank import TokenBank
from openfoley.training.selective.encoder import (
    Data,
    SelectiveEncoderTraining,
    open_data,
    train_selective_encoder,
    validate,
)
from openfoley.training.selective.generator import as_selective, selected_features
from openfoley.training.selective.items import ItemDraws, Items, Pictured
from openfoley.training.selective.student import KnownWords, Own, Student, WordEncoder, new_student, word_encoder
from openfoley.training.selective.variants import SHIPPED, variant

FIRST_SEED = 2_000_000
"""Within the training split: none of the scenes that encoders and generator were trained on."""
TRAINING_SEEDS, VALIDATION_SEEDS = 800, 120
"""About half of them have several sources that a name tells apart; such a scene takes 29 MB on disk."""
STEPS = 4000  # of stage 2 at Gym size
SOURCES: dict[Split, str] = {"train": "data/sources", "validation": "data/sources-validation"}


@dataclass(frozen=True)
class Pair:
    """A model and the folder in which it learns to select. data: a folder of clips with labels
    (`data.labelled_clips`); None: Gym scenes, `scenes` seeds of the training split, of which the share `bodies` shows
    solid bodies. bank: items whose tokens are kept
    (`SelectiveEncoderTraining.bank`), at Gym size. weights_dir: as for `load_model`. suffix: behind the names of the
    trainings' folders."""

    model: str
    out: Path
    data: Path | None = None
    variant: str = SHIPPED
    scenes: int = TRAINING_SEEDS
    bodies: float = 0.0
    bank: int = SelectiveEncoderTraining.bank
    device: str = "cpu"
    weights_dir: Path | None = None
    suffix: str = ""

    def folder(self, name: str) -> Path:
        """Of this variant."""
        return self.out / f"{name}{'' if self.variant == SHIPPED else f'-{self.variant}'}{self.suffix}"

    @cached_property
    def loaded(self) -> Model:
        """Without a selection that it has already."""
        return load_base(self.model, self.device, self.weights_dir)

    @property
    def is_full_size(self) -> bool:
        return isinstance(self.loaded.parts["sync"], SynchformerEncoder)

    @cached_property
    def words(self) -> WordEncoder:
        return full_size.words_of(self.loaded, self.weights_dir) if self.is_full_size else word_encoder(self.loaded)

    @cached_property
    def sources(self) -> Mapping[Split, Pictured]:
        """Rendered or read unless they are there."""
        folders: dict[Split, Path] = {split: self.out / name for split, name in SOURCES.items()}
        if self.data is None:
            counts: dict[Split, int] = {"train": self.scenes, "validation": min(self.scenes, VALIDATION_SEEDS)}
            return {
                split: GymSources.build(
                    folder, mixed_seeds(split, counts[split], FIRST_SEED, bodies=self.bodies), split=split
                )
                for split, folder in folders.items()
            }
        _check_labels(self.data, cast(TextEncoder, self.words))
        files = open_labelled(self.data, self.out / "data" / "clips.json")
        clips: dict[Split, LabelledClips] = {split: LabelledClips.of(files, split, self._request) for split in SPLITS}
        if self.is_full_size:
            return clips
        return {split: at_gym_size(clips[split], folder) for split, folder in folders.items()}

    @property
    def _request(self) -> FrameRequest:
        if not self.is_full_size:
            return GYM_REQUEST
        frames = self.student().network.inputs.frames
        assert frames is not None
        return FrameRequest("sync", frames.rate, frames.height, frames.width, frames.fit, frames.resize)

    @cached_property
    def encoder(self) -> SelectiveEncoderTraining:
        """The settings of stage 1."""
        origin, trunk = fingerprint(self.loaded, ("sync", "semantic")), self.loaded.parts["sync"]
        base = SelectiveEncoderTraining(bank=self.bank)
        if isinstance(trunk, SynchformerEncoder):
            assert isinstance(self.words, T5TextEncoder)
            base = replace(full_size.ENCODER, selection=full_size.selection_of(trunk, self.words))
        elif self.data is not None:
            base = replace(base, draws=full_size.CLIPS)
        learned: dict[Split, Path] = {split: self.out / name for split, name in SOURCES.items()}
        if self.data is not None and self.is_full_size:
            learned = {split: self.data for split in SPLITS}
        base = replace(base, data=learned["train"], validation=learned["validation"], origin=origin)
        return variant(base, self.variant)

    def student(self) -> Student:
        settings = self.encoder
        return new_student(self.loaded, settings.selection, settings.seed, trained=settings.trained)


def train_encoder(pair: Pair, *, resume: bool, steps: int | None = None) -> Path:
    """Stage 1; returns the model's folder with it. Raises UsageError before anything is rendered."""
    folder = _checked(pair, "selective-encoder", resume, steps)
    settings, student = pair.encoder, pair.student()  # which the model may not be able to be
    sources = pair.sources
    data = open_data(settings, student, sources["train"], sources["validation"], pair.out / "tokens")
    settings = replace(settings, steps=steps or settings.steps)
    train_selective_encoder(settings, student, pair.words, data, folder, resume=resume)
    return _assembled(pair, student, pair.loaded.parts["generator"])


def train_selective_generator(pair: Pair, *, resume: bool, steps: int | None = None) -> Path:
    """Stage 2; returns the model's folder with both. Raises UsageError before anything is rendered."""
    folder = _checked(pair, "selective-generator", resume, steps)
    student, features = _trained_student(pair), pair.folder("selective-features")
    stage1 = pair.folder("selective-encoder") / "model.safetensors"
    weights = f"{fingerprint(pair.loaded, ('sync', 'semantic', 'codec'))} {file_hash(stage1)}"
    paths: dict[Split, Path] = {"train": pair.encoder.data, "validation": pair.encoder.validation}
    for split, of in pair.sources.items():
        items, origin = Items(of, pair.encoder.draws, of.length(0)), f"{weights} {split} {content_of(paths[split])}"
        selected_features(pair.loaded, student.network, pair.words, items, features / split, origin)
    generator = deepcopy(cast(SalsaVGenerator | MMAudioGenerator, pair.loaded.parts["generator"]))
    preset = replace(_generator_preset(pair, generator), features=features, device=pair.device)
    preset = replace(preset, steps=steps or preset.steps)
    load_weights(generator, train_generator(preset, folder, resume=resume))
    return _assembled(pair, student, generator)


def attribute_figures(pair: Pair, scenes: int) -> dict[str, float]:
    """`validate` of this variant's stage 1 where an attribute alone tells ("the steel one"): scenes with two things of
    one kind, among so many seeds of the validation split (one in 18 of the flat ones). Writes attributes.json beside
    it. At Gym size."""
    student, folder = _trained_student(pair), pair.out / "data" / "sources-attributes"
    seeds = seeds_of("validation", scenes, FIRST_SEED)
    sources = GymSources.build(folder, seeds, split="validation", twins=True)
    items = Items(sources, ItemDraws(scene_share=1.0, absent_share=0.0), student.frames)
    teacher = new_student(pair.loaded, pair.encoder.selection, pair.encoder.seed)
    origin = f"{pair.encoder.origin} {content_of(folder)}"
    count = pair.encoder.validation_items
    bank = TokenBank.build(pair.out / "tokens" / "attributes", items, teacher, count, 0, origin)
    figures = validate(student, KnownWords(pair.words), Data(items, None, items, bank), pair.encoder.trained)
    write_json(pair.folder("selective-encoder") / "attributes.json", figures, indent=1)
    return figures


def with_encoder(pair: Pair, trained: Path) -> Path:
    """The model's folder with this variant's stage 1, as trained, and another one's stage 2 (its folder)."""
    student, generator = _trained_student(pair), deepcopy(pair.loaded.parts["generator"])
    load_weights(generator, trained / "model.safetensors")
    return _assembled(pair, student, generator)


def _trained_student(pair: Pair) -> Student:
    """Frozen. UsageError before stage 1 is finished."""
    stage1 = pair.folder("selective-encoder") / "model.safetensors"
    if not stage1.is_file():
        raise UsageError(
            f"the selective generator needs the encoder in {str(stage1.parent)!r}; train selective-encoder first"
        )
    student = pair.student()
    Own(student.network).load_state_dict(read_weights(stage1))
    student.network.eval().requires_grad_(False)
    return student


def _generator_preset(pair: Pair, generator: SalsaVGenerator | MMAudioGenerator) -> GeneratorTraining:
    start = pair.out / "start.safetensors"
    save_weights(generator.state_dict(), start, exact=True)
    if not pair.is_full_size:
        return replace(as_selective(CPU, generator), steps=STEPS, start=start)
    window = generator.window_latents
    preset = replace(full_size.GENERATOR, crop_latents=(window,), batch_latents=window * full_size.BATCH_CLIPS)
    return replace(as_selective(preset, generator), start=start)


def _checked(pair: Pair, part: str, resume: bool, steps: int | None) -> Path:
    """The stage's folder."""
    folder = pair.folder(part)
    check_unused(folder, resume)
    if steps is not None and steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    variant(SelectiveEncoderTraining(), pair.variant)
    _check_data(pair)
    if pair.data is None and pair.is_full_size:
        raise UsageError(f"{pair.loaded.name} learns from real clips; pass --data DIR, a folder with labels.csv")
    return folder


def _check_data(pair: Pair) -> None:
    """UsageError for what can be known before a model is loaded."""
    if pair.data is not None:
        read_labels(pair.data)
        if pair.bodies:
            raise UsageError(
                "bodies is a share of the Gym's scenes, and data are your own clips; leave one of them out"
            )
    elif pair.bodies:
        mixed_seeds("train", 0, bodies=pair.bodies)
        check_world("bodies")


def _check_labels(data: Path, words: TextEncoder) -> None:
    """UsageError for a label that is longer than what is read of it."""
    for name, (labels, _) in read_labels(data).items():
        for label in labels:
            if (count := words.token_count(label)) > words.longest:
                raise UsageError(
                    f"{str(data / LABELS)!r}: a label of {name!r} is {count} tokens long, the model reads at most "
                    f"{words.longest}; shorten it: {label[:40]!r}..."
                )


def _assembled(pair: Pair, student: Student, generator: nn.Module) -> Path:
    folder, network = pair.folder("selective-model"), student.network
    if isinstance(network, SelectiveSynchformer):
        assert isinstance(pair.words, T5TextEncoder)
        return full_size.write_model(folder, pair.loaded, network, pair.words, generator)
    tensors = selection_tensors(pair.loaded, network, generator)
    return add_selection(find_model(pair.model), folder, pair.loaded, pair.encoder.selection, tensors)
