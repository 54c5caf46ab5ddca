"""Users' own copies as pairs: layouts, splits and captions; clips hold what was shown and heard; interruptions."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.cli import main
from openfoley.data.pairs import making
from openfoley.data.pairs.clip_folder import ClipFolder, open_pairs, read_pair
from openfoley.data.pairs.layouts import listed
from openfoley.data.pairs.making import make_pairs
from openfoley.data.pairs.pair import PairForm, batch_of
from openfoley.errors import MediaError, UsageError
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.types import Audio

FORM = PairForm(count=4, rate=Fraction(8), size=16)  # 0.5 s
RATE = 48_000


def video(path: Path, level: int, duration_s: float = 1.0, *, sound: bool = True) -> None:
    """Grey of half the level for its first half second, then of the level; the sound's steps likewise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = torch.full((round(24 * duration_s), 3, 32, 48), level, dtype=torch.uint8)
    frames[:12] = level // 2
    samples = torch.full((2, round(RATE * duration_s)), level / 512)
    samples[:, : RATE // 2] /= 2
    write_video(path, frames, Fraction(24), audio=Audio(samples, RATE) if sound else None)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Two classes of AVSync15 with lists; a silent video and one that is too short."""
    folder = tmp_path / "AVSync15"
    for k, name in enumerate(("hammering/a", "hammering/b", "playing_violin__fiddle/c")):
        video(folder / "videos" / f"{name}.mp4", 80 + 60 * k)
    video(folder / "videos" / "hammering" / "mute.mp4", 90, sound=False)
    video(folder / "videos" / "hammering" / "short.mp4", 90, 0.3)
    (folder / "train.txt").write_text(
        "hammering/a.mp4\nplaying_violin__fiddle/c.mp4\nhammering/mute.mp4\nhammering/short.mp4\n"
    )
    video(folder / "videos" / "hammering" / "in_no_list.mp4", 90)
    (folder / "test.txt").write_text("hammering/b.mp4\n")
    return folder


def test_clips_hold_what_was_shown_and_heard_when_it_was(classes: Path, tmp_path: Path) -> None:
    made = make_pairs("avsync15", classes, tmp_path / "out", FORM, validation=0, workers=1)
    assert made.clips == {"train": 4, "validation": 0, "evaluation": 2}
    assert set(made.lost) == {"videos/hammering/mute", "videos/hammering/short"}
    assert "holds no sound" in made.lost["videos/hammering/mute"]
    pairs = open_pairs(tmp_path / "out", "train")
    assert len(pairs) == 4 and pairs.form == FORM
    assert [caption for (caption,) in pairs.captions] == ["hammering"] * 2 + ["playing violin fiddle"] * 2
    for index, level in enumerate((40, 80, 100, 200)):
        pair = pairs[index]
        assert pair.frames.shape == (4, 3, 16, 16) and pair.sound.shape == (8_000,)
        assert (pair.frames.float() - level).abs().mean() < 4
        assert pair.sound[500:-500].mean() == pytest.approx(level / 512, abs=0.01)
    batch = batch_of(pairs, [3, 0])
    assert batch.frames.shape == (2, 4, 3, 16, 16) and batch.captions == (("playing violin fiddle",), ("hammering",))
    with (tmp_path / "out" / "evaluation.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [caption for _, caption in rows] == ["hammering"] * 2
    assert all((tmp_path / "out" / path).is_file() for path, _ in rows)


def test_the_sound_of_a_clip_is_as_it_was_cut(tmp_path: Path) -> None:
    noise = torch.rand(1, RATE // 3, generator=torch.Generator().manual_seed(1)) - 0.5
    (tmp_path / "a").mkdir()
    frames = torch.zeros(12, 3, 32, 32, dtype=torch.uint8)
    write_video(tmp_path / "a" / "x.mkv", frames, Fraction(24), audio=Audio(noise.repeat(1, 2)[:, : RATE // 2], RATE))
    ((shown, heard),) = making.cut(listed("landscape", tmp_path)[0], FORM)
    make_pairs("landscape", tmp_path, tmp_path / "out", FORM, validation=0, workers=1)
    pair = next(iter(open_pairs(tmp_path / "out", listed("landscape", tmp_path)[0].split)))
    assert torch.equal(pair.frames, shown) and (pair.sound - heard).abs().max() < 1.01 / 32768


def test_greatest_hits_are_captioned_by_what_is_struck_in_each_clip(tmp_path: Path) -> None:
    for id in ("2015-02-16", "2015-03-01"):
        video(tmp_path / f"{id}_denoised_thumb.mp4", 100)
        video(tmp_path / f"{id}_denoised.mp4", 100)
    with AudioWriter(tmp_path / "2015-02-16_denoised.wav", RATE, 1, "16") as writer:
        writer.write(torch.full((1, RATE), 0.5))
    (tmp_path / "2015-02-16_times.txt").write_text(
        "0.1 wood hit static\n0.2 plastic-bag scratch deform\n0.3 wood hit static\n0.7 None None None\n"
    )
    (tmp_path / "test.txt").write_text("2015-03-01_mic.mp4\n")
    (tmp_path / "train.txt").write_text("2015-02-16\n")
    first, second = listed("greatest-hits", tmp_path)
    assert first.video.name.endswith("_thumb.mp4") and first.sound is not None and second.sound is None
    assert (first.split, second.split) == ("train", "evaluation")
    make_pairs("greatest-hits", tmp_path, tmp_path / "out", FORM, validation=0, workers=1)
    pairs = open_pairs(tmp_path / "out", "train")
    assert pairs.captions == (("a drumstick hits wood and scratches plastic bag",), ("a drumstick hits something",))
    assert pairs[0].sound[500:-500].mean() == pytest.approx(0.5, abs=0.01)
    (tmp_path / "captions.csv").write_text("file,caption\n2015-02-16,a stick on a plank\n")
    assert listed("greatest-hits", tmp_path)[0].captions_of(0, 1) == ("a stick on a plank",)
    (tmp_path / "2015-02-16_times.txt").write_text("0.1 wood\n")
    with pytest.raises(UsageError, match="line 1: expected time, material, action, reaction"):
        listed("greatest-hits", tmp_path)


def test_vggsound_and_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name in ("-QlgGKvOyqs_000073_000083", "abc_def-ghi_30000", "unknown_000001"):
        video(tmp_path / "videos" / f"{name}.mp4", 100)
    rows = ['-QlgGKvOyqs,73,"dog barking, howling",train', "abc_def-ghi,30,sea waves,test"]
    (tmp_path / "vggsound.csv").write_text("\n".join(rows))
    found = {one.video.stem[:3]: (one.captions, one.split) for one in listed("vggsound", tmp_path)}
    assert found == {"-Ql": (("dog barking, howling",), "train"), "abc": (("sea waves",), "evaluation")}
    (tmp_path / "captions.csv").write_text(
        "file,caption,split\nvideos/unknown_000001.mp4,first,test\nvideos/unknown_000001.mp4,second,test\n"
    )
    (one,) = listed("folder", tmp_path)
    assert one.captions == ("first", "second") and one.split == "evaluation"


def test_an_interrupted_run_continues_behind_the_last_finished_video(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, cut_videos = tmp_path / "out", []

    def stopping(job: tuple) -> None:
        cut_videos.append(job[1].name)
        if len(cut_videos) == 3:
            raise KeyboardInterrupt
        original(job)

    original = making._cut_job
    monkeypatch.setattr(making, "_cut_job", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_pairs("avsync15", classes, out, FORM, validation=0, workers=1)
    with pytest.raises(UsageError, match="holds no finished pairs"):
        open_pairs(out)
    with pytest.raises(UsageError, match="was begun with other input or settings"):
        make_pairs("avsync15", classes, out, FORM, per_video=1, validation=0, workers=1)
    made = make_pairs("avsync15", classes, out, FORM, validation=0, workers=1)
    assert len(cut_videos) == 6 and cut_videos[2] == cut_videos[3]
    assert made.clips["train"] == 4 and not (out / "unfinished").exists()
    assert make_pairs("avsync15", classes, out, FORM, validation=0, workers=1) == made and len(cut_videos) == 6


def test_a_folder_of_several_sets_is_their_union(classes: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_pairs("avsync15", classes, tmp_path / "all" / name, FORM, per_video=1, validation=0, workers=1)
    joined, alone = open_pairs(tmp_path / "all", "train"), open_pairs(tmp_path / "all" / "one", "train")
    assert len(joined) == 4 and list(joined.captions) == [*alone.captions] * 2
    assert torch.equal(joined[3].frames, alone[1].frames) and torch.equal(joined[0].sound, alone[0].sound)
    make_pairs("avsync15", classes, tmp_path / "all" / "three", PairForm(count=4, size=32), validation=0, workers=1)
    with pytest.raises(UsageError, match="differ in duration, rate or size"):
        open_pairs(tmp_path / "all")


def test_videos_without_lists_keep_their_split_and_some_are_for_evaluation_and_validation(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / "rain").mkdir(exist_ok=True)
        (tmp_path / "rain" / f"{number}.mp4").write_bytes(b"")
    splits = [one.split for one in listed("landscape", tmp_path)]
    assert 1 <= splits.count("evaluation") <= 15 and splits == [one.split for one in listed("landscape", tmp_path)]
    for split in ("train", "test"):
        (tmp_path / split / "rain").mkdir(parents=True)
        (tmp_path / split / "rain" / "x.mp4").write_bytes(b"")
    stated = {one.name: one.split for one in listed("landscape", tmp_path)}
    assert (stated["train/rain/x"], stated["test/rain/x"]) == ("train", "evaluation")
    with pytest.raises(UsageError, match="none of the 62 videos gives a clip"):
        make_pairs("landscape", tmp_path, tmp_path.parent / f"{tmp_path.name}-out", FORM, workers=1)


@pytest.mark.parametrize(
    ("files", "kind", "said"),
    [
        ({}, "landscape", "holds no videos of landscape"),
        ({"a.mp4": ""}, "avsync15", "in no folder of a class"),
        ({"a.mp4": ""}, "vggsound", "holds no vggsound.csv"),
        ({"vggsound.csv": "a,b,c"}, "vggsound", "line 1: expected id, second, label, split"),
        ({"a.mp4": ""}, "folder", "has no captions.csv"),
        ({"captions.csv": "name,caption\na.mp4,x"}, "folder", "the header must be file,caption"),
        ({"captions.csv": "file,caption\na.mp4,\n"}, "folder", "line 2: needs a file and a caption"),
        ({"captions.csv": "file,caption\na.mp4,x\n"}, "folder", "names 'a', which is not there"),
        ({"captions.csv": "file,caption,split\na.mp4,x,rest\n"}, "folder", "split must be train or evaluation"),
    ],
)
def test_copies_that_cannot_be_read_are_refused_with_what_to_do(
    files: dict[str, str], kind: str, said: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        listed(kind, tmp_path)


def test_a_plain_folder_of_videos_is_read_at_any_form(tmp_path: Path) -> None:
    video(tmp_path / "x" / "a.mp4", 120)
    pairs = ClipFolder.of_videos(tmp_path / "x", FORM)
    assert pairs[0].name == "a" and pairs[0].frames.shape == (4, 3, 16, 16)
    with pytest.raises(MediaError, match="has 1.00 s of picture and sound; 2 s are needed"):
        read_pair(tmp_path / "x" / "a.mp4", PairForm())
    with pytest.raises(UsageError, match="holds neither pairs"):
        ClipFolder.of_videos(tmp_path, FORM)


def test_the_command_says_what_it_made_and_what_it_lost(
    classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "pairs", "avsync15", str(classes), "--out", str(tmp_path / "out"), "--workers", "1"]
    form = ["--duration", "0.5", "--size", "16", "--validation", "0", "--per-video", "1"]
    assert main([*words, *form]) == 0
    said = capsys.readouterr().err
    assert ": 2 for train" in said and "1 for evaluation" in said and "2 videos gave none" in said
    record = json.loads((tmp_path / "out" / "pairs.json").read_text())
    assert record["about"]["form"] == {"count": 4, "rate": "8", "size": 16, "sample_rate": 16000}
    assert main(["data", "pairs", "avsync15", "--out", str(tmp_path / "b")]) == 2
    assert "pass the folder of your copy" in capsys.readouterr().err
    assert main([*words[:4], "--out", str(tmp_path / "c"), "--duration", "0.3"]) == 2
    assert "whole number of frames" in capsys.readouterr().err
