"""The demo: a silent Gym video that is not in the training set, its generated sound, and a plot of both."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.data.onset_detector import detect
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.media.frames import FrameRequest
from openfoley.media.write.atomic import make_folder, replace_when_done
from openfoley.pipeline import Pipeline
from openfoley.types import Audio

DURATION_S = 8.0
RATE = Fraction(24)  # Hz
WIDTH, HEIGHT = 512, 288  # pixels
STRIP_FRAMES = 8
STRIP_RATE = Fraction(STRIP_FRAMES, int(DURATION_S))  # Hz
STRIP_HEIGHT, STRIP_WIDTH = 144, 256  # pixels
HIT_S = 0.05  # a generated event within this of a true one is drawn as correct
MEL_BANDS, MEL_FLOOR_DB = 128, -80.0


@dataclass(frozen=True)
class Demo:
    """The demo's files, and the events detected in its sound."""

    video: Path
    picture: Path
    caption: str
    true_s: np.ndarray
    generated_s: np.ndarray


def run_demo(
    pipeline: Pipeline, out: Path, seed: int, *, progress: Callable[[float, float], None] | None = None
) -> Demo:
    """Render scene `seed` without sound to out/silent.mp4, write out/demo.mp4 and out/demo.png (all overwritten)."""
    from openfoley.gym.files import SceneFormat, render_files

    make_folder(out)
    render_files([seed], DURATION_S, out / "scene", SceneFormat(RATE, WIDTH, HEIGHT, silent=True), force=True)
    silent = out / "scene" / f"{seed}.mp4"
    record = json.loads((out / "scene" / f"{seed}.json").read_text(encoding="utf-8"))
    take = pipeline.generate(silent, seed=1, progress=progress)
    video = take.save(out / "demo.mp4", force=True)
    sound = take.audio
    true_s = from_dict(record).scored_s
    generated_s = detect(sound.samples, sound.sample_rate).times_s
    figure = draw(_strip(silent), sound, true_s, generated_s, record["caption"])
    with replace_when_done(out / "demo.png", force=True) as unfinished:
        figure.savefig(unfinished, dpi=110)
    return Demo(video, out / "demo.png", record["caption"], true_s, generated_s)


def _strip(video: Path) -> Tensor:
    """Frames a second apart, uint8 [n, 3, height, width]."""
    from openfoley.media.source import Source

    request = FrameRequest("strip", STRIP_RATE, STRIP_HEIGHT, STRIP_WIDTH)
    return torch.cat([chunk.frames for chunk in Source.file(video).chunks([request])])


def draw(
    strip: UInt8[Tensor, "n 3 height width"], sound: Audio, true_s: np.ndarray, generated_s: np.ndarray, caption: str
) -> Any:
    """Frames, waveform, mel spectrogram, and the true event times against the generated ones, on one time axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    rows = figure.subplots(4, 1, sharex=True, gridspec_kw={"height_ratios": [1.3, 1, 1.6, 0.8], "hspace": 0.02})
    figure.suptitle(textwrap.fill(f"generated from the silent picture alone: {caption}", 120), fontsize=10)
    _draw_strip(rows[0], strip, sound.duration_s)
    _draw_wave(rows[1], sound)
    _draw_mel(rows[2], sound)
    _draw_events(rows[3], true_s, generated_s)
    rows[-1].set_xlim(0, sound.duration_s)
    rows[-1].set_xlabel("time, s")
    return figure


def _draw_strip(axis: Any, strip: Tensor, duration_s: float) -> None:
    wide = torch.cat(list(strip.permute(0, 2, 3, 1)), dim=1).numpy()
    axis.imshow(wide, extent=(0, duration_s, 0, 1), aspect="auto")
    axis.set_yticks([])


def _draw_wave(axis: Any, sound: Audio) -> None:
    mono = sound.samples.mean(0).numpy()
    axis.plot(np.arange(len(mono)) / sound.sample_rate, mono, linewidth=0.3, color="#1f5f8b")
    axis.set_ylabel("sample")


def _draw_mel(axis: Any, sound: Audio) -> None:
    from openfoley.media.spectrogram import mel_spectrogram

    power = mel_spectrogram(sound.samples.mean(0), sound.sample_rate, n_mels=MEL_BANDS, power=2.0)
    level_db = 10 * torch.log10(power / power.max().clamp(min=1e-12) + 10 ** (MEL_FLOOR_DB / 10))
    extent = (0, sound.duration_s, 0, MEL_BANDS)
    axis.imshow(level_db.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=MEL_FLOOR_DB)
    axis.set_ylabel("mel band")


def _draw_events(axis: Any, true_s: np.ndarray, generated_s: np.ndarray) -> None:
    """True events above, generated below: green within HIT_S of a true one, red otherwise."""
    near = [len(true_s) > 0 and np.abs(true_s - t).min() <= HIT_S for t in generated_s]
    axis.vlines(true_s, 1.05, 1.95, color="#222222", linewidth=1.6)
    axis.vlines(generated_s, 0.05, 0.95, color=["#2a9d3a" if hit else "#d0342c" for hit in near], linewidth=1.6)
    axis.set_yticks([0.5, 1.5], ["generated", "true"])
    axis.set_ylim(0, 2)
