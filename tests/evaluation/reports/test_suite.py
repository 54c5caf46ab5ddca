"""The report end to end with a tiny random model, and its parts against sounds whose figures are known."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.data.gym_cache import GymCache
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports import judge, pictures, suite, workspace
from openfoley.evaluation.reports.contradicting import contradicting
from openfoley.evaluation.reports.figures import onsets_of, reach_and_decay, relative_to
from openfoley.evaluation.reports.judge import examples, render_sound_of
from openfoley.evaluation.reports.results import FLOORS, Row, rows_of
from openfoley.evaluation.reports.suite import Suite
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.gym.materials import SOLID
from openfoley.gym.seeds import VERSIONS, Split, split_of, world_of
from openfoley.judges.material import CLASSES, MaterialClassifier, crops
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline
from openfoley.request import Request
from openfoley.types import Audio

PAIR = ("precision", "recall")
EVENT = {"time_s": 0.5, "end_s": 0.5, "action": "hit", "object_id": "a", "material": "wood", "loudness_db": -20.0}


@pytest.fixture(scope="module")
def scenes() -> tuple[np.ndarray, list[dict]]:
    """A few true Gym sounds."""
    rendered = [render_sound_of((10_000_000 + k, "validation")) for k in range(5)]
    return np.stack([sound for sound, _ in rendered]), [record for _, record in rendered]


def test_true_sound_is_its_own_equal_in_every_figure(scenes: tuple[np.ndarray, list[dict]]) -> None:
    sounds, records = scenes
    truths, found = [from_dict(r) for r in records], onsets_of(sounds)
    relative = relative_to(found, found, truths)
    assert (relative["share"], relative["difference"]) == (1.0, 0.0)
    figures = reach_and_decay(sounds, sounds, found, truths)
    assert figures["distances"]["mel_db"] == 0.0
    assert figures["bandwidth"]["ratio"]["roll_off_99_hz"] == 1.0
    assert figures["t20"]["ratio"] is None or figures["t20"]["ratio"] == pytest.approx(1.0, abs=0.05)


def test_what_is_silent_has_no_bandwidth_but_is_counted(scenes: tuple[np.ndarray, list[dict]]) -> None:
    """A codec's silence, a few units at -100 dB, reaches as high as white noise does."""
    sounds, records = scenes
    truths, made = [from_dict(r) for r in records], sounds.copy()
    audible = [k for k in range(len(sounds)) if np.square(sounds[k] / 32767.0).mean() > 1e-9]
    made[audible[0]] = np.random.default_rng(0).random(made[0].shape) < 0.01
    reach = reach_and_decay(made, sounds, onsets_of(made), truths)["bandwidth"]
    assert (reach["clips"], reach["of"]) == (len(audible) - 1, len(audible))
    assert reach["ratio"]["roll_off_99_hz"] == 1.0
    nothing = reach_and_decay(np.zeros_like(sounds), sounds, onsets_of(np.zeros_like(sounds)), truths)["bandwidth"]
    assert nothing["clips"] == 0 and np.isnan(nothing["ratio"]["roll_off_99_hz"])


def test_clicks_at_the_true_times_fail_bandwidth_or_decay(scenes: tuple[np.ndarray, list[dict]]) -> None:
    sounds, records = scenes
    truths, clicks = [from_dict(r) for r in records], np.zeros_like(sounds)
    for row, truth in zip(clicks, truths, strict=True):
        for time_s in truth.scored_s:
            row[:, min(round(time_s * 44100), row.shape[1] - 1)] = 20000
    found = onsets_of(clicks)
    assert relative_to(found, onsets_of(sounds), truths)["share"] > 0.9
    figures = reach_and_decay(clicks, sounds, found, truths)
    assert figures["bandwidth"]["ratio"]["roll_off_99_hz"] > 1.1


def test_examples_are_the_scored_events_of_known_materials(scenes: tuple[np.ndarray, list[dict]]) -> None:
    sounds, records = scenes
    clips = [(torch.from_numpy(s).float() / 32767, 44100, r) for s, r in zip(sounds, records, strict=True)]
    pictures, labels = examples(clips)
    known = [name for record in records for name in from_dict(record).materials if name in CLASSES]
    assert [CLASSES[k] for k in labels] == known and len(known) > 10
    samples, _, record = clips[0]
    torch.testing.assert_close(pictures[:1], crops(samples, 44100, from_dict(record).scored_s[:1]))


