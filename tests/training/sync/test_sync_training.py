"""The recipes on a stand-in cache: bright squares that fall and click."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from openfoley.config import from_dict, to_dict
from openfoley.data.snippets import Snippets
from openfoley.data.stills import Stills
from openfoley.data.sync_clips import SyncClips
from openfoley.encoders import appearance
from openfoley.encoders.audio_tower import GYM as AUDIO
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.sync import GYM, SyncConfig, SyncEncoder
from openfoley.encoders.tokenizer import train_tokenizer
from openfoley.errors import WeightsError
from openfoley.training.semantic import train as semantic
from openfoley.training.sync import train as sync

MATERIALS = {"wood": (140, 90, 40), "steel": (170, 170, 180)}


def make_cache(folder: Path, scenes: int, frames: int = 48) -> Path:
    folder.mkdir(parents=True)
    pictures = np.zeros((scenes, frames, 3, 96, 96), np.uint8)
    sound = np.zeros((scenes, 2, frames * 44100 // 24), np.int16)
    truth = []
    for scene in range(scenes):
        material = list(MATERIALS)[scene % 2]
        hits = [0.3 + 0.1 * (scene % 5), 1.2 + 0.07 * (scene % 4)]
        for frame in range(frames):
            top = int(60 - 150 * min(abs(frame / 24 - hit) for hit in hits)) % 80
            pictures[scene, frame, :, top : top + 14, 40:54] = np.array(MATERIALS[material])[:, None, None]
        for hit in hits:
            start = int(hit * 44100)
            ring = np.arange(2000) / 44100
            sound[scene, :, start : start + 2000] = 9000 * np.sin(2 * np.pi * 1500 * ring) * np.exp(-ring / 0.01)
        events = [
            {"time_s": hit, "material": material, "visible": True, "audible": True, "x": 0.5, "y": 0.6} for hit in hits
        ]
        words = {"caption": f"a {material} ball", "material": material}
        truth.append({"caption": f"a {material} ball bounces", "objects": [words], "events": events, "seed": scene})
    np.save(folder / "frames.npy", pictures)
    np.save(folder / "sound.npy", sound)
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cache(tmp_path_factory.mktemp("data") / "train", 8)


def tiny(cache: Path, steps: int) -> sync.SyncTraining:
    shape = replace(GYM, hidden_size=32, heads=2, mlp_size=32, spatial_layers=1, appearance=None)
    audio = replace(AUDIO, hidden_size=32, heads=2, mlp_size=32, layers=1, output_dim=32)
    return replace(
        sync.CPU,
        sync=shape,
        audio=audio,
        data=cache,
        validation=cache,
        steps=steps,
        warmup_steps=2,
        videos_per_step=2,
        snippets_per_video=2,
        validate_every=100,
        validation_videos=1,
    )


def rows(folder: Path, name: str) -> list[float]:
    with open(folder / "log.csv", newline="") as file:
        return [float(value) for _, key, value in list(csv.reader(file))[1:] if key == name]


def test_clips_give_the_sound_under_the_picture(cache: Path) -> None:
    clips = SyncClips.open(cache)
    snippets = Snippets(torch.tensor([0, 0]), torch.tensor([0, 32]))
    sounds, activity = clips.sounds(snippets), clips.activity(snippets)
    assert sounds.shape == (2, 10667) and activity.shape == (2, 16, 4, 7)
    assert abs(int(sounds[0].abs().argmax()) / 16000 - 0.3) < 0.01  # the scene's first click
    assert int(activity[0, :, :, :6].amax((1, 2)).argmax()) == int(0.3 * 24)
    assert torch.equal(clips.pictures(snippets)[1, 0], clips.frames[0, 32])


def test_a_step_has_most_negatives_from_the_same_videos(cache: Path) -> None:
    preset = replace(tiny(cache, 1), snippets_per_video=4)
    step = sync.draw_step(SyncClips.open(cache), preset, torch.Generator().manual_seed(0))
    sounds = 8 * (1 + preset.shifts_per_snippet)
    assert step.pictures.shape == (8, 16, 3, 96, 96) and step.sounds.shape[0] == step.pairs.shape[1] == sounds
    assert (step.pairs.diagonal() >= 0).all() and (step.pairs == -1).float().mean() > 0.5


def test_training_writes_a_model_that_loads_and_its_loss_falls(cache: Path, tmp_path: Path) -> None:
    preset = tiny(cache, 8)
    path = sync.train_sync(replace(preset, onset_weight=1.0), tmp_path, resume=False)
    config = from_dict(SyncConfig, json.loads((tmp_path / "config.json").read_text()))
    SyncEncoder(config).load_state_dict(load_file(path), strict=True)
    losses = rows(tmp_path, "loss")
    assert losses[-1] < losses[0]
    assert 0 <= rows(tmp_path, "offset_accuracy")[-1] <= 1 and (tmp_path / "audio.safetensors").exists()


def test_scenes_that_are_rendered_meanwhile_join(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is there from the start, the third one only after the first step, the fourth never."""
    second = make_cache(tmp_path / "second", 4)
    third, fourth = tmp_path / "third", tmp_path / "fourth"
    counts: list[set[int]] = []
    draw = sync._one_of

    def counted(parts: list[SyncClips], generator: torch.Generator, shares: tuple[float, ...]) -> SyncClips:
        counts.append({len(part) for part in parts})
        if not third.exists():
            make_cache(third, 3)
        return draw(parts, generator, shares)

    monkeypatch.setattr(sync, "_one_of", counted)
    preset = replace(tiny(cache, 4), more_data=(second, third, fourth))
    sync.train_sync(preset, tmp_path / "out", resume=False)
    assert counts == [{8, 4}, {8, 4, 3}, {8, 4, 3}, {8, 4, 3}]


