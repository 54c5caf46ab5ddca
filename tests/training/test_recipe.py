"""The recipe hands each step what the earlier ones left."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from openfoley.cli import main
from openfoley.errors import UsageError
from openfoley.gym.seeds import world_of
from openfoley.training import recipe


@dataclass(frozen=True)
class Settings:
    data: Path = Path()
    validation: Path = Path()
    features: Path = Path()
    semantic: Path = Path()
    device: str = "cpu"
    start: Path | None = None
    steps: int = 9
    seen_share: float = 0.6
    contrast_weight: float = 0.2
    encoder_rate: float = 1.0
    frozen_steps: int = 0
    average_decay: float = 0.0


@pytest.mark.parametrize("part", recipe.ORDER)
def test_parts_get_their_folders(part: recipe.Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def train(settings: Settings, out: Path, *, resume: bool) -> Path:
        given.update(settings=settings, out=out, resume=resume)
        return out

    monkeypatch.setattr(recipe, "prepare_data", lambda *_: None)
    monkeypatch.setattr(recipe, "prepare_features", lambda *_: None)
    monkeypatch.setattr(recipe, "settings_of", lambda *_: (Settings(), train))
    (tmp_path / "semantic").mkdir()
    (tmp_path / "semantic" / "model.safetensors").touch()
    asked = {"start": "salsa-v-gym", "steps": 7} if part in recipe.STARTED else {}
    recipe.train_part(part, "cpu", tmp_path, resume=True, **asked)
    settings = given["settings"]
    assert (settings.encoder_rate < 1, settings.frozen_steps > 0) == (part == "sync",) * 2  # its start was trained
    assert settings.seen_share == (0.0 if part == "generator" else 0.6)
    assert (settings.start is not None and settings.start.is_file(), settings.steps) == (
        bool(asked),
        asked.get("steps", 9),
    )
    assert settings.semantic == (tmp_path / "semantic" if part == "sync" else Path())
    assert given["out"] == tmp_path / part and given["resume"]
    scenes = {"generator": "features", "semantic": "data/stills"}.get(part, "data/train")
    assert tmp_path / scenes in (settings.features, settings.data)


def test_presets_of_every_part_have_what_the_recipe_replaces() -> None:
    for part in recipe.ORDER:
        for preset in recipe.PRESETS:
            settings, train = recipe.settings_of(part, preset)
            assert hasattr(settings, "features" if part == "generator" else "data") and settings.device
            assert settings.steps > 0 and callable(train)


def test_generator_without_its_encoders_says_what_to_train(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train codec first"):
        recipe.prepare_features("cpu", tmp_path, "cpu")


def test_of_the_encoders_scenes_the_generator_uses_the_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.data.gym_cache import GymCache
    from openfoley.hub import load
    from openfoley.training import features

    counts = {}
    scenes = GymCache(tmp_path, np.zeros((9, 1)), np.zeros((9, 2)), [{"seed": k} for k in range(9)])
    for part in recipe.FEATURES_OF:
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").touch()
    monkeypatch.setattr(GymCache, "open", lambda _: scenes)
    monkeypatch.setattr(load, "load_part", lambda *_: None)
    monkeypatch.setitem(recipe.SCENES, "cpu", recipe.Scenes(training=9, seen=4, generator=9, stills=9, bodies=0.5))

    def cache_features(data: GymCache, *given: Any, **_: Any) -> None:
        assert len(data.frames) == len(data.sound) == len(data)
        counts[given[3].name] = [record["seed"] for record in data.truth]

    monkeypatch.setattr(features, "cache_features", cache_features)
    recipe.prepare_features("cpu", tmp_path, "cpu")
    assert counts == {"seen": [0, 1, 2, 3], "train": list(range(9)), "validation": list(range(9))}
    assert all(scenes.seen <= scenes.training for scenes in recipe.SCENES.values())


@pytest.mark.parametrize("part", ["codec", "all"])
def test_a_preset_with_bodies_says_at_once_how_to_install_the_extra(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    assert main(["train", part, "--preset", "cpu", "--out", str(tmp_path / "out")]) == 2
    assert "needs mujoco, which is not installed; pip install 'openfoley[gym]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_presets_render_both_worlds_and_no_scene_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openfoley.data.gym_cache import GymCache
    from openfoley.data.stills import Stills

    rendered: dict[str, list[int]] = {}
    for kind in (GymCache, Stills):
        monkeypatch.setattr(kind, "build", lambda folder, seeds, **_: rendered.update({folder.name: seeds}))
    recipe.prepare_data("cpu", tmp_path)
    scenes = recipe.SCENES["cpu"]
    counts = {"train": scenes.training, "generator": scenes.generator, "stills": scenes.stills, "validation": 128}
    assert {name: len(seeds) for name, seeds in rendered.items()} == counts
    every = [seed for seeds in rendered.values() for seed in seeds]
    assert len(set(every)) == len(every)
    for name, seeds in rendered.items():
        share = 0.5 if name == "validation" else scenes.bodies
        assert np.mean([world_of(seed) == "bodies" for seed in seeds]) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("asked", [{"start": "salsa-v-gym"}, {"steps": 5}])
def test_codec_and_semantic_have_no_start_nor_steps(asked: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for training sync or generator, got codec"):
        recipe.train_part("codec", "cpu", tmp_path, resume=False, **asked)
    assert not list(tmp_path.iterdir())


def test_a_sync_encoder_without_the_semantic_one_says_what_to_train_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train semantic first"):
        recipe.train_part("sync", "cpu", tmp_path, resume=False)
    assert not list(tmp_path.iterdir())


def test_a_sync_encoder_that_begins_with_a_tower_needs_no_semantic_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rendering(Exception):
        pass

    def render(*_: Any) -> None:
        raise Rendering

    monkeypatch.setattr(recipe, "prepare_data", render)
    with pytest.raises(Rendering):
        recipe.train_part("sync", "cpu", tmp_path, resume=False, start="salsa-v-gym")
    monkeypatch.setattr(recipe, "_weights_of", lambda *_: tmp_path / "sync.safetensors")
    save_file({"norm.weight": torch.zeros(1)}, tmp_path / "sync.safetensors")  # of before there were towers
    with pytest.raises(UsageError, match="train semantic first"):
        recipe.train_part("sync", "cpu", tmp_path, resume=False, start="old")


def test_the_command_hands_start_and_steps_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def train(*_: Any, **asked: Any) -> Path:
        given.update(asked)
        return tmp_path / "part" / "weights"

    monkeypatch.setattr(recipe, "train_part", train)
    words = f"train generator --preset cpu --start salsa-v-gym --steps 7 --out {tmp_path}"
    assert main(words.split()) == 0
    assert given["start"] == "salsa-v-gym" and given["steps"] == 7


@pytest.mark.parametrize("part", ["all", "generator"])
def test_a_part_that_is_trained_already_is_reported_before_anything_is_rendered(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "checkpoint.pt").touch()
    assert main(["train", part, "--preset", "cpu", "--out", str(tmp_path)]) == 2
    assert "resume that training (--resume) or choose another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["generator"]


def test_a_device_that_is_not_there_is_reported_before_anything_is_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.training.codec import train as codec

    nowhere: Any = "cuda:99"  # on a machine with a GPU neither
    monkeypatch.setitem(codec.PRESETS, "gpu", replace(codec.GPU, device=nowhere))
    assert main(["train", "all", "--preset", "gpu", "--out", str(tmp_path)]) == 2
    assert "device 'cuda:99' cannot be used here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_report_is_that_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model trained again in the same folder is not refused after hours because of the report before."""
    from openfoley.evaluation.reports import suite
    from openfoley.hub.registry import find_model

    reports: list[tuple[Path, Path]] = []

    def report(model: Path, out: Path, **_: Any) -> None:
        reports.append((model, out))
        out.mkdir()
        (out / "results.md").write_text("figures")

    monkeypatch.setattr(recipe, "train_part", lambda part, _preset, out, **_: out / part / "weights")
    monkeypatch.setattr(recipe, "assemble", lambda *_: find_model("salsa-v-gym"))
    monkeypatch.setattr(suite, "run_report", report)
    assert main(["train", "all", "--preset", "cpu", "--out", str(tmp_path)]) == 0
    ((model, out),) = reports
    assert out.parent == tmp_path and re.fullmatch("report-[0-9a-f]{8}", out.name) and model.is_absolute()


