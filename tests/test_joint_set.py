"""Pairs for the captions of a set: names that `evaluate pair` knows, continued and extended, nothing mixed."""

from pathlib import Path

import pytest
import torch

import tiny_pairs
from openfoley.cli import main
from openfoley.data.disk import write_json
from openfoley.data.pairs.clip_folder import read_pair
from openfoley.data.pairs.gym_pairs import GymPairs
from openfoley.errors import UsageError
from openfoley.evaluation.reports.pair_files import evaluate_pairs
from openfoley.gym.seeds import seeds_of
from openfoley.hub.pair import load_pair_model
from openfoley.hub.pair_parts import PairModel
from openfoley.joint import PairRequest, generate_pair
from openfoley.joint_set import Given, generate_set
from openfoley.media.read.sound_file import read_audio

PAIRS = tiny_pairs.FewPairs(2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pairs.model_folder(tmp_path_factory.mktemp("pair") / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> PairModel:
    return load_pair_model(folder)


def test_an_interrupted_and_extended_set_has_the_files_of_one_run(model: PairModel, tmp_path: Path) -> None:
    whole = generate_set(model, PAIRS, tmp_path / "whole", count=2)
    assert [path.name for path in whole] == ["0-1.mp4", "0-2.mp4", "1-1.mp4", "1-2.mp4"]
    generate_set(model, PAIRS, tmp_path / "again")
    (tmp_path / "again" / "1-1.mp4").unlink()
    kept = (tmp_path / "again" / "0-1.mp4").stat().st_mtime_ns
    again = generate_set(model, PAIRS, tmp_path / "again", count=2)
    assert (tmp_path / "again" / "0-1.mp4").stat().st_mtime_ns == kept
    sounds = [[read_audio(path, 16_000).samples for path in paths] for paths in (whole, again)]
    assert all(torch.equal(one, other) for one, other in zip(*sounds, strict=True))
    assert not torch.equal(sounds[0][0], sounds[0][1]) and not torch.equal(sounds[0][0], sounds[0][2])


def test_each_clip_is_generated_from_its_own_caption(model: PairModel, tmp_path: Path) -> None:
    paths = generate_set(model, PAIRS, tmp_path / "out", seed=5)
    for place, path in enumerate(paths):
        prompt = PAIRS.captions[place][0]
        pair = generate_pair(model, PairRequest(prompt=prompt, seed=5 + 64 * place))[0]
        wanted = read_audio(pair.save(tmp_path / f"{place}.mp4"), 16_000).samples
        assert torch.equal(read_audio(path, 16_000).samples, wanted)


def test_other_settings_and_other_files_are_refused(model: PairModel, tmp_path: Path) -> None:
    generate_set(model, PAIRS, tmp_path / "out")
    with pytest.raises(UsageError, match="was begun with other input or settings"):
        generate_set(model, PAIRS, tmp_path / "out", gamma=2.0)
    with pytest.raises(UsageError, match="holds other things"):
        generate_set(model, PAIRS, tmp_path)
    with pytest.raises(UsageError, match="given_video is for a single pair"):
        generate_set(model, PAIRS, tmp_path / "other", given_video=Path("a.mp4"))
    with pytest.raises(UsageError, match="steps must be"):
        generate_set(model, PAIRS, tmp_path / "other", steps=0)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("given", ["video", "sound"])
def test_what_is_given_of_a_clip_is_kept_and_the_other_is_made_for_it(
    model: PairModel, tmp_path: Path, given: Given
) -> None:
    paths = generate_set(model, PAIRS, tmp_path / given, given=given, steps=1)
    for path, clip in zip(paths, (PAIRS[0], PAIRS[1]), strict=True):
        made = read_pair(path, PAIRS.form)
        if given == "video":  # but for the video's coding
            assert (made.frames.float() - clip.frames.float()).abs().mean() < 6
        else:
            bounds = 2000 * (4 + int(clip.name)) + torch.tensor([-200, 600])
            inside = made.sound[int(bounds[0]) : int(bounds[1])].square().sum() / made.sound.square().sum()
            assert inside > 0.9
    with pytest.raises(UsageError, match="was begun with other input or settings"):
        generate_set(model, PAIRS, tmp_path / given, steps=1)


def test_what_is_given_must_have_the_models_form(model: PairModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="clips have 16 frames of 32 pixels at 8 Hz, what is given .* needs 24 of 32"):
        generate_set(model, PAIRS, tmp_path / "out", given="video", duration=3)
    with pytest.raises(UsageError, match="without connectors what is given changes nothing"):
        generate_set(model, PAIRS, tmp_path / "out", given="sound", connected=False)
    assert not (tmp_path / "out").exists()


def test_the_command_makes_what_evaluate_pair_compares(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "gym" / "evaluation"
    pairs = GymPairs.build(place, seeds_of("evaluation", 2, 60, "close-up"), workers=1)
    write_json(place / "truth.json", [record | {"captions": ["a box"]} for record in pairs.truth])  # short enough
    command = ["generate-pair", "--model", str(folder), "--captions", str(tmp_path / "gym"), "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    record = evaluate_pairs([tmp_path / "out"], tmp_path / "gym")
    assert record["clips"]["out"] == {"clips": 2, "prompts": 2}
    assert main([*command, "--out", str(tmp_path / "new"), "--prompt", "a box"]) == 2
    alone = ["generate-pair", "--model", str(folder), "--prompt", "a box", "--out", str(tmp_path / "a.mp4")]
    assert main([*alone, "--given", "video"]) == 2
