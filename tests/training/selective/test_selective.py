"""Both stages, seconds long: what is trained, that it learns, that it resumes, and the model folder they make."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from openfoley.cli import main
from openfoley.data.gym_sources import GymSources
from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.errors import UsageError
from openfoley.generators.mmaudio import config as mmaudio
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v.config import GYM
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.hub.load import load_model, load_weights
from openfoley.hub.parts import Model
from openfoley.hub.selection import selection_tensors, selective_model
from openfoley.training.salsa_v.presets import LARGE
from openfoley.training.salsa_v.train import build_generator, train_generator
from openfoley.training.selective import recipe
from openfoley.training.selective.encoder import (
    Data,
    SelectiveEncoderTraining,
    batch_of,
    draw,
    error,
    open_data,
    train_selective_encoder,
    validate,
)
from openfoley.training.selective.generator import DROPOUT, as_selective, selected_features
from openfoley.training.selective.items import ItemDraws, Items
from openfoley.training.selective.recipe import Pair, train_encoder, train_selective_generator
from openfoley.training.selective.student import GymStudent, KnownWords, Own, new_student, word_encoder
from openfoley.training.selective.variants import VARIANTS, variant

SHIPPED = Path(__file__).parents[3] / "src" / "openfoley" / "hub" / "weights" / "salsa-v-gym"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> GymSources:
    return GymSources.build(tmp_path_factory.mktemp("sources"), [1, 2, 4], split="train", workers=1)


def settings(sources: GymSources, **changes: object) -> SelectiveEncoderTraining:
    base = SelectiveEncoderTraining(
        sources.folder, sources.folder, bank=12, items=4, steps=3, validation_items=12, warmup_steps=1
    )
    return replace(base, **changes)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(SHIPPED)


@pytest.fixture(scope="module")
def data(sources: GymSources, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Data:
    student = new_student(model, selective_sync.GYM, 1)
    return open_data(settings(sources), student, sources, sources, tmp_path_factory.mktemp("tokens"))


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


def test_a_new_student_s_error_is_the_teacher_s_of_the_mixed_picture_and_falls(
    sources: GymSources, model: Model, data: Data
) -> None:
    student, words = new_student(model, selective_sync.GYM, 1), KnownWords(word_encoder(model))
    before = validate(student, words, data, "selection")
    assert before["validation_share"] == 1 and before["validation"] > 0
    assert {name for name in before if name.startswith("share_")} == {"share_scene", "share_mixed", "share_absent"}
    batch = batch_of(student, data, draw(settings(sources), data, torch.Generator().manual_seed(0)), "selection")
    loss = error(student, words, batch)
    optimizer = torch.optim.Adam(student.network.trained_parameters(), 2e-3)
    for _ in range(8):
        optimizer.zero_grad()
        error(student, words, batch).backward()
        optimizer.step()
    assert float(error(student, words, batch).detach()) < 0.9 * float(loss.detach())
    assert torch.equal(student.unselected(batch.tokens), model.parts["sync"].pool(batch.tokens)), "the teacher stays"


def test_a_step_of_the_bank_is_a_step_of_new_pictures(sources: GymSources, model: Model, data: Data) -> None:
    """Of the same items; the bank rounds to float16."""
    student, words = new_student(model, selective_sync.GYM, 1), KnownWords(word_encoder(model))
    full, whole = settings(sources, trained="all"), new_student(model, selective_sync.GYM, 1, trained="all")
    kept = batch_of(student, data, draw(settings(sources), data, torch.Generator().manual_seed(3)), "selection")
    anew = batch_of(whole, data, draw(full, data, torch.Generator().manual_seed(3)), "all")
    assert kept.names == anew.names and anew.tokens.requires_grad and not kept.tokens.requires_grad
    torch.testing.assert_close(kept.tokens, anew.tokens.detach(), atol=0.02, rtol=1e-3)
    assert error(student, words, kept).isfinite()
    without = replace(data, bank=None)
    drawn = draw(settings(sources), without, torch.Generator().manual_seed(3))
    unkept = batch_of(student, without, drawn, "selection")
    assert unkept.tokens.shape == kept.tokens.shape and unkept.taught.shape == kept.taught.shape


def test_a_trunk_that_is_trained_changes_alone_and_is_kept_with_the_selection(
    sources: GymSources, data: Data, tmp_path: Path
) -> None:
    model = load_model(SHIPPED)
    before = {key: value.clone() for key, value in model.parts["sync"].state_dict().items()}
    full = settings(sources, trained="all", steps=2)
    student = new_student(model, full.selection, 1, trained="all")
    train_selective_encoder(full, student, word_encoder(model), data, tmp_path / "encoder", resume=False)
    assert all(torch.equal(value, before[key]) for key, value in model.parts["sync"].state_dict().items())
    tensors = selection_tensors(model, student.network)
    assert "sync.trunk.added_temporal.0.layernorm_before.weight" in tensors
    again = selective_model(model, full.selection, tensors, "here").parts["sync"]
    pictures = torch.rand(1, 16, 3, 96, 96)
    assert isinstance(student, GymStudent) and isinstance(again, SelectiveSync)
    assert torch.equal(again.trunk.tokens(pictures), student.network.trunk.tokens(pictures))
    assert not torch.equal(again.trunk.tokens(pictures), model.parts["sync"].tokens(pictures))


def test_every_variant_changes_what_its_name_says() -> None:
    shipped = SelectiveEncoderTraining()
    assert variant(shipped, "shipped") == shipped
    others = [variant(shipped, name) for name in VARIANTS if name != "shipped"]
    assert shipped not in others and len({repr(one) for one in others}) == len(others)
    assert variant(shipped, "sup-10").selection.supplementary == 10
    assert variant(shipped, "concatenation").selection.mixing == "concatenation"
    with pytest.raises(UsageError, match="unknown variant 'sup-7'; use one of shipped, sup-0"):
        variant(shipped, "sup-7")


def test_both_stages_train_resume_and_give_a_model_that_selects(
    sources: GymSources, data: Data, tmp_path: Path
) -> None:
    model = load_model(SHIPPED)
    words, one = word_encoder(model), settings(sources)
    student = new_student(model, one.selection, 1)
    made = train_selective_encoder(one, student, words, data, tmp_path / "encoder", resume=False)
    with pytest.raises(UsageError, match="exists"):
        train_selective_encoder(one, student, words, data, tmp_path / "encoder", resume=False)
    again = new_student(model, one.selection, 1)
    train_selective_encoder(one, again, words, data, tmp_path / "encoder", resume=True)
    Own(again.network).load_state_dict(load_file(made))
    assert all(torch.equal(a, b) for a, b in zip(student.network.parameters(), again.network.parameters(), strict=True))
    network, items = again.network.eval(), Items(sources, ItemDraws(), 192)
    for split in ("train", "validation"):
        cache = selected_features(model, network, words, items, tmp_path / "features" / split, "one")
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


def test_wrong_requests_are_refused_before_anything_is_rendered(tmp_path: Path, selective_model: Path) -> None:
    pair = Pair(str(SHIPPED), tmp_path)
    with pytest.raises(UsageError, match="train selective-encoder first"):
        train_selective_generator(pair, resume=False)
    with pytest.raises(UsageError, match="steps must be at least 1"):
        train_encoder(pair, resume=False, steps=0)
    with pytest.raises(UsageError, match="unknown variant"):
        train_encoder(replace(pair, variant="sup-7"), resume=False)
    with pytest.raises(UsageError, match="tiny-selva has no encoder that can learn to select"):
        train_encoder(replace(pair, model=str(selective_model)), resume=False)
    for bodies in (-0.5, 1.5, float("nan")):
        with pytest.raises(UsageError, match="share of scenes with bodies must be in 0..1"):
            train_encoder(replace(pair, bodies=bodies), resume=False)
    with pytest.raises(UsageError, match="labels.csv' cannot be read"):
        train_encoder(replace(pair, model="salsa-v-gym", data=tmp_path), resume=False)
    assert not list(tmp_path.iterdir())
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "labels.csv").write_text("file,label\na.mp4,ball\nb.mp4," + "ball " * 100 + "\n")
    with pytest.raises(UsageError, match="leave one of them out"):
        train_encoder(replace(pair, data=clips, bodies=0.5), resume=False)
    with pytest.raises(
        UsageError, match=r"a label of 'b.mp4' is \d+ tokens long, the model reads at most \d+; shorten"
    ):
        train_encoder(replace(pair, data=clips, out=tmp_path / "out"), resume=False)
    assert not (tmp_path / "out").exists()


def test_the_command_passes_on_every_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A share of bodies was once forgotten."""
    given: list[Pair] = []
    monkeypatch.setattr(recipe, "train_encoder", lambda pair, **_: [given.append(pair), tmp_path][1])
    words = ["--model", "m", "--bodies", "0.25", "--device", "cuda", "--variant", "sup-1", "--weights-dir", "w"]
    assert main(["train", "selective-encoder", "--out", str(tmp_path), *words]) == 0
    assert given == [Pair("m", tmp_path, None, "sup-1", bodies=0.25, device="cuda", weights_dir=Path("w"))]
