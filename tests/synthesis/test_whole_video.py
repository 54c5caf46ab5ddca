"""What a window knows of the whole video, against the features themselves; and that an hour of it stays small."""

from __future__ import annotations

import errno
import io
import os
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.errors import OutputError
from openfoley.synthesis import kept_runs, whole_video
from openfoley.synthesis.features import FeatureRun
from openfoley.synthesis.kept_runs import KeptRuns
from openfoley.synthesis.whole_video import GrowingRows, WholeVideo, shots_sequence
from openfoley.timeline.shots import Shot

RATE, CPU = Fraction(24), torch.device("cpu")


def encoder(dim: int = 2, rate: Fraction = RATE) -> Any:
    return SimpleNamespace(inputs=Inputs(Frames(rate, 8, 8)), outputs=Outputs(dim, rate))


def collected(stretch_s: Fraction | None, shots: list[Tensor], origins: list[Fraction], piece: int, **more: Any) -> Any:
    whole = WholeVideo({"sync": encoder()}, lambda name, trunk, text: trunk, stretch_s=stretch_s, **more)
    for number, (features, origin) in enumerate(zip(shots, origins, strict=True)):
        pieces = list(features.split(piece)) or [features]
        for index, part in enumerate(pieces):
            whole.add(FeatureRun("sync", number, part, is_last=index == len(pieces) - 1), origin)
    return whole.sequence("sync", None, Fraction(3), CPU)


@pytest.mark.parametrize("piece", [1, 7, 24, 500])
def test_stretches_are_the_means_of_each_shot_at_their_middles(piece: int) -> None:
    first, second = torch.randn(60, 2), torch.randn(24, 2)
    origins = [Fraction(0), Fraction(5, 2)]
    found = collected(Fraction(1), [first, second], origins, piece)
    means = torch.stack([first[:24].mean(0), first[24:48].mean(0), first[48:].mean(0), second.mean(0)])
    times = torch.tensor([11.5 / 24, 35.5 / 24, 53.5 / 24, 2.5 + 11.5 / 24]) - 3
    assert torch.allclose(found.values[0], means, atol=1e-6) and torch.allclose(found.time_s[0], times, atol=1e-6)
    assert found.present.all()


def test_without_stretches_it_is_every_feature() -> None:
    features = torch.randn(60, 2)
    found = collected(None, [features], [Fraction(0)], 7)
    assert torch.equal(found.values[0], features)
    assert torch.allclose(found.time_s[0], torch.arange(60) / 24 - 3.0, atol=1e-6)


def test_times_an_hour_into_the_video_are_exact() -> None:
    origin = Fraction(3600) + Fraction(1, 24)
    whole = WholeVideo({"sync": encoder()}, lambda name, trunk, text: trunk, stretch_s=None)
    whole.add(FeatureRun("sync", 0, torch.zeros(2, 2), True), origin)
    assert whole.sequence("sync", None, Fraction(3600), CPU).time_s[0].tolist() == pytest.approx([1 / 24, 2 / 24], 1e-6)


def test_a_stream_keeps_the_latest_minutes_only() -> None:
    features = torch.arange(24 * 50.0)[:, None].expand(-1, 2)
    found = collected(Fraction(1), [features], [Fraction(0)], 24, most_s=10)
    assert 10 <= found.values.shape[1] <= 20
    assert float(found.values[0, -1, 0]) == 24 * 49 + 11.5 and float(found.time_s[0, -1]) == pytest.approx(
        49 - 3, abs=1
    )


def test_of_what_has_not_a_whole_stretch_nothing_is_known_yet() -> None:
    whole = WholeVideo({"sync": encoder()}, lambda name, trunk, text: trunk, stretch_s=Fraction(1))
    whole.add(FeatureRun("sync", 0, torch.zeros(20, 2), False), Fraction(0))
    assert whole.sequence("sync", None, Fraction(0), CPU).values.shape == (1, 0, 2)


