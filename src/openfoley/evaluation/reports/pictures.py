"""Plots of the report: generated and true spectrograms with events marked (as Figure 3 of arXiv 2510.02916), and the
same clip at 32, 8 and 1 steps (as its Figure 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from openfoley.data.gym_cache import GymCache
from openfoley.data.onset_detector import Onsets, detect
from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S, score
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.reports.figures import RATE, SILENT_POWER, samples_of
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.media.spectrogram import log_mel
from openfoley.media.write.atomic import replace_when_done

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES = 4
FEWEST_EVENTS = 6
STEP_COUNTS = (32, 8, 1)
FRAMES_SHOWN = 12
RANGE_NEPERS = 8.0


@dataclass(frozen=True)
class Shown:
    """Clips with their sounds (int16 [clips, 2, time], generated in `steps` steps), the events detected in them, and
    a function that samples a clip (row, steps) again, to float32 [2, time]."""

    truths: Sequence[Truth]
    gym: GymCache
    made: np.ndarray
    onsets: Sequence[Onsets]
    steps: int
    sampled: Callable[[int, int], Tensor]


def draw_pictures(workspace: Workspace, shown: Shown) -> None:
    """pictures/events-*.png of clips from the best to the worst, pictures/steps.png of the median one."""
    folder, gym = workspace.folder / "pictures", shown.gym
    ranked = sorted(
        (score(onsets.times_s, truth.only(True), MAIN_TOLERANCE_S).f1, index)
        for index, (onsets, truth) in enumerate(zip(shown.onsets, shown.truths, strict=True))
        if truth.visible.sum() >= FEWEST_EVENTS
    )
    if not ranked:
        return
    places = np.linspace(len(ranked) - 1, 0, EXAMPLES).round().astype(int)

    def draw(path: Path, index: int, sounds: dict[str, Tensor]) -> None:
        _draw(sounds, shown.truths[index], path, gym.frames[index], gym.truth[index]["caption"])

    def example(path: Path, f1: float, index: int) -> None:
        name = f"generated, {shown.steps} steps (F1 {f1:.2f})"
        draw(path, index, {"true": samples_of(gym.sound, index), name: samples_of(shown.made, index)})

    def by_steps(path: Path, index: int) -> None:
        sounds = {"true": samples_of(gym.sound, index)}
        for steps in STEP_COUNTS:
            sounds[f"{steps} step{'s' if steps > 1 else ''}"] = shown.sampled(index, steps)
        draw(path, index, sounds)

    tasks: dict[Path, Callable[[], None]] = {}
    for number, place in enumerate(places):
        path = folder / f"events-{number + 1}.png"
        tasks[path] = lambda path=path, place=place: example(path, *ranked[place])
    path = folder / "steps.png"
    tasks[path] = lambda path=path: by_steps(path, ranked[len(ranked) // 2][1])
    workspace.share(tasks)


def _draw(sounds: dict[str, Tensor], truth: Truth, path: Path, frames: np.ndarray, caption: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 1.6 + 2.2 * len(sounds)), layout="constrained")
    axes = figure.subplots(len(sounds) + 1, 1, height_ratios=[0.8] + [1.5] * len(sounds))
    shown = frames[np.linspace(0, len(frames) - 1, FRAMES_SHOWN).round().astype(int)]
    axes[0].imshow(np.concatenate(list(shown.transpose(0, 2, 3, 1)), axis=1))
    axes[0].set_axis_off()
    axes[0].set_title(caption[:150], fontsize=9)
    for axis, (name, samples) in zip(axes[1:], sounds.items(), strict=True):
        _spectrogram(axis, name, samples, truth)
    axes[-1].set_xlabel("s (solid: true events, dashed: off screen, triangles: detected)")
    with replace_when_done(path, force=True) as unfinished:
        figure.savefig(unfinished, dpi=90)


def _spectrogram(axis: Axes, name: str, samples: Tensor, truth: Truth) -> None:
    mel = log_mel(samples.mean(0), RATE).numpy()
    extent = (0.0, samples.shape[1] / RATE, 0.0, float(len(mel)))
    silent = float(samples.square().mean()) <= SILENT_POWER
    top = float(mel.max()) + (RANGE_NEPERS if silent else 0.0)  # black, not scaled up noise
    axis.imshow(mel, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=top - RANGE_NEPERS, vmax=top)
    for time_s, visible in zip(truth.scored_s, truth.visible, strict=True):
        axis.axvline(time_s, color="cyan", linewidth=0.7, linestyle="-" if visible else ":", alpha=0.8)
    times = detect(samples, RATE).times_s
    axis.plot(times, np.full(len(times), 0.96 * len(mel)), "v", color="lime", markersize=4)
    axis.set_ylabel(name, fontsize=8)
    axis.set_yticks([])
