"""A scene as three files: <seed>.mp4, <seed>.wav and <seed>.json, what `openfoley gym render` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from openfoley.gym.picture import frame_count, render_frames
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import split_of
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.media.atomic import replace_when_done
from openfoley.media.encode import write_video
from openfoley.types import Audio

SUFFIXES = (".mp4", ".wav", ".json")
SAMPLE_RATE = 44100  # Hz
FRAMES_AT_ONCE = 24


def export_scene(
    folder: Path,
    seed: int,
    duration_s: float,
    *,
    rate: Fraction,
    width: int,
    height: int,
    silent: bool = False,
    force: bool = False,
    device: torch.device | str = "cpu",
) -> dict[str, Path]:
    """Render the scene of `seed` into `folder`; `silent` leaves the sound out of the .mp4. Returns paths."""
    import soundfile

    # The truth's x, y and the panning follow the shape that is rendered.
    scene = replace(sample_scene(seed, duration_s, split=split_of(seed)), aspect=width / height)
    (sound,) = render_sound([scene], sample_rate=SAMPLE_RATE, device=device)
    mix = Audio(sound.mix.cpu(), SAMPLE_RATE)
    paths = {suffix: folder / f"{seed}{suffix}" for suffix in SUFFIXES}
    with replace_when_done(paths[".mp4"], force) as unfinished:
        pictures = _pictures(scene, rate, width, height, torch.device(device))
        write_video(unfinished, pictures, rate, audio=None if silent else mix)
    with replace_when_done(paths[".wav"], force) as unfinished:
        soundfile.write(unfinished, np.ascontiguousarray(mix.samples.T.numpy()), SAMPLE_RATE, subtype="PCM_24")
    with replace_when_done(paths[".json"], force) as unfinished:
        unfinished.write_text(json.dumps(truth(scene, sound, rate), indent=1) + "\n", encoding="utf-8")
    return paths


def _pictures(scene: Scene, rate: Fraction, width: int, height: int, device: torch.device) -> Iterator[Tensor]:
    """The scene's frames, a second at a time: a long scene does not sit in memory."""
    total = frame_count(scene.duration_s, rate)
    for first in range(0, total, FRAMES_AT_ONCE):
        count = min(FRAMES_AT_ONCE, total - first)
        yield render_frames(
            scene, first, count, rate=rate, height=height, width=width, device=device, aspect=scene.aspect
        )
