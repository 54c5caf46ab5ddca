"""The layout of pairs from four small videos whose brightness and loudness tell which they are."""

import csv
import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.cli import main
from openfoley.data import mono_audio, unav
from openfoley.data.mono_audio import KINDS, Item, make_mono_audio, read_items
from openfoley.data.unav import CATEGORIES, single_source_windows
from openfoley.errors import UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.encode import write_video
from openfoley.types import Audio

WINDOW_S, STARTS = 1.0, {"dog": 0.5, "cat": 0.0, "sea": 1.0, "rain": 0.25}
LEVELS = {"dog": 60, "cat": 110, "sea": 160, "rain": 210}
LABELS = {"dog": "dog barking", "cat": "cat meowing", "sea": "sea waves", "rain": "raining"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mono_audio, unav):
        monkeypatch.setattr(module, "WINDOW_S", WINDOW_S)
    monkeypatch.setattr(mono_audio, "HEIGHT", 32)
    monkeypatch.setattr(mono_audio, "WIDTH", 48)


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """UnAV's folder and VGGSound's list: each thing is shown and heard from its start on, before that all is black."""
    folder = tmp_path / "unav"
    (folder / "raw_videos").mkdir(parents=True)
    database = {}
    for name, level in LEVELS.items():
        start = STARTS[name]
        frames = torch.full((50, 3, 32, 48), level, dtype=torch.uint8)
        frames[: round(25 * start)] = 0
        sound = torch.full((1, 16000), level / 256)
        sound[:, : round(8000 * start)] = 0
        write_video(folder / "raw_videos" / f"{name}.mp4", frames, Fraction(25), audio=Audio(sound, 8000))
        segments = [{"segment": [start, start + 0.9], "label": LABELS[name], "label_id": 0}]
        database[name] = {"duration": 2.0, "annotations": segments, "subset": "test"}
    database["mix"] = {"duration": 2.0, "annotations": [
        {"segment": [0, 2.0], "label": "dog barking"}, {"segment": [0.5, 1.5], "label": "raining"},
    ]}  # fmt: skip
    (folder / unav.ANNOTATIONS).write_text(json.dumps({"database": database}))
    rows = [f"{name},30,{LABELS.get(name, 'dog barking')},test" for name in (*LEVELS, "mix", "other")]
    rows.append('seen,10,"male speech, man speaking",train')
    (tmp_path / "vggsound.csv").write_text("\n".join(rows))
    return folder, tmp_path / "vggsound.csv"


def test_every_label_of_unav_has_one_category() -> None:
    labels = [label for of in CATEGORIES.values() for label in of]
    assert len(labels) == len(set(labels)) == 100 and len(CATEGORIES) == 8


def test_windows_hold_one_annotated_thing_of_both_data_sets(copies: tuple[Path, Path]) -> None:
    found = {one.id: one for one in single_source_windows(*copies)}
    assert set(found) == set(LEVELS)
    assert {name: one.start_s for name, one in found.items()} == STARTS
    assert (found["sea"].label, found["sea"].category, found["sea"].name) == ("sea waves", "nature", "sea_000030")


def test_each_pair_is_shown_on_its_sides_and_heard_alone(copies: tuple[Path, Path], tmp_path: Path) -> None:
    made = make_mono_audio(*copies, tmp_path / "out")
    assert made.items == {"inter_class": 8, "intra_class": 4} and made.videos == 4 and not any(made.lost.values())
    items = read_items(tmp_path / "out")
    sides = set()
    for kind, of in items.items():
        assert len({one.file_name for one in of}) == len(of)
        for item in of:
            sides.add(item.target_position)
            target, _, paired, _, side = item.file_name.split("_")
            assert (side, LABELS[target], LABELS[paired]) == (item.target_position, item.label, item.paired_label)
            assert (item.target_start_sec, item.paired_start_sec) == (STARTS[target], STARTS[paired])
            source = Source.file(tmp_path / "out" / kind / "mixed" / f"{item.file_name}.mp4")
            assert source.info.duration == 1 and (source.info.width, source.info.height) == (96, 32)
            (frames,) = (c.frames for c in source.chunks([FrameRequest("all", Fraction(25), 32, 96)]))
            left, right = (half.float().mean((1, 2, 3)) for half in frames.split(48, -1))
            own, other = (left, right) if side == "left" else (right, left)
            assert len(own) == 25 and (own - LEVELS[target]).abs().max() < 4, "from the start of the window on"
            assert (other - LEVELS[paired]).abs().max() < 4
            sound = read_audio(tmp_path / "out" / kind / "target_audio" / item.target_file)
            assert sound.samples.shape == (1, 8000)
            assert float(sound.samples[0, 1000:7000].mean()) == pytest.approx(LEVELS[target] / 256, abs=0.05)
            assert (tmp_path / "out" / kind / "target_audio" / item.paired_file).is_file()
    assert sides == {"left", "right"}
    raw = (tmp_path / "out" / "inter_class" / "metadata.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbffile_name,label,paired_label,target_file,paired_file,target_category,")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(KINDS)


