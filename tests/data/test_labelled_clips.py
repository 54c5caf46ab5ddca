"""Folders of clips with labels: what is read, what is left out with a word, what is refused by line."""

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.data.gym_cache import FULL_SCALE
from openfoley.data.labelled_clips import GYM_REQUEST, LabelledClips, at_gym_size, open_labelled, read_labels
from openfoley.errors import UsageError


@pytest.fixture(scope="module")
def folder(make_video: Callable[..., Path]) -> Path:
    """Four clips of 8 s or more with two labels in each split, one too short and one silent."""
    rate, lengths = Fraction(6), {"a.mp4": 16.5, "b.mp4": 8.0, "c.mp4": 8.0, "d.mp4": 8.0, "short.mp4": 7.0}
    root = make_video(name="silent.mp4", duration_s=8.0, rate=rate).parent
    for name, duration_s in lengths.items():
        made = make_video(name=name, duration_s=duration_s, rate=rate, sound=True)
        made.rename(root / name)
    lines = ["a.mp4,dog barking,train", "a.mp4,a dog barks,train", "b.mp4,train horn,train", "silent.mp4,rain,train",
             "short.mp4,rain,train", "c.mp4,dog barking,validation", "d.mp4,train horn,validation"]  # fmt: skip
    (root / "labels.csv").write_text("\n".join(["file,label,split", *lines]) + "\n")
    return root


def test_files_give_pieces_of_8_s_and_others_are_left_out_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        files = open_labelled(folder, tmp_path / "clips.json")
    assert [(file.path.name, file.pieces) for file in files] == [("a.mp4", 2), ("b.mp4", 1), ("c.mp4", 1), ("d.mp4", 1)]
    assert files[0].labels == ("dog barking", "a dog barks")
    (line,) = caplog.messages
    assert line.startswith("2 of 6 files are left out") and line.endswith("silent.mp4")
    assert open_labelled(folder, tmp_path / "clips.json") == files, "from the index"


def test_pieces_have_the_pictures_and_the_sound_of_their_time(folder: Path, tmp_path: Path) -> None:
    clips = LabelledClips.of(open_labelled(folder, tmp_path / "clips.json"), "train", GYM_REQUEST)
    assert [source.names[0] for source in clips.sources] == ["dog barking", "dog barking", "train horn"]
    assert all(source.is_seen and not source.absent for source in clips.sources) and clips.length(0) == 192
    late, early = clips.snippet(0, 190, 2), clips.snippet(1, 0, 2)
    assert late.shape == (2, 3, 96, 96) and not torch.equal(late, early)
    sound = clips.heard(1, 16_000, 1, 16_000 * 9)
    assert sound.shape == (1, 144_000) and sound[:, :16_000].abs().max() > 0.05
    assert not sound[:, 137_000:].any(), "16.5 s long: the second piece's last half second is missing"
    gym = at_gym_size(clips, tmp_path / "gym")
    assert (
        np.array_equal(gym.frames[1, :2], early.numpy()) and len(gym) == 3 and gym.sources[2].names == ("train horn",)
    )
    expected = clips.heard(1, 44_100, 2, 352_800)
    assert np.abs(gym.sound[1] / FULL_SCALE - expected.clamp(-1, 1).numpy()).max() < 1e-4
    stamp = (tmp_path / "gym" / "frames.npy").stat().st_mtime_ns
    at_gym_size(clips, tmp_path / "gym")
    assert (tmp_path / "gym" / "frames.npy").stat().st_mtime_ns == stamp


def test_every_20th_file_is_for_validation_where_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openfoley.data.labelled_clips.pieces_of", lambda path: 1)
    lines = [f"{k}.mp4,{'dog' if k % 3 else 'train'}" for k in range(60)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]))
    files = open_labelled(tmp_path, tmp_path / "clips.json")
    assert [k for k, file in enumerate(files) if file.split == "validation"] == [19, 39, 59]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("file,label\n", "has no clips"),
        ("name,label\na,b\n", "the header must be file,label or file,label,split, got name,label"),
        ("file,label\na.mp4,\n", "line 2: needs a file and a label"),
        ("file,label\na.mp4,dog, barking\n", "quote a label with a comma"),
        ("file,label,split\na.mp4,dog,test\n", "split must be train or validation, got 'test'"),
        ("file,label\na.mp4,dog\na.mp4,dog\n", "line 3: 'a.mp4' has this label already"),
    ],
)
def test_wrong_lists_are_refused_by_line(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=says):
        read_labels(tmp_path)


def test_one_label_alone_teaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfoley.data.labelled_clips.pieces_of", lambda path: 1)
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *(f"{k}.mp4,dog" for k in range(40))]))
    with pytest.raises(UsageError, match="the train clips need at least two labels"):
        open_labelled(tmp_path, tmp_path / "clips.json")
