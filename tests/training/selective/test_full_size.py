"""SelVA's own networks: what is trained at their size, and both stages from a folder of clips at a tiny one."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from openfoley.encoders.selective_synchformer import SELVA, SelectiveSynchformer
from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder
from openfoley.errors import UsageError
from openfoley.generators.mmaudio.config import SMALL_16K
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.hub.load import load_model, read_weights
from openfoley.hub.parts import Model
from openfoley.pipeline import load
from openfoley.training.salsa_v.train import build_generator
from openfoley.training.selective import full_size, recipe
from openfoley.training.selective.generator import as_selective
from openfoley.training.selective.student import KnownWords, SynchformerStudent, new_student, word_encoder


def test_exactly_the_published_numbers_are_trained() -> None:
    with torch.device("meta"):
        teacher = SynchformerEncoder(SYNCHFORMER)
        model = SimpleNamespace(parts={"sync": teacher}, device=torch.device("meta"), name="meta")
        student = new_student(cast(Model, model), replace(SELVA.selection, start="random"), 1)
        preset = as_selective(full_size.GENERATOR, MMAudioGenerator(SMALL_16K))
        generator = build_generator(replace(preset, start=None))
    trained = [weight.numel() for weight in student.network.parameters() if weight.requires_grad]
    assert sum(trained) == 19_485_824
    assert sum(weight.numel() for weight in generator.parameters() if weight.requires_grad) == 22_052_800


@pytest.fixture(scope="module")
def base(selective_model: Path) -> Model:
    """A tiny model of MMAudio's kind: Synchformer without a selection."""
    model = load_model(selective_model)
    sync = model.parts["sync"]
    assert isinstance(sync, SelectiveSynchformer)
    return Model.of_parts("tiny-mmaudio", {**model.parts, "sync": sync.trunk}, {})


def test_a_new_student_is_its_teacher_and_its_pooling_its_own(base: Model) -> None:
    words = word_encoder(base)
    teacher = base.parts["sync"]
    assert isinstance(teacher, SynchformerEncoder)
    selection = full_size.selection_of(teacher, full_size.words_of(base, None))
    student = new_student(base, selection, 1)
    assert isinstance(student, SynchformerStudent) and selection.mlp_width == 256 and selection.start == "random"
    pictures = torch.randint(256, (2, 32, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    tokens, text = student.tokens(pictures), KnownWords(words).encode_words(["ball", "a wooden ball"])
    assert torch.equal(student.selected(tokens, *text), student.taught(pictures))
    assert torch.equal(student.unselected(tokens), student.taught(pictures)) and tokens.shape[1] == 3 * 8
    before = student.taught(pictures)
    with torch.no_grad():
        for weight in student.network.trained_parameters():
            weight.add_(0.1)
    assert torch.equal(student.taught(pictures), before) and not torch.equal(student.selected(tokens, *text), before)
    with pytest.raises(UsageError, match="no encoder that can learn to select"):
        new_student(replace(base, parts={**base.parts, "sync": base.parts["codec"]}), selection, 1)


def test_known_words_are_the_encoder_s(base: Model) -> None:
    words, texts = word_encoder(base), ["ball", "a wooden ball on the floor", "ball"]
    known = KnownWords(words)
    for _ in range(2):
        for ours, theirs in zip(known.encode_words(texts), words.encode_words(texts), strict=True):
            mask = theirs if theirs.dtype == torch.bool else words.encode_words(texts)[1][..., None]
            torch.testing.assert_close(ours * mask, theirs * mask, atol=1e-5, rtol=1e-5)


def test_both_stages_train_from_a_folder_and_give_a_model_that_selects(
    base: Model, make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "clips"
    data.mkdir()
    lines = ["file,label,split"]
    for name, label, split in (("a", "ball", "train"), ("b", "door", "train"), ("c", "ball", "validation"),
                               ("d", "door", "validation")):  # fmt: skip
        make_video(duration_s=8.0, rate=Fraction(5), sound=True).rename(data / f"{name}.mp4")
        lines.append(f"{name}.mp4,{label},{split}")
    (data / "labels.csv").write_text("\n".join(lines))
    small = replace(full_size.ENCODER, items=2, validation_items=3, warmup_steps=1, loaders=2)
    monkeypatch.setattr(full_size, "ENCODER", small)
    monkeypatch.setattr(full_size, "BATCH_CLIPS", 2)
    monkeypatch.setattr(recipe, "load_base", lambda *_: base)
    pair = recipe.Pair("tiny", tmp_path / "out", data)
    with pytest.raises(UsageError, match="pass --data DIR"):
        recipe.train_encoder(replace(pair, data=None), resume=False)
    folder = recipe.train_encoder(pair, resume=False, steps=2)
    first = load_model(folder)
    assert isinstance(first.parts["sync"], SelectiveSynchformer)
    for key, value in base.parts["sync"].state_dict().items():
        if not key.startswith("spatial_attn_agg"):
            assert torch.equal(first.parts["sync"].trunk.state_dict()[key], value), key
    recipe.train_selective_generator(pair, resume=False, steps=2)
    weights, own = read_weights(folder / "generator.safetensors"), base.parts["generator"].state_dict()
    changed = {name for name, value in weights.items() if not torch.equal(value, own[name])}
    assert changed and all(name.startswith("conditions.sync.") or ".audio.modulation" in name or
                           name.startswith("audio.") for name in changed)  # fmt: skip
    latents = recipe.train_selective_generator(pair, resume=True, steps=2).parent / "selective-features" / "train"
    assert not (latents / "semantic.npy").exists(), "the generator sees no whole pictures"
    made = [load(folder).generate(data / "a.mp4", select=name, steps=1, cuts="none") for name in ("ball", "door")]
    assert not torch.equal(made[0].audio.samples, made[1].audio.samples)