def test_a_contradicting_prompt_names_a_material_that_the_scene_does_not_hold() -> None:
    things = [{"material": "wood"}, {"material": "water"}]
    record = {"caption": "a wood block is struck and water drips", "objects": things}
    asked = contradicting(record, 3)
    assert asked is not None
    prompt, expected = asked
    assert set(expected) == {"wood"} and expected["wood"] in SOLID and expected["wood"] != "wood"
    assert prompt == f"a {expected['wood']} block is struck and water drips"
    assert contradicting({"caption": "silence", "objects": []}, 0) is None
    assert set(SOLID) <= set(CLASSES)


def test_a_workspace_continues_and_refuses_another_model(tmp_path: Path) -> None:
    work = Workspace(tmp_path, {"model": "a"})
    assert work.section("x", lambda: {"value": 1})["value"] == 1
    assert Workspace(tmp_path, {"model": "a"}).section("x", lambda: {"value": 2})["value"] == 1
    with pytest.raises(UsageError):
        Workspace(tmp_path, {"model": "b"})

    def interrupted(rows: range) -> torch.Tensor:
        if rows.start > 0:
            raise KeyboardInterrupt
        return torch.full((len(rows), 2, 4), 0.5)

    with pytest.raises(KeyboardInterrupt):
        work.sounds("y", (6, 2, 4), interrupted)
    made = []

    def rest(rows: range) -> torch.Tensor:
        made.append(rows)
        return torch.full((len(rows), 2, 4), -0.5)

    sounds = work.sounds("y", (6, 2, 4), rest)
    assert made == [range(4, 6)] and sounds[0, 0, 0] == 16384 and sounds[5, 0, 0] == -16384
    with pytest.raises(UsageError, match="has shape"):
        work.sounds("y", (7, 2, 4), rest)
    (tmp_path / "sounds" / "y.npy").unlink()  # what was made of it is made again, and not taken for done
    assert int(work.sounds("y", (6, 2, 4), rest).max()) == -16384


def test_a_floor_is_reached_from_the_right_side() -> None:
    assert Row("f1", 0.91, None, 0.9, False, "").reached and not Row("f1", 0.89, None, 0.9, False, "").reached
    assert Row("error", 19.0, None, 20.0, True, "").reached and not Row("error", None, None, 20.0, True, "").reached
    assert Row("reported", 1.0, None, None, True, "").reached is None


def short_cache(folder: Path, scenes: tuple[np.ndarray, list[dict]], silent: bool) -> GymCache:
    """The first 2 s of the scenes, with noise for pictures."""
    sounds, records = scenes
    rows = np.arange(8) % len(sounds)
    cut = []
    for record in (records[row] for row in rows):
        events = [] if silent else [e for e in record["events"] if e["time_s"] < 1.9]
        cut.append({**record, "duration_s": 2.0, "events": events})
    frames = np.random.default_rng(0).integers(0, 255, (8, 48, 3, 32, 32), dtype=np.uint8)
    return GymCache(folder, frames, sounds[rows, :, :88200] * (0 if silent else 1), cut)


