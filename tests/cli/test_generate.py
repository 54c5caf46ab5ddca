"""`openfoley generate` as a user meets it: outputs, names, JSON, every bad input, nothing partial."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from openfoley.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def source(make_video: Callable[..., Path]) -> Path:
    return make_video("clip.mp4", duration_s=1.0, sound=True)


@pytest.fixture
def here(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with clip.mp4 in it."""
    shutil.copy(source, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def generate(tiny_model: Path) -> Callable[..., int]:
    return lambda *arguments: main(["generate", "--model", str(tiny_model), "--steps", "1", *map(str, arguments)])


def fails(capsys: Capture, code: int, expected_code: int, *says: str) -> None:
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert code == expected_code, captured.err
    assert len(lines) == 1 and lines[0].startswith("openfoley: error: "), captured.err
    assert "Traceback" not in captured.err and captured.out == ""
    for text in says:
        assert text in lines[0]


def test_default_output_is_beside_the_input_with_both_sounds(generate: Callable[..., int], here: Path) -> None:
    assert generate("clip.mp4") == 0
    with av.open(str(here / "clip.foley.mp4")) as container:
        assert len(container.streams.audio) == 2
    assert sorted(p.name for p in here.iterdir()) == ["clip.foley.mp4", "clip.mp4"]


def test_takes_are_numbered_and_have_their_own_seeds(generate: Callable[..., int], here: Path, capsys: Capture) -> None:
    assert generate("clip.mp4", "--takes", 2, "--seed", 5, "--out", "x.wav", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert [(t["path"], t["seed"]) for t in result["takes"]] == [("x.take01.wav", 5), ("x.take02.wav", 6)]
    assert generate("clip.mp4", "--seed", 6, "--out", "y.wav") == 0
    assert (here / "x.take02.wav").read_bytes() == (here / "y.wav").read_bytes()
    assert (here / "x.take01.wav").read_bytes() != (here / "y.wav").read_bytes()


def test_json_is_one_object_on_standard_output(generate: Callable[..., int], here: Path, capsys: Capture) -> None:
    assert (
        generate(
            "clip.mp4", "--json", "--prompt", "a ball", "--out", "o.flac", "--sample-rate", 48000, "--temperature", 0.5
        )
        == 0
    )
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert captured.out.count("\n") == 1
    assert result["duration_s"] == 1.0 and result["sample_rate"] == 48000 and result["prompt"] == "a ball"
    assert result["temperature"] == 0.5 and "text_guidance" not in result
    assert "o.flac" in captured.err
    assert soundfile.info("o.flac").frames == 48000


def test_a_temperature_of_its_own_reaches_the_sampler(generate: Callable[..., int], here: Path) -> None:
    for name, words in (("usual", ()), ("cold", ("--temperature", 0)), ("free", ("--temperature", 1))):
        assert generate("clip.mp4", "--steps", 8, "--out", f"{name}.wav", *words) == 0
    sounds = {(here / f"{name}.wav").read_bytes() for name in ("usual", "cold", "free")}
    assert len(sounds) == 3


NAMES = ["two words.mp4", "übung 音.mp4", "-dash.mp4", "--json.mp4", "line\nbreak.mp4", "a:b.mp4", "%03d.mp4", "UP.MP4"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", [False, True])
def test_any_file_name_works(generate: Callable[..., int], here: Path, name: str, after: bool) -> None:
    os.rename("clip.mp4", here / name)
    assert (generate("--out", "o.wav", "--", name) if after else generate(name, "--out", "o.wav")) == 0
    assert (here / "o.wav").exists()


def test_output_may_begin_with_a_dash(generate: Callable[..., int], here: Path) -> None:
    assert generate("clip.mp4", "--out", "-o.wav") == 0
    assert (here / "-o.wav").exists()


def test_existing_output_needs_force(generate: Callable[..., int], here: Path, capsys: Capture) -> None:
    (here / "o.wav").write_text("mine")
    fails(capsys, generate("clip.mp4", "--out", "o.wav"), 2, "o.wav", "--force")
    assert (here / "o.wav").read_text() == "mine"
    assert generate("clip.mp4", "--out", "o.wav", "--force") == 0
    assert soundfile.info("o.wav").frames == 44100


def test_one_existing_take_stops_all_before_any_work(generate: Callable[..., int], here: Path, capsys: Capture) -> None:
    (here / "o.take02.wav").write_text("mine")
    fails(capsys, generate("clip.mp4", "--takes", 2, "--out", "o.wav"), 2, "o.take02.wav")
    assert not (here / "o.take01.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--steps", "0"], "1 to 128"),
        (["--steps", "129"], "1 to 128"),
        (["--steps", "x"], "whole number"),
        (["--guidance", "-0.1"], "0 to 20"),
        (["--guidance", "20.1"], "0 to 20"),
        (["--guidance", "nan"], "0 to 20"),
        (["--temperature", "1.5"], "0 to 1"),
        (["--temperature", "-0.1"], "0 to 1"),
        (
            ["--temperature", "0.5", "--model", "mmaudio-small-16k"],
            "--temperature is not an option of mmaudio-small-16k",
        ),  # before anything is fetched
        (
            ["--reference-guidance", "2", "--model", "mmaudio-small-16k"],
            "--reference-guidance is not an option of mmaudio-small-16k",
        ),
        (["--seed", "-1"], ">= 0"),
        (["--takes", "0"], "1 to 99"),
        (["--takes", "100"], "1 to 99"),
        (["--sample-rate", "7999"], "8000 to 192000"),
        (["--sample-rate", "192001"], "8000 to 192000"),
        (["--bit-depth", "8"], "16"),
        (["--audio", "mix"], "replace"),
        (["--model", "nonsense"], "unknown model 'nonsense'"),
        (["--out", "o.xyz"], ".xyz"),
        (["--out", "o"], "extension"),
        (["--out", "none/o.wav"], "none"),
        (["--out", "clip.mp4"], "clip.mp4"),
        (["--out", "clip.mp4", "--force"], "clip.mp4"),
        (["--device", "quantum"], "quantum"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_requests_are_one_line_and_code_2(
    generate: Callable[..., int], here: Path, capsys: Capture, arguments: list[str], says: str
) -> None:
    before = (here / "clip.mp4").read_bytes()
    fails(capsys, generate("clip.mp4", *arguments), 2, says)
    assert [p.name for p in here.iterdir()] == ["clip.mp4"]
    assert (here / "clip.mp4").read_bytes() == before


def _inputs(here: Path) -> dict[str, tuple[int, Callable[[Path], object]]]:
    """Bad inputs: exit code and how to make each."""
    whole = (here / "clip.mp4").read_bytes()

    def audio_only(path: Path) -> None:
        shutil.move(path, "tone.wav")
        soundfile.write("tone.wav", [[0.1, 0.1]] * 4410, 44100)
        os.rename("tone.wav", path)

    def still(path: Path) -> None:
        from PIL import Image

        Image.new("RGB", (64, 48)).save(path, format="PNG")

    return {
        "missing": (2, lambda path: path.unlink()),
        "directory": (2, lambda path: (path.unlink(), path.mkdir())),
        "empty": (1, lambda path: path.write_bytes(b"")),
        "text": (1, lambda path: path.write_text("no video at all\n" * 100)),
        "audio only": (1, audio_only),
        "still image": (1, still),
        "truncated": (1, lambda path: path.write_bytes(whole[: len(whole) * 2 // 3])),
        "damaged": (1, lambda path: path.write_bytes(whole[:2000] + bytes(4000) + whole[6000:])),
    }


@pytest.mark.parametrize(
    "kind", ["missing", "directory", "empty", "text", "audio only", "still image", "truncated", "damaged"]
)
@pytest.mark.parametrize("out", [None, "o.wav"])
def test_bad_inputs_are_one_line_and_leave_nothing(
    generate: Callable[..., int], here: Path, capsys: Capture, kind: str, out: str | None
) -> None:
    code, make = _inputs(here)[kind]
    make(here / "clip.mp4")
    before = sorted(p.name for p in here.iterdir())
    fails(capsys, generate("clip.mp4", *(["--out", out] if out else [])), code, "clip.mp4")
    assert sorted(p.name for p in here.iterdir()) == before


def test_newline_in_a_name_stays_on_one_line(generate: Callable[..., int], here: Path, capsys: Capture) -> None:
    fails(capsys, generate("no\nsuch\x1b[31m.mp4"), 2, "does not exist")


def test_weights_that_do_not_match_are_code_1(
    tiny_model: Path, here: Path, capsys: Capture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("bad") / "model"))
    config = json.loads((folder / "config.json").read_text())
    config["generator"]["width"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    code = main(["generate", "clip.mp4", "--model", str(folder), "--out", "o.wav"])
    fails(capsys, code, 1, "generator.safetensors", "does not match")
    assert not Path("o.wav").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_one_line_and_code_1(
    generate: Callable[..., int], here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from openfoley.synthesis import take

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(take.AudioWriter, "write", full)
    fails(capsys, generate("clip.mp4", "--out", "o.wav"), 1, "full")
    assert [p.name for p in here.iterdir()] == ["clip.mp4"]


def test_unexpected_exception_is_one_line_with_a_hint(
    generate: Callable[..., int], here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import take

    def broken(*_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(take.AudioWriter, "write", broken)
    fails(capsys, generate("clip.mp4", "--out", "o.wav"), 1, "RuntimeError: first line", "OPENFOLEY_TRACEBACK=1")
    assert [p.name for p in here.iterdir()] == ["clip.mp4"]


def test_interruption_is_code_130_and_leaves_nothing(
    generate: Callable[..., int], here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import take

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(take.AudioWriter, "write", interrupted)
    fails(capsys, generate("clip.mp4", "--out", "o.wav"), 130, "interrupted")
    assert [p.name for p in here.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("duration", ["2.7", "1.337"])
def test_a_still_image_gets_sound_of_the_requested_duration(
    generate: Callable[..., int], here: Path, duration: str
) -> None:
    """Of which most fractions of a second are none that binary numbers hold exactly."""
    from matplotlib.image import imsave

    imsave(here / "photo.png", np.full((48, 64, 3), 90, np.uint8))
    assert generate("photo.png", "--duration", duration, "--out", "o.wav") == 0
    assert soundfile.info("o.wav").duration == pytest.approx(float(duration), abs=2e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--start-timecode", "99:00:00:00"], "timecode '99:00:00:00' is out of range"),
        (["--stems"], "stems need a cue sheet"),
        (["--nudge", "3x"], "expected a number, got '3x', or frames such as 2f"),
    ],
)
def test_a_wrong_time_or_stem_is_refused_before_the_model_is_loaded(
    generate: Callable[..., int],
    here: Path,
    make_video: Callable[..., Path],
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: str,
) -> None:
    import openfoley.pipeline as module

    (here / "clip.mp4").write_bytes(make_video(duration_s=0.5).read_bytes())
    monkeypatch.setattr(module, "load", lambda *_: pytest.fail("the model was loaded"))
    fails(capsys, generate("clip.mp4", *words, "--out", "o.wav"), 2, says)
