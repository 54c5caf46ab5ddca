"""Gym scenes of any length: frames, true sound, and optionally a video file.

A long scene's sound is only rendered for the scored parts (`excerpt`): all objects' stems of ten minutes do not fit
into memory.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.data.gym_cache import FRAME_RATE as RATE
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.gym.bodies.records import Solid, Stage
from openfoley.gym.files import SAMPLE_RATE
from openfoley.gym.picture import frame_count, scene_frames
from openfoley.gym.records import Contact, Friction, Part, Performance, Scene, Shot
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.media.read.sound_file import read_audio
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.types import Audio

SIDE = 96  # pixels, input size of the Gym-size encoders
KEPT_BYTES = 500_000_000
CRF = 8  # x264: decoded frames differ from the rendered ones by less than their noise


@dataclass(frozen=True)
class Clip:
    """A rendered scene: its video, its true sound (None if only the picture was needed) and its truth record."""

    name: str
    video: Path
    sound: Path | None
    record: dict[str, Any]

    @property
    def truth(self) -> Truth:
        return from_dict(self.record, self.name)

    def audio(self) -> Audio:
        assert self.sound is not None
        return read_audio(self.sound)


def pictures_of(scene: Scene) -> UInt8[Tensor, "frames 3 side side"]:
    """All frames of a scene; ten minutes are 0.4 GB. More than KEPT_BYTES lie in a temporary file."""
    shape = (frame_count(scene.duration_s, RATE), 3, SIDE, SIDE)
    if math.prod(shape) > KEPT_BYTES:
        with tempfile.TemporaryFile() as file:  # the map keeps it
            pictures = torch.from_numpy(np.memmap(file, np.uint8, "w+", shape=shape))
    else:
        pictures = torch.empty(shape, dtype=torch.uint8)
    first = 0
    for frames in scene_frames(scene, RATE, SIDE, SIDE):
        pictures[first : first + len(frames)] = frames
        first += len(frames)
    return pictures


def true_sound(scene: Scene) -> tuple[Audio, dict[str, Any]]:
    """The true sound and the truth record of a scene."""
    rendered = render_sound(scene, sample_rate=SAMPLE_RATE, with_stems=False)
    return Audio(rendered.mix.clamp(-1, 1), SAMPLE_RATE), truth(scene, rendered, RATE)


def write_clip(folder: Path, name: str, scene: Scene, with_sound: bool = True) -> Clip:
    """The clip of a scene, rendered unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    video, sound, record = (folder / f"{name}.{suffix}" for suffix in ("mp4", "wav", "json"))
    if not record.is_file():
        made: dict[str, Any] = {}
        if with_sound:
            audio, made = true_sound(scene)
            with replace_when_done(sound, force=True) as path, AudioWriter(path, SAMPLE_RATE, 2, "24") as writer:
                writer.write(audio.samples)
        with replace_when_done(video, force=True) as path:
            write_video(path, scene_frames(scene, RATE, SIDE, SIDE), RATE, crf=CRF)
        with replace_when_done(record, force=True) as path:
            path.write_text(json.dumps(made))
    return Clip(name, video, sound if with_sound else None, json.loads(record.read_text()))


def excerpt(scene: Scene, start_s: float, end_s: float) -> Scene:
    """[start_s, end_s) of a scene as a separate scene that starts at time 0."""
    shots = [
        _moved(shot, start_s, end_s)
        for shot in scene.shots
        if shot.start_s < end_s - 1e-9 and shot.end_s > start_s + 1e-9
    ]
    return replace(scene, duration_s=end_s - start_s, shots=tuple(shots))


def _moved(shot: Shot, start_s: float, end_s: float) -> Shot:
    def later(track: Any) -> Any:
        return None if track is None else lambda t: track(t + start_s)

    def contact(one: Contact) -> Contact:
        return replace(one, time_s=one.time_s - start_s)

    def friction(one: Friction) -> Friction:
        span = (max(one.start_s - start_s, 0.0), min(one.end_s, end_s) - start_s)
        clock = None if one.clock_s is None else one.clock_s - start_s
        moved = {"level": later(one.level), "position": later(one.position), "turns": later(one.turns)}
        return replace(one, start_s=span[0], end_s=span[1], clock_s=clock, **moved)

    def part(one: Part) -> Part:
        return replace(one, position=later(one.position), angle=later(one.angle), opacity=later(one.opacity))

    performances = tuple(
        Performance(
            act.objects,
            [part(p) for p in act.parts],
            [contact(c) for c in act.contacts if start_s <= c.time_s < end_s],
            [friction(f) for f in act.frictions if f.start_s < end_s and f.end_s > start_s],
            act.caption,
        )
        for act in shot.performances
    )
    camera = replace(shot.camera, eye=later(shot.camera.eye), turn=later(shot.camera.turn))
    begin, end = max(shot.start_s - start_s, 0.0), min(shot.end_s, end_s) - start_s
    stage = shot.stage and _moved_stage(shot.stage, start_s)
    return replace(shot, start_s=begin, end_s=end, camera=camera, performances=performances, stage=stage)


def _moved_stage(stage: Stage, start_s: float) -> Stage:
    """Pieces of a body go on sharing one Motion, by which they are known as one body."""
    motions = {id(solid.motion): solid.motion for solid in stage.solids}
    moved = {key: replace(motion, start_s=motion.start_s - start_s) for key, motion in motions.items()}

    def solid(one: Solid) -> Solid:
        first, last = one.shown
        return replace(one, motion=moved[id(one.motion)], shown=(first - start_s, last - start_s))

    return replace(stage, solids=tuple(solid(one) for one in stage.solids))


def only_in(truth: Truth, start_s: float, end_s: float) -> Truth:
    """The same truth with only the events of [start_s, end_s) scored, on a clock that starts there."""
    keep = (truth.scored_s >= start_s) & (truth.scored_s < end_s)
    spans = truth.ignored_spans[(truth.ignored_spans[:, 1] >= start_s) & (truth.ignored_spans[:, 0] < end_s)]
    kept = truth.kept(keep, spans - start_s)
    return replace(kept, duration_s=end_s - start_s, scored_s=kept.scored_s - start_s, has_audible=bool(keep.any()))


def times_in(times_s: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """Detected times in [start_s, end_s), on a clock that starts there."""
    return times_s[(times_s >= start_s) & (times_s < end_s)] - start_s
