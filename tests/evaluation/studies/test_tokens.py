"""The study of sync tokens end to end on scenes of two seconds, with models of both shapes."""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.candidates import Candidates
from openfoley.evaluation.studies import token_head, tokens
from openfoley.evaluation.studies.requests import TokensRequest
from openfoley.gym.seeds import seed_range
from openfoley.hub.load import load_model
from openfoley.judges.events import STEPS_PER_TOKEN, EventHead
from openfoley.pipeline import Pipeline
from openfoley.request import Cut
from openfoley.synthesis.features import FeatureRun
from openfoley.timeline.shots import Shot, shots_of

FRAMES, DURATION_S = 48, 2.0


def flashes(seed: int, split: str, silent: bool | None = None) -> tuple[np.ndarray, np.ndarray, dict]:
    """A scene as the Gym renders it: noise whose level jumps at each event."""
    rng = np.random.default_rng(seed)
    times = [] if silent else [0.4 + 0.2 * rng.random(), 1.0, 1.08]
    frames = rng.integers(0, 60, (FRAMES, 3, 24, 24), dtype=np.uint8)
    for time_s in times:
        frames[int(time_s * 24)] += 180
    events = [{"time_s": t, "action": "hit", "material": "wood", "loudness_db": -20.0, "visible": True} for t in times]
    return frames, np.zeros((2, 88200), np.int16), {"duration_s": DURATION_S, "events": events, "captions": ["x"]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tokens, token_head):
        monkeypatch.setattr(module, "render_for_cache", flashes)
    monkeypatch.setattr(token_head, "TRAINING_SCENES", 7)
    monkeypatch.setattr(token_head, "THRESHOLD_SCENES", 2)


@pytest.fixture
def outside(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    make_video().rename(folder / "1.mp4")
    (folder / "1.json").write_text(json.dumps({"duration_s": 2.0, "events": [{"time_s": 0.5, "action": "hit"}]}))
    return folder


@pytest.mark.parametrize("kind", ["tiny_model", "mmaudio_folder"])
def test_the_command_judges_head_and_sound_on_the_same_clips_and_computes_nothing_twice(
    kind: str,
    request: pytest.FixtureRequest,
    outside: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, model = tmp_path / "out", request.getfixturevalue(kind)
    words = ["evaluate", "tokens", "--model", str(model), "--clips", "3", "--steps", "1", "--silent", "1"]
    words += ["--split", "validation", "--outside", str(outside), "--out", str(out), "--json"]
    assert main(words) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert list(figures["sets"]) == ["validation", "silent", "outside"]
    for name, clips in (("validation", 3), ("silent", 1), ("outside", 1)):
        one = figures["sets"][name]
        assert one["head"]["clips"] == one["sound"]["clips"] == clips
        assert one["head"]["visible_events"] == one["sound"]["visible_events"]
    judged = figures["sets"]["validation"]
    assert judged["head"]["average_precision"]["count"] == 9
    assert [part["recall"]["count"] for part in judged["sound"]["recall_by_gap"]] == [6, 0, 3]
    assert figures["sets"]["silent"]["head"]["silent_false_per_minute"]["count"] == 1
    gap = judged["sound_minus_head"]["difference"]
    f1 = {way: next(s["f1"] for s in judged[way]["visible"] if s["tolerance_ms"] == 50) for way in ("head", "sound")}
    assert gap == pytest.approx(f1["sound"] - f1["head"])
    assert figures["head"]["scenes"] == 7 and 0 < figures["head"]["threshold"] < 1
    for name in ("render_for_cache", "encoded_pictures", "train_event_head"):
        monkeypatch.setattr(token_head, name, None)
    monkeypatch.setattr(tokens, "render_for_cache", None)
    monkeypatch.setattr(Pipeline, "generate_takes", None)
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == figures
    text = (out / "results.md").read_text()
    assert text.startswith("| clips | events of |") and "\n| silent, 1 clips | head |  |  |  |  | " in text
    assert main([*words, "--seed", "5"]) == 2  # another sound: another folder


def test_scenes_of_the_head_are_apart_from_the_judged_ones(tiny_model: Path, tmp_path: Path) -> None:
    TokensRequest(tmp_path / "out", 2, str(tiny_model), steps=1, split="validation").run()
    sections = [json.loads(path.read_text()) for path in (tmp_path / "out" / "sections").glob("*-0*.json")]
    seeds = [section["seed"] for section in sections]
    assert len(set(seeds)) == len(seeds) == 7 + 2 + 2
    assert sum(seed in seed_range("train") for seed in seeds) == 7
    silent = [s for s in sections if s["seed"] in seed_range("train") and not s["truth"]["events"]]
    assert len(silent) == 1  # every sixth


def test_a_missing_extra_and_an_empty_folder_are_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "study_of", None)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(UsageError, match="pip install 'openfoley"):
        TokensRequest(tmp_path, world="bodies").run()
    (tmp_path / "1.json").write_text(json.dumps({"duration_s": 2.0, "events": []}))
    with pytest.raises(UsageError, match="holds no <name>.mp4"):
        TokensRequest(tmp_path / "out", outside=tmp_path).run()


def test_tokens_of_shots_are_on_the_clock_of_the_clip(mmaudio_folder: Path) -> None:
    model = load_model(mmaudio_folder)
    shots: list[Shot] = shots_of(Fraction(4), [Cut(Fraction(2))], "auto")
    outputs = model.encoders["sync"].outputs
    runs = [FeatureRun("semantic", 0, torch.ones(3, 32), True)]
    runs += [FeatureRun("sync", k, torch.full((24, outputs.dim), float(k)), True) for k in (0, 1)]
    first, second = token_head.tokens_of(model, runs, shots)
    assert first.span.rate == float(outputs.rate) and first.span.first_s == float(outputs.offset)
    assert second.span.first_s == pytest.approx(2 + float(outputs.offset))
    assert float(second.values.min()) == 1.0

    class AtThird(EventHead):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits = torch.full((1, tokens.shape[1] * STEPS_PER_TOKEN), -9.0)
            logits[:, 12] = 3.0
            return logits

    found = token_head.candidates(AtThird(outputs.dim), [first, second])
    assert isinstance(found, Candidates) and len(found.times_s) == 2
    assert found.times_s[1] - found.times_s[0] == pytest.approx(2.0)
    assert found.times_s[0] == pytest.approx(float(outputs.offset) + 12.5 / STEPS_PER_TOKEN / float(outputs.rate))