def test_many_rows_are_mapped_from_a_file_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_video, "IN_MEMORY_BYTES", 4 * 3 * 10)
    rows, parts = GrowingRows(3), list(torch.randn(40, 3).split(7))
    for number, part in enumerate(parts):
        rows.append(part)
        assert torch.equal(rows.tensor(), torch.cat(parts[: number + 1]))
    assert rows._file is not None and not rows._held


def test_an_hour_is_collected_in_little_memory() -> None:
    """The Gym's encoders: what an hour leaves in memory, runs for the second pass included."""

    def hour() -> Iterator[FeatureRun]:
        for minute in range(60):
            for name, rate in (("sync", 24), ("semantic", 8)):
                yield FeatureRun(name, 0, torch.full((60 * rate, 128), float(minute)), is_last=minute == 59)

    encoders = {"sync": encoder(128), "semantic": encoder(128, Fraction(8))}
    kept = KeptRuns(hour, CPU)
    tracemalloc.start()
    whole = WholeVideo(encoders, lambda name, trunk, text: trunk, stretch_s=Fraction(1))
    for run in kept():
        whole.add(run, Fraction(0))
    held = sum(run[4].numel() * 4 for run in kept._runs if isinstance(run[4], Tensor))
    python = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    values = [whole.sequence(name, None, Fraction(0), CPU).values for name in encoders]
    assert [len(one[0]) for one in values] == [3600, 3600]
    assert held + sum(4 * one.numel() for one in values) + python < 20e6
    assert sum(len(run.features) for run in kept()) == 3600 * 32
    assert float(next(run for run in reversed(list(kept()))).features[0, 0]) == 59


def test_runs_are_computed_once_and_come_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [FeatureRun("sync", k // 4, torch.randn(5, 3), k % 4 == 3) for k in range(8)]
    computed: list[int] = []

    def compute() -> Iterator[FeatureRun]:
        computed.append(1)
        yield from runs

    monkeypatch.setattr(kept_runs, "IN_MEMORY_BYTES", 4 * 15 * 3)  # some in memory, most in the file
    for most, times in ((1_000_000, 1), (4 * 15 * 5, 3)):
        computed.clear()
        kept = KeptRuns(compute, CPU, most_bytes=most)
        for _ in range(3):
            for ours, theirs in zip(kept(), runs, strict=True):
                assert (ours.name, ours.shot, ours.is_last) == (theirs.name, theirs.shot, theirs.is_last)
                assert torch.equal(ours.features, theirs.features)
        assert len(computed) == times


def test_a_first_pass_that_was_left_is_not_taken_for_the_whole() -> None:
    runs = [FeatureRun("sync", 0, torch.randn(5, 3), k == 3) for k in range(4)]
    kept = KeptRuns(lambda: iter(runs), CPU)
    next(iter(kept()))
    assert [len(run.features) for run in kept()] == [5, 5, 5, 5]
    assert len(list(kept())) == 4


def test_shots_count_from_the_window() -> None:
    shots = [Shot(0, Fraction(0), Fraction(2), "start"), Shot(1, Fraction(2), Fraction(7), "reset")]
    found = shots_sequence(shots, Fraction(3), CPU)
    assert found.time_s[0].tolist() == [-3.0, -1.0] and found.values[0, :, 0].tolist() == [2.0, 5.0]


def test_temporary_files_have_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(whole_video, "IN_MEMORY_BYTES", 8)
    rows = GrowingRows(3)
    rows.append(torch.zeros(4, 3))
    assert rows._file is not None and list(tmp_path.iterdir()) == []


class FullDisk(io.BytesIO):
    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "TemporaryFile", FullDisk)
    for module in (whole_video, kept_runs):
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", 8)
    with pytest.raises(OutputError, match="the disk is full"):
        GrowingRows(3).append(torch.zeros(4, 3))
    with pytest.raises(OutputError, match="the disk is full"):
        list(KeptRuns(lambda: iter([FeatureRun("sync", 0, torch.zeros(5, 3), True)]), CPU)())