def test_an_unknown_start_is_reported_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody"):
        recipe.train_part("generator", "cpu", tmp_path, resume=False, start="nobody")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "train generator --preset cpu --generator nothing",
            "unknown generator 'nothing'; use one of salsa-v, mmaudio",
        ),
        ("train codec --preset huge", "unknown preset 'huge'; use one of cpu, cpu-long, gpu"),
        ("train codec --preset cpu --start salsa-v-gym", "unrecognized arguments: --start salsa-v-gym"),
        ("train semantic --preset cpu --generator mmaudio", "unrecognized arguments: --generator mmaudio"),
        ("data render --count -1", "count must be a whole number >= 1, got -1"),
        ("data render --count 1 --first 10000000", "the train split has 10000000 seeds"),
        ("data render --count 1 --world round", "argument --world: invalid choice: 'round'"),
        ("data features nowhere", "no Gym cache in 'nowhere'"),
        ("data join nowhere", "no feature cache in 'nowhere'"),
    ],
)
def test_each_part_and_verb_has_its_own_words(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_scenes_features_and_joined_features_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user needs to prepare data for a generator, with scenes of a moment."""
    from openfoley.data import gym_cache
    from openfoley.data.feature_cache import FeatureCache

    monkeypatch.setattr(gym_cache.GymCache, "build", build_small)
    scenes, features = tmp_path / "scenes", tmp_path / "features"
    assert main(["data", "render", "--count", "2", "--first", "5", "--out", str(scenes)]) == 0
    assert main(["data", "features", str(scenes), "--out", str(features)]) == 0
    assert main(["data", "join", str(features), str(features), "--out", str(tmp_path / "joined")]) == 0
    one, both = FeatureCache.open(features), FeatureCache.open(tmp_path / "joined")
    assert len(one) == 2 and len(both) == 4 and one.event_labels is not None
    assert torch.equal(both.latents[2:], one.latents) and one.sync.shape[1] == 24


def build_small(folder: Path, seeds: list[int], *, split: str, **_: Any) -> Any:
    """In place of eight seconds at 24 frames a second: one second of noise."""
    from openfoley.data.gym_cache import GymCache

    assert seeds == [5, 6] and split == "train"
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    np.save(folder / "frames.npy", random.integers(0, 256, (2, 24, 3, 96, 96), dtype=np.uint8))
    np.save(folder / "sound.npy", random.integers(-900, 900, (2, 2, 44_100), dtype=np.int16))
    record = {"captions": ["a wooden ball falls"], "caption": "a wooden ball falls", "events": []}
    (folder / "truth.json").write_text(json.dumps([{**record, "seed": seed} for seed in seeds]))
    return GymCache.open(folder)


def test_a_generator_needs_a_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="steps must be at least 1, got 0"):
        recipe.train_part("generator", "cpu", tmp_path, resume=False, steps=0)


def test_training_needs_no_media_library() -> None:
    """A machine with a GPU and little else can train (recipes/salsa_v_gym_gpu.py)."""
    code = (
        "import sys, openfoley.hub.load, openfoley.training.features, openfoley.training.gym_losses.presets;"
        "import openfoley.training.sync; print('av' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
