"""Random edits of spans, chosen, undone and redone: outside of what is edited no sample ever changes."""

import os
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openfoley.pipeline import load
from openfoley.projects.project import Project

EDITS = int(os.environ.get("OPENFOLEY_EDITS", "200"))
DURATION_S = 6


def rendered(project: Project) -> np.ndarray:
    (path,) = project.render(project.folder / "now.wav", force=True)
    return soundfile.read(path, dtype="int32", always_2d=True)[0]


@pytest.mark.slow
def test_edits_with_undo_and_redo_change_nothing_outside_their_spans(
    tiny_model: Path, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    rng, pipeline = random.Random(0), load(tiny_model)
    video = make_video("film.mp4", duration_s=float(DURATION_S))
    project = Project.new(tmp_path / "p", video, model=tiny_model, steps=1, cuts="none")
    project.take(pipeline)
    sounds, position, made, changed_outside = [rendered(project)], 0, 0, 0
    while made < EDITS:
        kind = rng.choice(["edit", "edit", "undo", "redo"])
        if kind == "edit":
            length = Fraction(rng.randint(60, 1500), 1000)
            start = Fraction(rng.randint(0, int(1000 * (DURATION_S - length))), 1000)
            project.take(pipeline, span=(start, start + length), choose=True)
            now = rendered(project)
            inside = np.zeros(len(now), dtype=bool)
            inside[round(start * 44100) : round((start + length) * 44100)] = True
            changed_outside += int((now != sounds[position])[~inside].any(axis=1).sum())
            assert (now != sounds[position])[inside].any()
            sounds[position + 1 :] = [now]
            position, made = position + 1, made + 1
            continue
        if kind == "undo" and position:
            project.undo()
            position -= 1
        elif kind == "redo" and position + 1 < len(sounds):
            project.redo()
            position += 1
        assert np.array_equal(rendered(project), sounds[position])
    assert changed_outside == 0
