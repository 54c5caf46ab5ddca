"""`gym render` leaves what it promises, for both worlds."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile
import torch

from body_scenes import SEED, crowded
from openfoley.cli import main
from openfoley.errors import OutputError
from openfoley.gym import files
from openfoley.gym import scene as entry
from openfoley.gym.records import Scene
from openfoley.gym.seeds import VERSIONS, check_world


def test_gym_render_leaves_video_sound_and_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["gym", "render", "--seed", "20000003", "--count", "2", "--duration", "0.5", "--size", "64x48"]
    assert main([*arguments, "--fps", "29.97", "--silent", "--json", "--out", str(tmp_path / "gym")]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == [20000003, 20000004]
    for seed in (20000003, 20000004):
        truth = json.loads((tmp_path / "gym" / f"{seed}.json").read_text())
        assert truth["duration_s"] == 0.5 and {"caption", "objects", "events", "fps"} <= truth.keys()
        assert soundfile.info(tmp_path / "gym" / f"{seed}.wav").frames == 22050
        with av.open(str(tmp_path / "gym" / f"{seed}.mp4")) as container:
            assert not container.streams.audio
            assert container.streams.video[0].frames == 15


@pytest.fixture
def hand_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes of bodies without a simulation."""

    def sample(seed: int, duration_s: float, *, aspect: float, split: str, **_: Any) -> Scene:
        return replace(crowded(5, 2, duration_s=duration_s), seed=seed, split=split, aspect=aspect)

    monkeypatch.setattr(entry, "_bodies", lambda: sample)


@pytest.mark.usefixtures("hand_made")
def test_bodies_have_the_same_files_with_their_world_and_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"gym render --world bodies --seed {SEED + 20_000_000} --duration 1 --size 64x48 --stems --json"
    assert main([*words.split(), "--out", str(tmp_path)]) == 0, capsys.readouterr().err
    name = str(SEED + 20_000_000)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{name}.{suffix}" for suffix in ("mp4", "wav", "json", "body0.wav", "body1.wav"))
    }
    truth = json.loads((tmp_path / f"{name}.json").read_text())
    assert (truth["world"], truth["split"], truth["seed"], truth["gym"]) == (
        "bodies",
        "evaluation",
        int(name),
        VERSIONS["bodies"],
    )
    assert len([event for event in truth["events"] if not event.get("continuous")]) == 5
    parts = [soundfile.read(tmp_path / f"{name}.{k}wav")[0] for k in ("", "body0.", "body1.")]
    assert abs(parts[0] - parts[1] - parts[2]).max() < 1e-5
    with av.open(str(tmp_path / f"{name}.mp4")) as container:
        assert container.streams.video[0].frames == 24 and len(container.streams.audio) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--world bodies --seed 5", "world bodies must be in 100000000..139999999, got 5; world flat has 0..39999999"),
        ("--seed 100000000", "world flat must be in 0..39999999, got 100000000; world bodies has 100000000..139999999"),
        ("--world bodies --seed 139999999 --count 2", "must be in 100000000..139999999, got 140000000"),
        ("--world round --seed 5", "argument --world: invalid choice: 'round' (choose from"),
    ],
)
def test_seeds_and_worlds_are_checked_before_anything_is_written(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gym", "render", *words.split(), "--duration", "1", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--duration 0", "duration must be at least one frame, 0.0417 s, and at most 3600 s, got 0"),
        ("--duration 0.01", "duration must be at least one frame, 0.0417 s, and at most 3600 s, got 0.01"),
        ("--duration nan", "duration must be at least one frame"),
        ("--duration 3601", "at most 3600 s, got 3601"),
        ("--count 0", "count must be a whole number >= 1, got 0"),
        ("--fps 0", "fps must be in 1..240, got 0"),
        ("--fps 500", "fps must be in 1..240, got 500"),
        ("--size 15x64", "size must be 16x16 to 4096x4096 pixels, got 15x64"),
        ("--size 64x8000", "size must be 16x16 to 4096x4096 pixels, got 64x8000"),
        ("--size 64", "argument --size: expected WIDTHxHEIGHT such as 640x360, got '64'"),
        ("--device round", "device 'round' is unknown to PyTorch; pass cpu, cuda, cuda:1 or mps"),
    ],
)
def test_a_form_that_cannot_be_rendered_is_refused_before_anything_is_written(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["gym", "render", "--seed", "1", "--duration", "1", *words.split(), "--out", str(tmp_path / "out")]) == 2
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and not list(tmp_path.iterdir())