def test_scenes_are_drawn_by_their_shares_not_by_how_many_there_are(cache: Path, tmp_path: Path) -> None:
    small = SyncClips.open(make_cache(tmp_path / "small", 2))
    large, random = SyncClips.open(cache), torch.Generator().manual_seed(0)
    small_draws = sum(sync._one_of([large, small], random, (1.0, 3.0)) is small for _ in range(400))
    assert 270 < small_draws < 330  # 300 expected, standard deviation 9
    by_length = sum(sync._one_of([large, small], random) is small for _ in range(400))
    assert 50 < by_length < 110  # 80 expected


def test_looks_are_the_semantic_encoders_and_training_leaves_them_so(cache: Path, tmp_path: Path) -> None:
    """An encoder without them is trained on to have them."""
    shape = replace(
        semantic.CPU.semantic, hidden_size=32, heads=2, mlp_size=32, vision_layers=1, text_layers=1, vocabulary=300
    )
    tokenizer = train_tokenizer(["a wood ball"], 300)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    meaning = SemanticEncoder(shape, tokenizer.to_str())
    save_file(meaning.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(to_dict(shape)))
    first = tiny(cache, 2)
    start = sync.train_sync(first, tmp_path / "without", resume=False)
    looks = appearance.appearance_of(shape, every=4)
    preset = replace(
        first,
        sync=replace(first.sync, appearance=looks),
        semantic=tmp_path,
        start=start,
    )
    begun, without = sync.build_encoder(preset).state_dict(), load_file(start)
    assert all(torch.equal(begun[key], value) for key, value in without.items())
    trained = load_file(sync.train_sync(preset, tmp_path / "with", resume=False))
    assert trained["appearance.out.weight"].any()
    for key, value in meaning.siglip.vision_model.state_dict().items():
        if not key.startswith("head."):
            assert torch.equal(trained["appearance.tower." + key], value), key
    moved = load_file(sync.train_sync(replace(preset, appearance_learning_rate=1e-3), tmp_path / "moved", resume=False))
    towers = [key for key in moved if key.startswith("appearance.tower.")]
    assert any(not torch.equal(moved[key], trained[key]) for key in towers)
    half = {key: value for key, value in trained.items() if key != "appearance.out.bias"}
    save_file(half, tmp_path / "half.safetensors")
    with pytest.raises(WeightsError, match="appearance.out.bias"):
        sync.build_encoder(replace(preset, start=tmp_path / "half.safetensors"))
    others = replace(preset, start=tmp_path / "with" / "model.safetensors", semantic=tmp_path / "nowhere")
    again = sync.build_encoder(others).state_dict()  # trained on its own tower, it keeps it
    assert all(torch.equal(again[key], value) for key, value in trained.items())


