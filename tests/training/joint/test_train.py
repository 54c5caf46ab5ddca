"""A stage resumes to the same weights, trains what it says and nothing else, and leaves a model that generates."""

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import tiny_pairs
from openfoley.data.pairs.making import make_pairs
from openfoley.data.pairs.pair import PairForm
from openfoley.errors import UsageError
from openfoley.generators.joint.config import Kind
from openfoley.media.write.encode import write_video
from openfoley.training.joint.pair_recipe import PairRecipe
from openfoley.training.joint.recipe import save_half, train
from openfoley.training.joint.train import HALF_FILE, train_stage_on
from openfoley.training.loop.run import Run
from openfoley.types import Audio

PAIRS = tiny_pairs.FewPairs()


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    for stage in ("video", "audio"):
        train_stage_on(tiny_pairs.preset(stage), PAIRS, PAIRS, folder / stage, resume=False)
    return folder / "video", folder / "audio"


def test_a_base_stage_resumes_to_the_same_weights(
    bases: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    log = Run.log

    def stopping(run: Run, step: int, **values: Any) -> None:
        log(run, step, **values)
        if step == 2:
            raise Stop

    monkeypatch.setattr(Run, "log", stopping)
    monkeypatch.setattr("openfoley.training.loop.run.EVERY", None)
    with pytest.raises(Stop):
        train_stage_on(tiny_pairs.preset("video"), PAIRS, PAIRS, tmp_path / "video", resume=False)
    monkeypatch.undo()
    train_stage_on(tiny_pairs.preset("video"), PAIRS, PAIRS, tmp_path / "video", resume=True)
    once, again = (load_file(folder / "model.safetensors") for folder in (bases[0], tmp_path / "video"))
    assert all(torch.equal(once[key], again[key]) for key in once)


@pytest.mark.parametrize("trained", ["connectors", "motion"])
def test_the_third_stage_trains_what_it_says(bases: tuple[Path, Path], tmp_path: Path, trained: str) -> None:
    preset = tiny_pairs.preset("connectors", bases=bases, trained=trained, steps=2)
    train_stage_on(preset, PAIRS, PAIRS, tmp_path / "out", resume=False)
    assert (tmp_path / "out" / "model.safetensors").is_file()
    if trained == "connectors":
        assert not (tmp_path / "out" / "video.safetensors").exists()
        return
    before, after = load_file(bases[0] / "model.safetensors"), load_file(tmp_path / "out" / "video.safetensors")
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all("motion_modules" in key for key in changed)


def test_the_losses_before_the_first_step_are_those_of_the_bare_base_models(
    bases: tuple[Path, Path], tmp_path: Path
) -> None:
    def losses(kind: Kind) -> dict[int, float]:
        preset = tiny_pairs.preset(
            "connectors", bases=bases, steps=2, learning_rate=0.01, architecture=tiny_pairs.config_of(kind)
        )
        train_stage_on(preset, PAIRS, PAIRS, tmp_path / kind, resume=False)
        with open(tmp_path / kind / "log.csv", newline="", encoding="utf-8") as file:
            return {int(r["step"]): float(r["value"]) for r in csv.DictReader(file) if r["name"] == "validation_loss"}

    first, second = losses("cmc-pe"), losses("cross-attention")
    assert set(first) == {-1, 1} and first[-1] == second[-1]
    assert first[1] != first[-1] and first[1] != second[1]


def averages(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(folder / "out" / name)


def test_the_half_is_what_a_training_of_the_whole_had_then(bases: tuple[Path, Path], tmp_path: Path) -> None:
    preset = tiny_pairs.preset("connectors", bases=bases, steps=4, warmup_steps=4)  # so that the rate is the same
    train_stage_on(preset, PAIRS, PAIRS, tmp_path / "whole" / "out", resume=False)
    half, whole = (averages(tmp_path / "whole", name) for name in (HALF_FILE, "model.safetensors"))
    train_stage_on(replace(preset, steps=2), PAIRS, PAIRS, tmp_path / "short" / "out", resume=False)
    short = averages(tmp_path / "short", "model.safetensors")
    assert all(torch.equal(half[name], short[name]) for name in half)
    assert any(not torch.equal(half[name], whole[name]) for name in half)


def test_a_training_that_is_given_less_time_ends_with_a_model(bases: tuple[Path, Path], tmp_path: Path) -> None:
    preset, out = tiny_pairs.preset("connectors", bases=bases, steps=1000), tmp_path / "out"
    train_stage_on(replace(preset, time_limit_s=1.0), PAIRS, PAIRS, out, resume=False)
    steps = torch.load(out / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < steps < 1000 and (out / "model.safetensors").is_file() and (out / HALF_FILE).is_file()
    for name in ("model.safetensors", HALF_FILE):
        (out / name).unlink()
    train_stage_on(replace(preset, time_limit_s=1e-3), PAIRS, PAIRS, out, resume=True)
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == steps
    assert (out / "model.safetensors").is_file() and (out / HALF_FILE).is_file()


def test_what_is_missing_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trained video model; train it first: --stage video"):
        train(PairRecipe("connectors", tmp_path))
    with pytest.raises(UsageError, match="steps must be at least 1"):
        train(PairRecipe("video", tmp_path, steps=0))
    with pytest.raises(UsageError, match="hours must be more than 0, got -1"):
        train(PairRecipe("video", tmp_path, hours=-1))
    with pytest.raises(UsageError, match="no weights of half of the training in"):
        save_half(PairRecipe("connectors", tmp_path))
    with pytest.raises(UsageError, match="scenes must be at least 1"):
        train(PairRecipe("video", tmp_path, scenes=0))
    with pytest.raises(UsageError, match="kind and trains are for the stage connectors"):
        train(PairRecipe("video", tmp_path, trains="motion"))
    with pytest.raises(UsageError, match="is not a folder; make pairs with `openfoley data pairs`"):
        train(PairRecipe("video", tmp_path, data=str(tmp_path / "none")))
    with pytest.raises(UsageError, match="the base models of preset full are published"):
        train(PairRecipe("video", tmp_path, preset="full"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own videos with captions."""
    folder = tmp_path_factory.mktemp("copies")
    for number in range(8):
        frames = torch.full((16, 3, 48, 48), 30 * number, dtype=torch.uint8)
        write_video(folder / f"{number}.mp4", frames, Fraction(8), audio=Audio(0.1 * torch.randn(1, 32_000), 16_000))
    rows = "".join(f"{number}.mp4,a box of grey {number}\n" for number in range(8))
    (folder / "captions.csv").write_text(f"file,caption\n{rows}")
    return folder


def made_of(copies: Path, out: Path, size: int) -> str:
    make_pairs("folder", copies, out, PairForm(size=size), validation=0.5, workers=1)
    return str(out)


def test_data_of_a_folder_are_clips_of_own_videos(copies: Path, tmp_path: Path) -> None:
    chosen = PairRecipe("video", tmp_path / "out", data=made_of(copies, tmp_path / "pairs", 32))
    training, validation = chosen.pairs()
    assert len(training) and len(validation)
    captions = sorted(caption for part in (training, validation) for (caption,) in part.captions)
    assert set(captions) <= {f"a box of grey {number}" for number in range(8)}
    assert chosen.settings(training).data == training.digest
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="64 pixels.*data pairs --size 32 --fps 8"):
        train(PairRecipe("video", tmp_path / "out", data=made_of(copies, tmp_path / "large", 64)))


@pytest.mark.slow
def test_three_stages_make_a_model(tmp_path: Path) -> None:
    from openfoley.joint import PairRequest, load_pair

    for stage in ("video", "audio", "connectors"):
        made = train(PairRecipe(stage, tmp_path, steps=1, scenes=4))
    pipeline = load_pair(made)
    pair = pipeline.generate(PairRequest(prompt="a stick taps a box", steps=2, gamma="auto"))[0]
    assert pair.frames.shape == (16, 3, 32, 32) and pair.sound.shape == (32_000,)
    assert sum(file.stat().st_size for file in made.iterdir()) < 14e6