def test_the_choice_of_pairs_is_seeded(copies: tuple[Path, Path]) -> None:
    windows = single_source_windows(*copies)
    few = mono_audio.drawn_pairs(windows, 2, 0)
    assert few == mono_audio.drawn_pairs(windows, 2, 0) and {k: len(v) for k, v in few.items()} == {
        "inter_class": 2, "intra_class": 2,
    }  # fmt: skip
    assert any(mono_audio.drawn_pairs(windows, 2, seed) != few for seed in range(1, 5))


def test_missing_and_broken_videos_are_counted_in_one_line(
    copies: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copies[0] / "raw_videos" / "sea.mp4").unlink()
    (copies[0] / "raw_videos" / "rain.mp4").write_bytes(b"no video")
    words = ["data", "mono-audio", *map(str, copies), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "clips of 2 videos in" in said and "0 of inter_class, 2 of intra_class" in said
    assert "1 are missing (sea first); 1 are unreadable (rain first)" in said
    assert main(words) == 2 and "exists; give a folder that does not" in capsys.readouterr().err


def test_nothing_is_left_half_written(
    copies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mono_audio, "write_video", broken)
    with pytest.raises(Exception, match="the disk is full"):
        make_mono_audio(*copies, tmp_path / "out")
    for name in ("dog", "cat", "sea"):
        (copies[0] / "raw_videos" / f"{name}.mp4").unlink()
    with pytest.raises(
        UsageError, match=r"got those of raining, 3 of 4 videos are missing or unreadable \(cat first\)"
    ):
        make_mono_audio(*copies, tmp_path / "out")
    listed = copies[1].read_text().splitlines()
    copies[1].write_text(next(line for line in listed if line.startswith("rain")))
    with pytest.raises(UsageError, match="two videos of different labels, got those of raining; add videos of others"):
        make_mono_audio(*copies, tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["unav", "vggsound.csv"]


def test_other_files_are_refused_in_one_line(copies: tuple[Path, Path], tmp_path: Path) -> None:
    folder, listed = copies
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.csv").write_text("id,second\n")
    (tmp_path / "none.csv").write_text("dog,30,raining,test\n")
    for unav_dir, vggsound, says in (
        (tmp_path / "nowhere", listed, "is not a folder"),
        (tmp_path / "empty", listed, "holds no unav100_annotations.json"),
        (folder, tmp_path / "wrong.csv", "line 1: expected id, second, label, split"),
        (folder, tmp_path / "nothing.csv", "cannot be read"),
        (folder, tmp_path / "none.csv", "no video of"),
    ):
        with pytest.raises(UsageError, match=says):
            make_mono_audio(unav_dir, vggsound, tmp_path / "out")
    (folder / unav.ANNOTATIONS).write_text('{"database": {"dog": {}}}')
    with pytest.raises(UsageError, match="is not UnAV-100's annotations"):
        make_mono_audio(folder, listed, tmp_path / "out")
    with pytest.raises(UsageError, match="holds no inter_class/metadata.csv"):
        read_items(tmp_path)
    (tmp_path / "inter_class").mkdir()
    with open(tmp_path / "inter_class" / "metadata.csv", "w") as file:
        csv.writer(file).writerows([["file_name"], ["a"]])
    with pytest.raises(UsageError, match="is not a list of items"):
        read_items(tmp_path)
    columns = [one.name for one in fields(Item)]
    for rows, says in (([], "holds no pairs"), ([[*"abcdef", "middle", 0, 0]], "'middle' is neither left nor right")):
        with open(tmp_path / "inter_class" / "metadata.csv", "w") as file:
            csv.writer(file).writerows([columns, *rows])
        with pytest.raises(UsageError, match=says):
            read_items(tmp_path)
