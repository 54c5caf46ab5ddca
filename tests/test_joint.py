"""Sound and picture together, end to end on a tiny model, and every wrong request in one line."""

import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import tiny_pairs
from openfoley.cli import main
from openfoley.errors import UsageError, WeightsError
from openfoley.hub.cards import svg
from openfoley.hub.pair import load_pair_model
from openfoley.hub.registry import check_model
from openfoley.joint import JointPipeline, MadePair, PairRequest, load_pair
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pairs.model_folder(tmp_path_factory.mktemp("pair") / "model")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> JointPipeline:
    return load_pair(folder)


def test_importing_the_package_does_not_import_diffusers() -> None:
    code = "import openfoley, openfoley.joint, sys; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_command_writes_both_into_one_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "pair.mp4"
    command = ["generate-pair", "--model", str(folder), "--prompt", "a box", "--out", str(out), "--count", "2"]
    assert main([*command, "--seed", "5"]) == 0
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == ["pair-5.mp4", "pair-6.mp4"]
    info = Source.file(paths[0]).info
    assert (info.duration, info.frame_rate, info.width, info.audio_streams) == (2, 8, 32, 1)
    assert main([*command, "--seed", "5"]) == 2  # they exist


def test_a_pair_does_not_depend_on_how_many_are_made(pipeline: JointPipeline) -> None:
    several = pipeline.generate(PairRequest(prompt="a box", seed=1, count=2))
    alone = pipeline.generate(prompt="a box", seed=2)[0]
    assert torch.equal(several[1].frames, alone.frames) and torch.equal(several[1].sound, alone.sound)
    assert not torch.equal(several[0].sound, alone.sound)


def test_gamma_changes_the_result_and_1_is_none(pipeline: JointPipeline) -> None:
    plain, warped = (pipeline.generate(prompt="a box", gamma=gamma, steps=3)[0] for gamma in (1.0, 2.0))
    assert not torch.equal(plain.sound, warped.sound)


def test_without_connectors_each_model_is_alone(pipeline: JointPipeline) -> None:
    def made(gamma: float, connected: bool) -> MadePair:
        return pipeline.generate(prompt="a box", gamma=gamma, connected=connected)[0]

    assert not torch.equal(made(1.0, True).sound, made(1.0, False).sound)
    blocks = pipeline.model.generator.connectors
    kept = {name: value.clone() for name, value in blocks.state_dict().items()}
    for name, value in blocks.named_parameters():
        if ".leave." in name and "into_" in name:
            value.data.zero_()
    zeroed = made(1.5, True)
    blocks.load_state_dict(kept)
    alone = made(1.5, False)
    assert torch.equal(zeroed.sound, alone.sound) and torch.equal(zeroed.frames, alone.frames)


def test_a_given_video_gets_a_sound_and_stays(pipeline: JointPipeline, make_video, tmp_path: Path) -> None:
    film = make_video("given.mp4", duration_s=2.0, rate=Fraction(8))
    one = pipeline.generate(given_video=film, prompt="a box")[0]
    other = pipeline.generate(prompt="a box")[0]
    assert one.frames.float().std() > 0 and not torch.equal(one.sound, other.sound)
    again = pipeline.generate(given_video=one.save(tmp_path / "one.mkv"), prompt="a box")[0]
    assert (again.frames.float() - one.frames.float()).abs().mean() < 6  # but for the video's coding


def test_a_given_sound_gets_a_video_and_stays(pipeline: JointPipeline, make_video) -> None:
    film = make_video("sound.mp4", duration_s=2.0, sound=True)
    pair = pipeline.generate(given_sound=film, prompt="a box")[0]
    wanted = read_audio(film, 16_000).samples.mean(0)[:32_000]
    torch.testing.assert_close(pair.sound[: len(wanted)], wanted)


WRONG = [
    ({}, "there is no prompt"),
    ({"prompt": "  "}, "prompt must not be empty"),
    ({"prompt": "a", "gamma": 9.0}, "gamma must be from 0.2 to 5"),
    ({"prompt": "a", "gamma": "fast"}, "gamma must be a number, 'auto' or 'map'"),
    ({"prompt": "a", "steps": 0}, "steps must be a whole number from 1 to 1000"),
    ({"given_video": Path("a.mp4"), "connected": False}, "without connectors a given video or sound changes nothing"),
    ({"given_video": Path("a.mp4"), "given_sound": Path("a.wav")}, "nothing is left to generate"),
]