def test_an_interrupted_rendering_is_continued_as_its_message_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"gym render --duration 0.2 --size 16x16 --out {tmp_path / 'out'}".split()
    kept, write = [], files.write_video

    def interrupted(path: Path, *args: Any, **options: Any) -> int:
        kept.append(path)
        if len(kept) == 2:
            raise KeyboardInterrupt
        return write(path, *args, **options)

    monkeypatch.setattr(files, "write_video", interrupted)
    assert main([*words, "--seed", "1", "--count", "3"]) == 130
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.json", "1.mp4", "1.wav", "2.wav"]
    first = (tmp_path / "out" / "1.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main([*words, "--seed", "1", "--count", "3"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "holds 1 of these 3 scenes; to continue, pass seed 2, count 2 and --force; to overwrite, pass --force" in line
    )
    assert main([*words, "--seed", "2", "--count", "2", "--force"]) == 0
    assert len(list((tmp_path / "out").glob("*.json"))) == 3
    assert (tmp_path / "out" / "1.json").stat().st_mtime_ns == first
    capsys.readouterr()
    assert main([*words, "--seed", "1", "--count", "3"]) == 2
    assert "holds 3 of these 3 scenes; to overwrite, pass --force; or choose another folder" in capsys.readouterr().err


def test_bodies_without_the_extra_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    words = f"gym render --world bodies --seed {SEED} --duration 1 --out {tmp_path / 'out'}"
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install 'openfoley[gym]'") and not list(tmp_path.iterdir())
    assert main(f"gym render --seed 1 --duration 0.2 --size 16x16 --out {tmp_path / 'flat'}".split()) == 0


def test_bodies_whose_kernels_cannot_be_kept_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WARP_CACHE_PATH", str(tmp_path / "file" / "warp"))
    assert main(f"gym render --world bodies --seed {SEED} --duration 1 --out {tmp_path / 'out'}".split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("set WARP_CACHE_PATH to a folder that can be written") and not (tmp_path / "out").exists()
    (tmp_path / "warp").mkdir()
    monkeypatch.setenv("WARP_CACHE_PATH", str(tmp_path / "warp"))
    monkeypatch.setattr("os.access", lambda *_: False)  # read-only: of use if it holds kernels
    with pytest.raises(OutputError):
        check_world("bodies")
    (tmp_path / "warp" / "kernel").touch()
    check_world("bodies")


def test_the_device_reaches_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr("openfoley.hub.load.checked_device", lambda device: torch.device(device))
    monkeypatch.setattr(files, "render_sound", lambda *_, device, **__: given.append(device) or 1 / 0)
    words = f"gym render --seed 1 --duration 0.2 --size 16x16 --device cuda:1 --out {tmp_path}"
    assert main(words.split()) == 1 and given == ["cuda:1"]


def test_a_simulated_scene_is_the_same_twice_and_has_a_moving_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"gym render --world bodies --seed {SEED + 20_000_003} --duration 1 --size 128x128 --fps 12"
    for name in ("one", "two"):  # 128 pixels: in smaller pictures x264 reads memory that nobody has set
        assert main([*words.split(), "--out", str(tmp_path / name)]) == 0, capsys.readouterr().err
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 3
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)
    with av.open(str(tmp_path / "one" / files[1])) as container:
        pictures = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    assert len(pictures) == 12 and pictures[0].std() > 3 and abs(pictures[-1] - pictures[0]).max() > 20


def test_a_long_scene_is_written_in_parts_with_its_stems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "gym render --world long --seed 320000001 --duration 12 --size 16x16 --fps 2 --stems --json"
    assert main([*words.split(), "--out", str(tmp_path)]) == 0, capsys.readouterr().err
    truth = json.loads((tmp_path / "320000001.json").read_text())
    assert (truth["world"], truth["split"], truth["duration_s"]) == ("long", "evaluation", 12.0)
    mix, *stems = (soundfile.read(path)[0] for path in sorted(tmp_path.glob("*.wav"), key=lambda p: len(p.name)))
    assert len(stems) == len(truth["objects"]) and mix.shape == (12 * 44_100, 2)
    assert abs(mix - sum(stems)).max() < 1e-5 and abs(mix).max() > 1e-3
    with av.open(str(tmp_path / "320000001.mp4")) as container:
        assert container.streams.video[0].frames == 24 and len(container.streams.audio) == 1
