"""Gym scenes as pairs: what they hold, that they resume, and what is refused."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.data.pairs import gym_pairs
from openfoley.data.pairs.clip_folder import open_pairs
from openfoley.data.pairs.gym_pairs import GymPairs, render_pair
from openfoley.data.pairs.pair import PairForm, batch_of
from openfoley.errors import UsageError
from openfoley.gym.seeds import seeds_of

SEEDS = seeds_of("train", 4, world="close-up")


def test_a_pair_has_sixteen_frames_and_two_seconds_whose_events_are_heard_at_their_times() -> None:
    heard = 0
    for seed in SEEDS:
        pair, truth = render_pair(seed)
        assert pair.frames.shape == (16, 3, 32, 32) and pair.sound.shape == (32_000,)
        assert pair.captions == tuple(truth["captions"]) and truth["duration_s"] == 2.0
        for event in truth["events"]:
            at = round(event["time_s"] * 16_000)
            before, after = pair.sound[max(at - 160, 0) : at - 8], pair.sound[at : at + 320]
            heard += 1
            assert after.square().mean() > before.square().mean(), event
    assert heard > 3


def test_a_built_folder_holds_what_single_scenes_are_and_is_opened_again(tmp_path: Path) -> None:
    pairs = GymPairs.build(tmp_path / "train", SEEDS, workers=1)
    for index, seed in enumerate(SEEDS):
        pair, truth = render_pair(seed)
        assert torch.equal(pairs[index].frames, pair.frames) and pairs[index].captions == pair.captions
        assert (pairs[index].sound - pair.sound.clamp(-1, 1)).abs().max() <= 0.51 / 32767
        assert pairs.truth[index] == json.loads(json.dumps(truth))
    again = GymPairs.build(tmp_path / "train", SEEDS, workers=1)
    assert again.digest == pairs.digest and again.form == PairForm()
    batch = batch_of(again, [2, 0])
    assert batch.frames.shape == (2, 16, 3, 32, 32) and batch.captions[1] == pairs[0].captions
    with pytest.raises(UsageError, match="scenes of other seeds"):
        GymPairs.build(tmp_path / "train", SEEDS[:2], workers=1)
    with pytest.raises(UsageError, match="pairs of 16 frames of 32 pixels"):
        GymPairs.build(tmp_path / "train", SEEDS, PairForm(size=48), workers=1)


def test_an_interrupted_build_continues_from_its_last_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = GymPairs.build(tmp_path / "whole", SEEDS, workers=1)
    monkeypatch.setattr(gym_pairs, "BLOCK", 2)
    rendered: list[int] = []

    def render(job: tuple) -> dict:
        rendered.append(job[1])
        if len(rendered) == 3:
            raise KeyboardInterrupt
        return original(job)

    original = gym_pairs._render_row
    monkeypatch.setattr(gym_pairs, "_render_row", render)
    with pytest.raises(KeyboardInterrupt):
        GymPairs.build(tmp_path / "part", SEEDS, workers=1)
    with pytest.raises(UsageError, match="no Gym pairs"):
        GymPairs.open(tmp_path / "part")
    with pytest.raises(UsageError, match="holds other pairs, unfinished"):
        GymPairs.build(tmp_path / "part", SEEDS, PairForm(size=48), workers=1)
    pairs = GymPairs.build(tmp_path / "part", SEEDS, workers=1)
    assert rendered == [0, 1, 2, 2, 3]
    assert np.array_equal(pairs.frames, whole.frames) and np.array_equal(pairs.sound, whole.sound)
    assert not (tmp_path / "part" / "unfinished.json").exists() and pairs.digest == whole.digest


@pytest.mark.parametrize("given", [{"count": 1}, {"rate": Fraction(90)}, {"size": 33}, {"size": 8}])
def test_forms_that_cannot_be_are_refused(given: dict) -> None:
    with pytest.raises(UsageError, match="a pair needs 2 or more frames"):
        PairForm(**given)


def test_the_command_renders_a_split_and_refuses_what_is_for_other_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "pairs", "gym", "--out", str(tmp_path), "--workers", "1"]
    assert main([*words, "--count", "2", "--split", "validation", "--first", "3"]) == 0
    assert f"2 clips in {tmp_path / 'validation'}" in capsys.readouterr().err
    pairs = open_pairs(tmp_path, "validation")
    assert [pairs[k].name for k in range(2)] == [str(s) for s in seeds_of("validation", 2, 3, "close-up")]
    with pytest.raises(UsageError, match="holds no finished pairs"):
        open_pairs(tmp_path, "train")
    assert main([*words, "--count", "1", "--split", "evaluation", "--duration", "3"]) == 0
    assert len(open_pairs(tmp_path, "evaluation")[0].frames) == 24
    for more, said in (
        ([], "needs --count"),
        (["--count", "1", "--fps", "4"], "--fps is not for data pairs gym"),
        (["--count", "1", "--duration", "2.1"], "duration must be a whole number of frames, got 2.1 s at 8 Hz"),
        (["--count", "1", "--split", "evaluation"], "holds pairs of 24 frames of 32 pixels"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err