@pytest.mark.parametrize(("asked", "said"), WRONG)
def test_a_wrong_request_is_refused(asked: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PairRequest(**asked)


def test_what_the_model_cannot_do_is_said_with_what_it_can(pipeline: JointPipeline, make_video) -> None:
    with pytest.raises(UsageError, match="makes 1 to 4 s .at most 32 frames.* got 5 s; it was trained on 2 s"):
        pipeline.generate(prompt="a box", duration=5)
    with pytest.raises(UsageError, match="the prompt has 7 words, tiny-pair reads at most 6"):
        pipeline.generate(prompt="a box a box a box a")
    with pytest.raises(UsageError, match="has no loss curves"):
        pipeline.generate(prompt="a box", gamma="auto")
    with pytest.raises(UsageError, match="is 1.00 s long, the pair 2 s; cut it to that length"):
        pipeline.generate(prompt="a box", given_video=make_video("short.mp4", duration_s=1.0))
    with pytest.raises(UsageError, match=r"is 1.0\d s long, the pair 2 s"):
        pipeline.generate(prompt="a box", given_sound=make_video("short-sound.mp4", duration_s=1.0, sound=True))


def test_models_without_weights_say_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openfoley.hub.pair.SHIPPED_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="svg-gym is not trained yet.*openfoley train pair --stage"):
        load_pair_model("svg-gym")
    with pytest.raises(WeightsError, match="no connectors are published"):
        load_pair_model("svg-animatediff-audioldm")
    with pytest.raises(UsageError, match="unknown model 'nothing'"):
        load_pair_model("nothing")
    assert main(["generate-pair", "--prompt", "a", "--out", str(tmp_path / "a.mp4")]) == 1
    assert main(["generate-pair", "--prompt", "a", "--out", str(tmp_path / "a.wav")]) == 2
    assert main(["generate-pair", "--out", str(tmp_path / "a.mp4")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.startswith("openfoley: error: ") for line in lines)


@pytest.fixture
def unloadable(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("weights are read")

    for name in ("openfoley.hub.pair.load_pair_model", "openfoley.hub.pair.read_weights"):
        monkeypatch.setattr(name, loaded)


@pytest.mark.usefixtures("unloadable")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gamma", "auto"], "has no loss curves"),
        (["--gamma", "9"], "gamma must be from 0.2 to 5"),
        (["--prompt", "a box a box a box a"], "the prompt has 7 words"),
        (["--negative-prompt", "a box a box a box a"], "the prompt has 7 words"),
        (["--duration", "5"], "makes 1 to 4 s"),
        (["--given-video", "short.mp4"], "s long, the pair 2 s"),
        (["--given-sound", "short.mp4"], "s long, the pair 2 s"),
        (["--given-video", "nowhere.mp4"], "nowhere.mp4"),
        (["--out", "there.mp4"], "there.mp4 exists"),
        (["--model", "nothing"], "unknown model 'nothing'"),
        (["--model", "svg-animatediff-audioldm"], "no connectors are published"),
        (["--model", "broken"], "has no connectors.safetensors"),
        (["--captions", "set", "--gamma", "auto"], "has no loss curves"),
        (["--captions", "set", "--prompt", "a"], "prompt is for a single pair"),
        (["--captions", "set", "--out", "full"], "holds other things"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_weights_are_read(
    folder: Path, make_video, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    make_video("short.mp4", duration_s=1.0, sound=True).rename(tmp_path / "short.mp4")
    (tmp_path / "there.mp4").touch()
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "connectors.safetensors").unlink()
    (tmp_path / "full" / "thing").mkdir(parents=True)
    monkeypatch.setattr("openfoley.data.pairs.clip_folder.open_pairs", lambda *_: tiny_pairs.FewPairs(2))
    prompt = [] if "--captions" in words else ["--prompt", "a box"]
    before = sorted(tmp_path.rglob("*"))
    assert main(["generate-pair", "--model", str(folder), "--out", "out.mp4", *prompt, *words]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("openfoley: error: ") and said in line
    assert sorted(tmp_path.rglob("*")) == before


def test_doctor_names_pair_models_and_those_in_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    for name in ("whole", "broken"):
        shutil.copytree(folder, tmp_path / "weights" / name)
    (tmp_path / "weights" / "broken" / "audio.safetensors").unlink()
    assert main(["doctor", "--json", "--weights-dir", str(tmp_path / "weights")]) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    published = pairs["models"]["svg-animatediff-audioldm"]
    assert (
        "0 of 10 parts" in published["state"] and "unet of SG161222/Realistic_Vision_V5.1_noVAE" in published["missing"]
    )
    assert pairs["models"]["svg-gym"]["missing"] == [] and pairs["diffusers"]
    broken, whole = pairs["folders"]
    assert whole["what"] == "tiny-pair, 16 frames at 8 Hz, for --model"
    assert broken["what"].startswith("damaged: ") and "has no audio.safetensors" in broken["what"]
    assert main(["doctor"]) == 0
    assert "openfoley models svg-animatediff-audioldm lists what is missing" in capsys.readouterr().out


@pytest.mark.slow
def test_the_card_says_the_counted_memory() -> None:
    from openfoley.generators.joint.config import FULL
    from openfoley.hub.pair_memory import sampling_memory

    card = svg.ANIMATEDIFF_AUDIOLDM
    assert card.memory_bytes == pytest.approx(sampling_memory(FULL, 32, torch.float32).total, rel=0.01)


def test_the_list_of_models_has_them_and_the_other_line_refuses_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "svg-gym"]) == 0
    assert "16 frames of 32 x 32 pixels" in capsys.readouterr().out
    with pytest.raises(UsageError, match="svg-gym makes sound and picture together; use it with"):
        check_model("svg-gym")


def test_the_card_counts_its_networks() -> None:
    from openfoley.generators.joint.config import FULL, GYM
    from openfoley.generators.joint.model import JointGenerator

    for config, card in ((GYM, svg.GYM), (FULL, svg.ANIMATEDIFF_AUDIOLDM)):
        with torch.device("meta"):
            count = sum(value.numel() for value in JointGenerator(config).parameters())
        assert count == card.parameters
    assert 2 * svg.GYM.parameters < 14e6


def test_without_diffusers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UsageError, match=r"pip install 'openfoley\[joint\]'"):
        load_pair_model(folder)
