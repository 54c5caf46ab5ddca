"""Interrupted work resumes to the same bytes; work of another request is not used."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.errors import OutputError, UsageError
from openfoley.pipeline import Pipeline, load
from openfoley.request import Cut

SETTINGS = {
    "steps": 1,
    "window": 1.5,
    "context": 0.5,
    "cuts": [Cut(Fraction(31, 10), "reset"), Cut(Fraction(4), "carry")],
}


class Killed(BaseException):
    """As if the process was killed: nothing of ours gets to run after it."""


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("work.mp4", duration_s=6.0)


@pytest.fixture(scope="module")
def whole(pipeline: Pipeline, video: Path) -> list[torch.Tensor]:
    return [take.audio.samples for take in pipeline.generate_takes(video, [1, 2], **SETTINGS)]


def broken_off(
    pipeline: Pipeline,
    video: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    windows: int,
    name: str = "sample_latents",
) -> None:
    """Generate until `windows` windows (of both takes) are drawn, or the state was written so often."""
    from openfoley.synthesis import windows as engine
    from openfoley.synthesis.resume import Work

    owner, real = (engine, engine.sample_latents) if name == "sample_latents" else (Work, Work._write)
    calls = 0

    def counting(*arguments: object, **settings: object) -> object:
        nonlocal calls
        calls += 1
        if calls > windows:
            raise Killed
        return real(*arguments, **settings)  # type: ignore[operator]

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, counting)
        with pytest.raises(Killed):
            pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "windows"), [("sample_latents", 3), ("sample_latents", 8), ("_write", 1), ("_write", 3)]
)
def test_interrupted_work_resumes_to_the_same_samples(
    pipeline: Pipeline, video: Path, whole: list[torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    windows: int, name: str,
) -> None:  # fmt: skip
    work = tmp_path / "work"
    broken_off(pipeline, video, work, monkeypatch, windows, name)
    with open(work / "0.f32", "ab") as file:  # torn samples behind what the state vouches for
        file.write(b"torn")
    takes = pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]
    assert all(torch.equal(take.audio.samples, one) for take, one in zip(takes, whole, strict=True))
    takes[0].work.remove()
    assert not work.exists()


def test_what_is_done_is_not_done_again(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import windows as engine

    work = tmp_path / "work"
    broken_off(pipeline, video, work, monkeypatch, 8)
    drawn = []
    real = engine.sample_latents
    monkeypatch.setattr(engine, "sample_latents", lambda *a, **k: drawn.append(1) or real(*a, **k))
    pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]
    total = 2 * len(pipeline.plan(video, **{k: v for k, v in SETTINGS.items() if k != "steps"}))  # type: ignore[arg-type]
    assert len(drawn) == total - 8
    drawn.clear()
    pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]
    assert not drawn


def test_another_request_starts_over(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    broken_off(pipeline, video, work, monkeypatch, 5)
    asked = {**SETTINGS, "prompt": "rain"}
    takes = pipeline.generate_takes(video, [1, 2], work=work, **asked)  # type: ignore[arg-type]
    plain = pipeline.generate_takes(video, [1, 2], **asked)  # type: ignore[arg-type]
    assert all(torch.equal(a.audio.samples, b.audio.samples) for a, b in zip(takes, plain, strict=True))


def test_two_processes_do_not_share_a_work_folder(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    take = pipeline.generate(video, work=tmp_path / "work", **SETTINGS)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="another process"):
        pipeline.generate(video, work=tmp_path / "work", **SETTINGS)  # type: ignore[arg-type]
    take.work.close()


def test_a_folder_of_the_users_is_left_alone(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        pipeline.generate(video, work=tmp_path, **SETTINGS)  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_full_disk_is_reported_in_one_line_and_keeps_finished_work(
    pipeline: Pipeline, video: Path, whole: list[torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    work, real, calls = tmp_path / "work", os.replace, []

    def full(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OutputError, match="disk is full"):
            pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]
    takes = pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)  # type: ignore[arg-type]
    assert all(torch.equal(take.audio.samples, one) for take, one in zip(takes, whole, strict=True))


def test_work_without_a_finished_window_is_removed_and_resuming_says_how_far_it_got(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the disk filled in the first window, its samples do not go on filling it."""
    work = tmp_path / "work"
    broken_off(pipeline, video, work, monkeypatch, 0)
    assert not work.exists()
    broken_off(pipeline, video, work, monkeypatch, 2, "_write")
    assert work.exists()
    caplog.set_level("INFO", "openfoley")
    pipeline.generate_takes(video, [1, 2], work=work, **SETTINGS)
    (message,) = [record.getMessage() for record in caplog.records if "resuming" in record.getMessage()]
    assert message.startswith(f"resuming from {work}: 2 of ") and message.endswith(" windows are finished")