def test_new_heads_learn_before_an_encoder_that_was_trained_before(cache: Path, tmp_path: Path) -> None:
    start = sync.train_sync(tiny(cache, 2), tmp_path / "start", resume=False)
    frozen = replace(tiny(cache, 3), start=start, frozen_steps=3, average_decay=0.9)
    after = load_file(sync.train_sync(frozen, tmp_path / "frozen", resume=False))
    assert all(torch.equal(after[key], value) for key, value in load_file(start).items())
    assert len(set(rows(tmp_path / "frozen", "onset"))) > 1  # its heads learn
    alone = sync.train_sync(replace(frozen, contrast_weight=0.0), tmp_path / "alone", resume=False).parent
    assert not (alone / "audio.safetensors").exists() and not rows(alone, "offset_accuracy")  # no tower is trained
    assert rows(alone, "seen_precision")
    learning = replace(frozen, frozen_steps=1)
    after = load_file(sync.train_sync(learning, tmp_path / "learning", resume=False))
    assert any(not torch.equal(after[key], value) for key, value in load_file(start).items())


def test_the_average_of_the_weights_is_kept(cache: Path, tmp_path: Path) -> None:
    """After one step a tenth start, nine tenths new weights (`loop.ema`)."""
    start = sync.train_sync(tiny(cache, 2), tmp_path / "start", resume=False)
    one = replace(tiny(cache, 1), start=start)
    begun, plain = load_file(start), load_file(sync.train_sync(one, tmp_path / "plain", resume=False))
    averaged = replace(one, average_decay=0.999)
    kept = load_file(sync.train_sync(averaged, tmp_path / "averaged", resume=False))
    share = 0.1
    for key, value in kept.items():
        torch.testing.assert_close(value, share * begun[key] + (1 - share) * plain[key], msg=key)


def test_onset_loss_is_zero_at_the_truth_and_positive_elsewhere() -> None:
    targets = torch.rand(2, 3, 4, 7)
    assert abs(float(sync.onset_loss(torch.logit(targets, eps=1e-6), targets))) < 1e-3
    assert sync.onset_loss(torch.zeros(2, 3, 4, 7), targets) > 0.1


def make_stills(folder: Path, scenes: int) -> Path:
    """Each scene is one square of its material's colour, in one place."""
    folder.mkdir()
    pictures, truth = np.zeros((scenes, 3, 3, 96, 96), np.uint8), []
    for scene in range(scenes):
        material = list(MATERIALS)[scene % 2]
        pictures[scene, :, :, 32:48, 64:80] = np.array(MATERIALS[material])[:, None, None]
        event = {"x": 0.7, "y": 0.4, "material": material, "time_s": 1.0, "visible": True}
        words = {"caption": f"a {material} ball", "material": material}
        record = {"caption": f"a {material} ball bounces", "objects": [words], "events": [event], "seed": scene}
        truth.append({**record, "shown": [event, event, None]})
    np.save(folder / "pictures.npy", pictures)
    (folder / "stills.json").write_text(json.dumps(truth))
    return folder


def test_semantic_training_learns_two_colours(cache: Path, tmp_path: Path) -> None:
    shape = replace(semantic.CPU.semantic, hidden_size=32, heads=2, mlp_size=32, vision_layers=1, text_layers=1)
    preset = replace(
        semantic.CPU,
        semantic=shape,
        data=make_stills(tmp_path / "stills", 8),
        validation=cache,
        steps=20,
        warmup_steps=2,
        scenes_per_step=8,
        validate_every=100,
    )
    path = semantic.train_semantic(preset, tmp_path / "semantic", resume=False)
    encoder = semantic.SemanticEncoder(shape, tmp_path / "semantic" / "tokenizer.json")
    encoder.load_state_dict(load_file(path), strict=True)
    for name in ("loss", "material"):
        assert rows(tmp_path / "semantic", name)[-1] < rows(tmp_path / "semantic", name)[0]
    assert rows(tmp_path / "semantic", "zero_shot_material_chance") == [0.5]


def test_a_shown_event_is_in_the_cell_that_its_part_of_the_picture_puts_it_in(tmp_path: Path) -> None:
    stills = Stills.open(make_stills(tmp_path / "stills", 8))
    sharp = replace(semantic.GENTLE, blur_probability=0.0, noise=0.0, brightness=0.0)
    preset = replace(semantic.CPU, augmentation=sharp, scenes_per_step=8)
    step = semantic.draw_step(stills, ("steel", "wood"), preset, torch.Generator().manual_seed(3))
    assert (step.shown >= 0).any() and torch.equal(step.materials.sum(1), torch.ones(8))
    for picture, cell, shown in zip(step.pictures, step.cells.tolist(), step.shown.tolist(), strict=True):
        if shown >= 0:
            row, column = divmod(cell, 6)
            patch = picture[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            assert patch.amax() > 0.3  # the square, or a part of it, on black