def test_the_whole_report_runs_with_a_random_model_and_continues(
    tiny_model: Path,
    make_video: Callable[..., Path],
    scenes: tuple[np.ndarray, list[dict]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    make_video().rename(outside / "1.mp4")
    events = [
        {"time_s": 0.5, "end_s": 0.5, "action": "hit", "object_id": "a", "material": "wood", "loudness_db": -20.0}
    ]
    (outside / "1.json").write_text(json.dumps({"duration_s": 2.0, "events": events}))
    monkeypatch.setattr(Suite, "gym", lambda self, name: short_cache(self.workspace.folder, scenes, name == "silent"))
    clips = [(torch.from_numpy(s).float() / 32767, 44100, r) for s, r in zip(*scenes, strict=True)]
    monkeypatch.setattr(judge, "render_sounds", lambda seeds, split: clips)
    monkeypatch.setattr(suite, "MANY_STEPS", 2)
    monkeypatch.setattr(pictures, "STEP_COUNTS", (2, 1))
    record = suite.run_report(tiny_model, out, clips=8, outside=outside)
    assert (out / "results.md").read_text().count("\n") > 30
    assert json.loads((out / "results.json").read_text())["table"] == json.loads(json.dumps(record["table"]))
    assert (out / "pictures" / "steps.png").is_file()
    ceiling = next(r for r in record["table"] if r["name"] == "detector's ceiling, Gym: F1 +-50 ms on true sound")
    assert ceiling["value"] > 0.8
    names = [row["name"] for row in record["table"]]
    for of in ("recall", "held out: recall", "outside clips: recall"):
        ranges = (f"{of}, nearest other contact ", f"{of}, below the loudest contact ")
        assert sum(name.startswith(ranges) for name in names) == 6
    floors = {row.name: row.floor for row in rows_of(record["sections"], FLOORS["bodies"])}
    assert list(floors) == names and floors["recall, nearest other contact 0 .. 0.1 s"] == 0.5
    assert floors["recall, nearest other contact 0.1 .. 0.25 s"] is None
    for of in ("visible events, 8 steps", "held out: visible events", "outside clips, visible"):
        score = {kind: next(r for r in record["table"] if r["name"] == f"{kind} +-50 ms, {of}") for kind in PAIR}
        assert all(0 <= score[kind]["value"] <= 1 for kind in PAIR) or of.startswith("held")
    for name in ("gym_sounds", "through_codec", "train_judge"):  # nothing is computed a second time
        monkeypatch.setattr(suite, name, None)
    assert suite.run_report(tiny_model, out, clips=8, outside=outside) == record


def test_two_reports_in_one_folder_make_each_sound_once(
    tiny_model: Path, scenes: tuple[np.ndarray, list[dict]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = suite.gym_sounds

    def counted(pipeline: Pipeline, source: Source, request: Request, *rest: Any) -> list[Audio]:
        made.append(request.sampling.seed)
        return real(pipeline, source, request, *rest)

    monkeypatch.setattr(suite, "gym_sounds", counted)
    monkeypatch.setattr(workspace, "POLL_S", 0.01)
    monkeypatch.setattr(Suite, "gym", lambda self, name: short_cache(self.workspace.folder, scenes, False))
    results: list[np.ndarray] = []

    def report() -> None:
        results.append(Suite(tiny_model, tmp_path, 8, None, "cpu", 0).made("evaluation", 2))

    threads = [threading.Thread(target=report) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(made) == list(range(8))
    assert len(results) == 2 and np.array_equal(*results) and bool(results[0].any(axis=(1, 2)).all())


def test_a_report_on_bodies_has_their_scenes_their_judge_and_its_own_folder(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, tuple[set, int | None]] = {}

    def build(folder: Path, seeds: list[int], *, split: Split, silent_every: int | None) -> None:
        assert {split_of(seed, "bodies") for seed in seeds} == {split}
        asked[folder.name] = {world_of(seed) for seed in seeds}, silent_every

    def sounds(seeds: list[int], split: Split) -> list:
        asked[f"judge {split}"] = {world_of(seed) for seed in seeds}, None
        return [(torch.zeros(2, 44_100), 44_100, {"duration_s": 1.0, "events": [EVENT]})]

    monkeypatch.setattr(GymCache, "build", build)
    monkeypatch.setattr(judge, "render_sounds", sounds)
    monkeypatch.setattr(judge, "train_classifier", lambda *_: MaterialClassifier())
    report = Suite(tiny_model, tmp_path, 8, None, "cpu", 0, "bodies")
    monkeypatch.setattr(report.workspace, "share", lambda jobs: [job() for job in jobs.values()])
    for name in suite.SETS:
        report.gym(name)
    report.sections()[judge.SECTION]()
    assert asked == {
        **{name: ({"bodies"}, 1 if name == "silent" else None) for name in suite.SETS},
        **{f"judge {split}": ({"bodies"}, None) for split in ("train", "validation")},
    }
    assert (report.about["world"], report.about["gym"]) == ("bodies", VERSIONS["bodies"])
    assert "--world bodies" in report.about["command"]
    flat = Suite(tiny_model, tmp_path / "flat", 8, None, "cpu", 0)
    assert "world" not in flat.about and "--world" not in flat.about["command"]
    with pytest.raises(UsageError):
        Suite(tiny_model, tmp_path, 8, None, "cpu", 0)


def test_a_report_on_bodies_says_at_once_how_to_install_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    assert main(["evaluate", "report", "--world", "bodies", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.rstrip().endswith("pip install 'openfoley[gym]'") and not list(tmp_path.iterdir())
