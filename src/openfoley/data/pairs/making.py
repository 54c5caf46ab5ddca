"""Clips of one form from a user's own copy of a set of videos: `openfoley data pairs KIND DIR --out OUT`.

OUT/clips/<name>-<number>.mkv    frames at the form's rate, square (the middle of the picture), H.264; sound at 16 kHz,
                                 mono, FLAC: as it was cut
OUT/train.csv, validation.csv, evaluation.csv    path,caption a line, without a header, as the published lists
OUT/pairs.json                   form, clips with all captions, videos that were left out; written last

A video's clips follow one another from its first frame; a shorter rest is left out. An interrupted run of the same
command continues behind the last finished video.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.data.disk import claim_folder, write_json
from openfoley.data.pairs.layouts import Listed, listed, share_of
from openfoley.data.pairs.pair import PairForm
from openfoley.data.workers import render_pool
from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.read.opening import shown
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.atomic import make_folder, replace_when_done, whole_file
from openfoley.media.write.encode import write_video
from openfoley.types import Audio

FINISHED, UNFINISHED = "pairs.json", "unfinished"
CLIPS = "clips"
SPLITS = ("train", "validation", "evaluation")
SLACK_S = 0.05
"""That a video or its sound may be too short for its last clip; the sound is padded with silence."""
VALIDATION_SHARE = 0.05


@dataclass(frozen=True)
class Made:
    """clips: of each split. lost: videos that gave none, and why."""

    clips: dict[str, int]
    lost: dict[str, str]


def make_pairs(
    kind: str,
    source: Path,
    out: Path,
    form: PairForm,
    *,
    per_video: int | None = None,
    validation: float = VALIDATION_SHARE,
    workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Made:
    """Cut the clips and write the lists. per_video: at most, the first ones. validation: the share of the videos for
    training that is kept for validation. workers: processes (as many as cores if None; 1: this one).

    UsageError, before any work, for a folder without such videos and for an `out` that holds something else. Videos
    that cannot be read, are too short or have no sound are left out and named in the result."""
    if per_video is not None and per_video < 1:
        raise UsageError(f"clips of each video must be at least 1, got {per_video}")
    if not 0 <= validation < 1:
        raise UsageError(f"the share for validation must be in 0..1, without 1, got {validation:g}")
    videos = listed(kind, source)
    about = _about(kind, videos, form, per_video, validation)
    if (out / FINISHED).is_file():
        return _made_before(out, about)
    claim_folder(out, out / UNFINISHED / "about.json", about)
    make_folder(out / CLIPS)
    jobs = [(number, video, out, form, per_video) for number, video in enumerate(videos)]
    left = [job for job in jobs if not _kept(out, job[0]).is_file()]
    pool = nullcontext(None) if workers == 1 else render_pool(workers)
    with pool as workers_of:
        cut = map(_cut_job, left) if workers_of is None else workers_of.map(_cut_job, left)
        for done, _ in enumerate(cut, start=len(jobs) - len(left) + 1):
            if progress is not None:
                progress(done, len(jobs))
    return _finish(out, videos, about, validation)


def _about(
    kind: str, videos: Sequence[Listed], form: PairForm, per_video: int | None, validation: float
) -> dict[str, Any]:
    """What the clips depend on."""
    listing = [[one.name, one.captions, one.split, one.events, one.video.stat().st_size] for one in videos]
    return {
        "kind": kind,
        "form": asdict(form) | {"rate": str(form.rate)},
        "per_video": per_video,
        "validation": validation,
        "videos": hashlib.sha256(json.dumps(listing).encode()).hexdigest(),
    }


def _made_before(out: Path, about: dict[str, Any]) -> Made:
    record = json.loads((out / FINISHED).read_text())
    if record["about"] != about:
        raise UsageError(f"{shown(out)} was made of other videos or settings; choose another folder or delete it")
    return _summary(record)


def _kept(out: Path, number: int) -> Path:
    return out / UNFINISHED / f"{number:06d}.json"


def _cut_job(job: tuple[int, Listed, Path, PairForm, int | None]) -> None:
    """Cut a video and note its clips, or why it has none."""
    number, video, out, form, per_video = job
    rows: list[dict[str, Any]] = []
    lost = "shorter than a clip"
    try:
        for k, (frames, sound) in enumerate(cut(video, form, per_video)):
            path = out / CLIPS / f"{video.name.replace('/', '__')}-{k:03d}.mkv"
            with replace_when_done(path, force=True) as unfinished:
                write_video(unfinished, frames, form.rate, audio=Audio(sound[None], form.sample_rate), bit_depth="16")
            first_s = float(k * form.duration_s)
            captions = video.captions_of(first_s, first_s + float(form.duration_s))
            rows.append({"file": f"{CLIPS}/{path.name}", "captions": captions, "video": video.name, "start_s": first_s})
    except MediaError as error:
        lost = str(error)
    write_json(_kept(out, number), {"clips": rows, "lost": None if rows else lost})


def cut(
    video: Listed, form: PairForm, per_video: int | None = None
) -> Iterator[tuple[UInt8[Tensor, "frames 3 height width"], Float[Tensor, " samples"]]]:
    """Frames and sound of the clips of a video, in order. MediaError for one without sound."""
    sound = read_audio(video.sound or video.video, form.sample_rate).samples.mean(0).clamp(-1, 1)
    source, samples = Source.file(video.video), int(form.samples)
    longest = min(source.info.duration, Fraction(sound.shape[-1], form.sample_rate))
    clips = int((longest + Fraction(SLACK_S)) / form.duration_s)
    clips = clips if per_video is None else min(clips, per_video)
    waiting, done = torch.zeros(0, 3, form.size, form.size, dtype=torch.uint8), 0
    for chunk in source.chunks([request_of(form)]) if clips else ():
        waiting = torch.cat([waiting, chunk.frames])
        while len(waiting) >= form.count and done < clips:
            part = sound[done * samples : (done + 1) * samples]
            yield waiting[: form.count], torch.nn.functional.pad(part, (0, samples - len(part)))
            waiting, done = waiting[form.count :], done + 1
        if done == clips:
            return


def request_of(form: PairForm) -> FrameRequest:
    """The middle of the picture, square."""
    return FrameRequest("pair", form.rate, form.size, form.size, fit="cover")


def _finish(out: Path, videos: Sequence[Listed], about: dict[str, Any], validation: float) -> Made:
    """The lists, and last the record."""
    rows, lost = [], {}
    for number, video in enumerate(videos):
        kept = json.loads(_kept(out, number).read_text())
        is_validation = video.split == "train" and share_of(f"validation {video.name}") < validation
        rows += [row | {"split": "validation" if is_validation else video.split} for row in kept["clips"]]
        if kept["lost"]:
            lost[video.name] = kept["lost"]
    if not rows:
        first, why = next(iter(lost.items()))
        raise UsageError(f"none of the {len(videos)} videos gives a clip ({first}: {why})")
    for split in SPLITS:
        lines = io.StringIO()
        csv.writer(lines).writerows((row["file"], row["captions"][0]) for row in rows if row["split"] == split)
        with whole_file(out / f"{split}.csv") as file:
            file.write(lines.getvalue().encode())
    record = {"about": about, "clips": rows, "lost": lost}
    write_json(out / FINISHED, record)
    shutil.rmtree(out / UNFINISHED)
    return _summary(record)


def _summary(record: dict[str, Any]) -> Made:
    counts = {split: sum(row["split"] == split for row in record["clips"]) for split in SPLITS}
    return Made(counts, record["lost"])
