"""Both stages, seconds long: what is trained, that it learns, that it resumes, and the model folder they make."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from openfoley.data.gym_sources import GymSources
from openfoley.encoders import selective_sync
from openfoley.encoders.sync import SyncEncoder
from openfoley.errors import UsageError
from openfoley.generators.mmaudio import config as mmaudio
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v.config import GYM
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.hub.load import load_model, load_weights
from openfoley.training.salsa_v.presets import LARGE
from openfoley.training.salsa_v.train import build_generator, train_generator
from openfoley.training.selective.encoder import (
    Own,
    SelectiveEncoderTraining,
    SourceItems,
    errors,
    new_student,
    train_selective_encoder,
)
from openfoley.training.selective.generator import DROPOUT, as_selective, selected_features
from openfoley.training.selective.recipe import train_pair

SHIPPED = Path(__file__).parents[3] / "src" / "openfoley" / "hub" / "weights" / "salsa-v-gym"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> GymSources:
    return GymSources.build(tmp_path_factory.mktemp("sources"), [1, 2, 4], split="train", workers=1)


def settings(sources: GymSources, **changes: object) -> SelectiveEncoderTraining:
    base = SelectiveEncoderTraining(
        sources.folder, sources.folder, sync=SHIPPED / "sync.safetensors", semantic=SHIPPED / "semantic.safetensors",
        items=4, steps=3, validation_items=4, warmup_steps=1,
    )  # fmt: skip
    return replace(base, **changes)


def counted(model: torch.nn.Module, patterns: tuple[str, ...]) -> int:
    from fnmatch import fnmatch

    return sum(v.numel() for n, v in model.named_parameters() if any(fnmatch(n, p) for p in patterns))


def test_stage_two_trains_exactly_the_published_share() -> None:
    with torch.device("meta"):
        for shape, count in ((mmaudio.SMALL_16K, 22_052_800), (mmaudio.SMALL_44K, 22_052_800)):
            assert counted(MMAudioGenerator(shape), MMAudioGenerator.selective_tensors) == count
        gym = counted(SalsaVGenerator(GYM), SalsaVGenerator.selective_tensors)
    assert 0.1 < gym / 4.09e6 < 0.25
    assert (DROPOUT.drop, DROPOUT.text_given) == (0.1, 0.5)


def test_items_show_the_target_among_others_and_the_absent_as_an_empty_scene(sources: GymSources) -> None:
    items, random = SourceItems(sources), torch.Generator().manual_seed(0)
    absent = items.draw(settings(sources, absent_share=1.0), random)
    assert all(name in {n for s in items.absent for n in s.names} for name in absent.names)
    mixes = items.draw(settings(sources, absent_share=0.0, scene_share=0.0, items=8), random)
    assert mixes.pictures.shape == (8, 16, 3, 96, 96) and not torch.equal(mixes.pictures, mixes.clean)
    again = items.draw(settings(sources), torch.Generator().manual_seed(5))
    same = items.draw(settings(sources), torch.Generator().manual_seed(5))
    assert torch.equal(again.pictures, same.pictures) and again.names == same.names


def test_a_new_student_s_error_is_the_teacher_s_of_the_mixed_picture_and_falls(sources: GymSources) -> None:
    student, words = new_student(load_model(SHIPPED), selective_sync.GYM, 1)
    batch = SourceItems(sources).draw(settings(sources), torch.Generator().manual_seed(0))
    loss, unselected = errors(student, words, batch)
    assert torch.equal(loss, unselected) and float(loss.detach()) > 0
    optimizer = torch.optim.Adam(student.trained_parameters(), 2e-3)
    for _ in range(8):
        optimizer.zero_grad()
        errors(student, words, batch)[0].backward()
        optimizer.step()
    after, still = errors(student, words, batch)
    assert float(after.detach()) < 0.9 * float(loss.detach()) and torch.equal(still, unselected), (
        "the teacher stays as it is"
    )


def test_both_stages_train_resume_and_give_a_model_that_selects(sources: GymSources, tmp_path: Path) -> None:
    made = train_selective_encoder(settings(sources), tmp_path / "encoder", resume=False)
    with pytest.raises(UsageError, match="exists"):
        train_selective_encoder(settings(sources), tmp_path / "encoder", resume=False)
    train_selective_encoder(settings(sources), tmp_path / "encoder", resume=True)
    model = load_model(SHIPPED)
    assert isinstance(model.parts["sync"], SyncEncoder)
    student, words = new_student(model, selective_sync.GYM, 1)
    Own(student).load_state_dict(load_file(made))
    for split in ("train", "validation"):
        cache = selected_features(model, student.eval(), words, sources, tmp_path / "features" / split, "one")
    seen = [s for s in sources.sources if s.is_seen]
    assert len(cache) == len(seen) and cache.latents.shape[1:] == (345, 64) and cache.sync.shape[1:] == (192, 128)
    quiet = cache.latents[[s.absent for s in seen]].float()
    assert torch.equal(quiet[0], quiet[1]), "what is absent is silent"
    generator = model.parts["generator"]
    assert isinstance(generator, SalsaVGenerator)
    preset = replace(
        as_selective(LARGE, generator), features=tmp_path / "features", start=SHIPPED / "generator.safetensors",
        steps=2, crop_latents=(86,), batch_latents=172, device="cpu", warmup_steps=1,
    )  # fmt: skip
    weights = load_file(train_generator(preset, tmp_path / "generator", resume=False))
    base = build_generator(preset).state_dict()
    changed = {name for name, value in weights.items() if not torch.equal(value, base[name])}
    trained = {name for name, value in build_generator(preset).named_parameters() if value.requires_grad}
    assert changed and changed <= trained
    load_weights(generator, tmp_path / "generator" / "model.safetensors")


def test_the_second_stage_needs_the_first_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train selective-encoder first"):
        train_pair("selective-generator", str(SHIPPED), tmp_path, resume=False)
    with pytest.raises(UsageError, match="steps must be at least 1"):
        train_pair("selective-encoder", str(SHIPPED), tmp_path, resume=False, steps=0)
    assert not list(tmp_path.iterdir())
