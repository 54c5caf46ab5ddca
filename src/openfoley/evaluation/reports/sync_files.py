"""`openfoley evaluate sync GENERATED_DIR TRUTH_DIR`: the metrics of `sync` for a folder of sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.codecs.base import Codec
from openfoley.data.onset_detector import Onsets, detect
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.recall import RecallIn, range_words
from openfoley.evaluation.metrics.sync import Score, SyncReport, sync_report
from openfoley.evaluation.metrics.truth import Truth, read_truths
from openfoley.evaluation.reports.sounds import through_codec
from openfoley.evaluation.stats.bootstrap import Estimate, Interval
from openfoley.hub.load import load_model

SOUND_SUFFIXES = (".wav", ".flac", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".m4a", ".ogg", ".mp3")
"""Suffixes of a clip's sound, in order of preference."""
NAMED = 5
"""Missing sounds that are named."""


@dataclass(frozen=True)
class SyncFiles:
    """The report on the generated sounds, and the detector's ceiling if the truth folder has the true sounds."""

    generated: SyncReport
    missing: tuple[str, ...]
    ceiling: SyncReport | None
    codec_ceiling: SyncReport | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "generated": self.generated.to_dict(),
            "missing": list(self.missing),
            "ceiling_true_sound": self.ceiling.to_dict() if self.ceiling else None,
            "ceiling_through_codec": self.codec_ceiling.to_dict() if self.codec_ceiling else None,
        }

    def text(self) -> str:
        """The tables for a terminal."""
        parts = [table(self.generated, "generated sound")]
        if self.missing:
            names = ", ".join(self.missing[:NAMED]) + " ..." * (len(self.missing) > NAMED)
            parts.append(f"missing sounds, counted as silence: {len(self.missing)} ({names})")
        for report, name in ((self.ceiling, "true sound"), (self.codec_ceiling, "true sound through the codec")):
            if report:
                parts.append(table(report, f"ceiling: {name}"))
        return "\n\n".join(parts)


def evaluate_sync(
    generated_dir: Path,
    truth_dir: Path,
    *,
    seed: int = 0,
    model: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SyncFiles:
    """Score `<stem>.<wav|flac|mp4|...>` of `generated_dir` against `<stem>.json` of `truth_dir`.

    A missing sound counts as silence. Sounds beside the truth files give the detector's ceiling; with `model` also that
    of its codec. Raises UsageError for folders without truth files, MediaError for an unreadable sound or truth file.
    """
    if not generated_dir.is_dir():
        raise UsageError(f"{generated_dir} is not a folder; pass the folder of the generated sounds")
    truths = read_truths(truth_dir)
    paths = [find_sound(generated_dir, truth.name) for truth in truths]
    if not any(paths):
        raise UsageError(
            f"{generated_dir} holds no sound for any of the {len(truths)} truth files of {truth_dir}; "
            f"name it like {truths[0].name}.wav"
        )
    found = []
    for index, path in enumerate(paths):
        found.append(_detected(path))
        if progress:
            progress(index + 1, len(paths))
    true_paths = [find_sound(truth_dir, truth.name) for truth in truths]
    known = [k for k, path in enumerate(true_paths) if path is not None]
    ceilings: list[SyncReport | None] = [None, None]
    if known and generated_dir.resolve() != truth_dir.resolve():
        chosen = [truths[k] for k in known]
        ceilings[0] = sync_report([_detected(true_paths[k]) for k in known], chosen, seed=seed)
        if model is not None:
            codec = load_model(model).codec
            ceilings[1] = sync_report([_detected(true_paths[k], codec) for k in known], chosen, seed=seed)
    missing = tuple(truth.name for truth, path in zip(truths, paths, strict=True) if path is None)
    return SyncFiles(sync_report(found, truths, seed=seed), missing, *ceilings)


def truths_with_videos(folder: Path) -> list[Truth]:
    """The truths of a folder whose `<name>.mp4` is beside them. Raises UsageError for none, MediaError."""
    truths = [truth for truth in read_truths(folder) if (folder / f"{truth.name}.mp4").is_file()]
    if not truths:
        raise UsageError(
            f"{folder} holds no <name>.mp4 beside its truth files; render both with `openfoley gym render`"
        )
    return truths


def find_sound(folder: Path, name: str) -> Path | None:
    """The file of a clip's sound, by SOUND_SUFFIXES; a video without an audio stream does not count."""
    for suffix in SOUND_SUFFIXES:
        path = folder / (name + suffix)
        if path.is_file() and (suffix in (".wav", ".flac") or _has_sound(path)):
            return path
    return None


def table(report: SyncReport, title: str) -> str:
    """A report as plain text."""
    lines = [
        f"{title}: {report.clips} clips ({report.silent_clips} silent), {report.events} scored events "
        f"({report.visible_events} visible), {report.detections} detections",
        f"{'events':11}{'+-ms':>5}{'P':>8}{'R':>8}{'F1':>8}  "
        f"{'95 % interval':16}{'shuffled':>9}{'random':>8}{'corrected':>10}",
    ]
    for name, scores in (("visible", report.visible), ("off-screen", report.off_screen), ("all", report.everything)):
        lines += [_row(name, score) for score in scores]
    lines += [
        _line("median |error|, ms", report.median_abs_error_ms),
        _line("median signed error, ms (late > 0)", report.median_signed_error_ms),
        _line("false positives a minute, silent clips", report.silent_false_per_minute),
        _line("loudness rank correlation, pooled", report.loudness_pooled),
        _line("loudness rank correlation, in clips", report.loudness_within),
        *_recalls("recall, nearest other contact", "s", report.recall_by_gap),
        *_recalls("recall, below the loudest contact", "dB", report.recall_by_level),
    ]
    return "\n".join(lines)


def _row(name: str, score: Score) -> str:
    figures = f"{score.precision:8.3f}{score.recall:8.3f}{score.f1:8.3f}  {_bounds(score.f1_interval):16}"
    controls = f"{_number(score.shuffled):>9}{_number(score.random):>8}{_number(score.corrected):>10}"
    return f"{name:11}{score.tolerance_ms:5}{figures}{controls}"


def _line(name: str, estimate: Estimate) -> str:
    return f"{name:48}{_number(estimate.value):>8}  {_bounds(estimate.interval)}  (n = {estimate.count})"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _bounds(interval: Interval) -> str:
    low, high = interval
    return f"{low:.3f} .. {high:.3f}" if np.isfinite(interval).all() else "no interval"


def _recalls(name: str, unit: str, parts: Sequence[RecallIn]) -> list[str]:
    return [_line(f"{name} {range_words(part.low, part.high, unit)}", part.recall) for part in parts]


def _has_sound(path: Path) -> bool:
    from openfoley.media.read.opening import open_media

    with open_media(path) as container:
        return bool(container.streams.audio)


def _detected(path: Path | None, codec: Codec | None = None) -> Onsets:
    """Detected events of a file; none without a file."""
    if path is None:
        return Onsets(np.zeros(0), np.zeros(0), np.zeros(0))
    from openfoley.media.read.sound_file import read_audio

    audio = read_audio(path)
    return detect((audio if codec is None else through_codec(codec, audio)).samples, audio.sample_rate)
