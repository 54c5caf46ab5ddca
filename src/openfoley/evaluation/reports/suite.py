"""`openfoley evaluate report`: all metrics of a model by one command, resumable.

    openfoley evaluate report --model salsa-v-gym --clips 200 --outside DIR --out out/report

Renders Gym scenes of the evaluation and held-out splits and silent ones, generates their sounds from frames in memory
(outside clips: from their files), and writes results.json, results.md and plots. The same command, started once per
core with OMP_NUM_THREADS=1, shares the work between the processes.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.data.gym_cache import FINISHED, FRAME_RATE, GymCache
from openfoley.data.onset_detector import Onsets, detect
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.click_baseline import click_onsets
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.reports.contradicting import contradicting
from openfoley.evaluation.reports.figures import (
    RATE,
    materials_of,
    onsets_of,
    reach_and_decay,
    relative_to,
    samples_of,
)
from openfoley.evaluation.reports.judge import SECTION as JUDGE
from openfoley.evaluation.reports.judge import train_judge, trained_judge
from openfoley.evaluation.reports.pictures import Shown, draw_pictures
from openfoley.evaluation.reports.results import write_results
from openfoley.evaluation.reports.sounds import gym_sounds, through_codec
from openfoley.evaluation.reports.sync_files import truths_with_videos
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.generators.sampling import SAMPLING
from openfoley.gym.seeds import VERSIONS, Split, World, check_world, seeds_of
from openfoley.hub.fingerprint import fingerprint
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.types import Audio

logger = logging.getLogger(__name__)

STEPS, MANY_STEPS = 8, 32
SETS: dict[str, tuple[Split, int, bool | None]] = {
    "evaluation": ("evaluation", 0, None),
    "heldout": ("heldout", 0, None),
    "silent": ("evaluation", 1_000_000, True),
}
"""Name -> split, first seed within it, and whether all scenes are silent (None: as sampled by the Gym)."""


def run_report(
    model: str | Path,
    out: Path,
    *,
    clips: int = 200,
    outside: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    world: World = "flat",
) -> dict[str, Any]:
    """Compute (or continue) the report in `out`; returns the record that results.json holds.

    clips: scenes of 8 s per set, at least 8. world: of all Gym scenes. Raises UsageError, WeightsError, MediaError.
    """
    check_world(world)
    if clips < 8:
        raise UsageError(f"clips must be at least 8, got {clips}; fewer give no meaningful result")
    suite = Suite(model, out, clips, outside, device, seed, world)
    suite.make_sounds()
    record = {"about": suite.about, "sections": suite.workspace.sections(suite.sections())}
    draw_pictures(suite.workspace, suite.shown())
    return write_results(record, out)


class Suite:
    """The report's sections; everything expensive is kept in the workspace."""

    def __init__(
        self,
        model: str | Path,
        out: Path,
        clips: int,
        outside: Path | None,
        device: str,
        seed: int,
        world: World = "flat",
    ):
        self.name, self.clips, self.outside, self.device, self.seed = str(model), clips, outside, device, seed
        self.world: World = world
        identity = {  # no folder names except that of the outside clips, whose content is not identified otherwise
            "weights": fingerprint(self.pipeline.model)[:16],
            "clips": clips,
            "outside": str(outside.resolve()) if outside else None,
            "seed": seed,
            **({} if world == "flat" else {"world": world}),
            "gym": VERSIONS[world],
            "sampling": SAMPLING,
        }
        self.about = {
            "model": self.name,
            **identity,
            "hardware": f"{device}: {_hardware(device)}",
            "command": f"openfoley evaluate report --model {self.name} --clips {clips} --device {device}"
            + (f" --world {world}" if world != "flat" else "")
            + (f" --outside {outside}" if outside else ""),
        }
        self.workspace = Workspace(out, identity)
        self.store = FeatureStore(out / "features")
        self._gym: dict[str, GymCache] = {}
        self._onsets: dict[str, list[Onsets]] = {}

    @cached_property
    def pipeline(self) -> Pipeline:
        return load(self.name, self.device)

    def gym(self, name: str) -> GymCache:
        """The rendered scenes of a set, opened once."""
        if name in self._gym:
            return self._gym[name]
        split, first, silent = SETS[name]
        seeds, folder = seeds_of(split, self.clips, first, self.world), self.workspace.folder / "gym" / name

        def build() -> GymCache:
            return GymCache.build(folder, seeds, split=split, silent_every=1 if silent else None)

        folder.mkdir(exist_ok=True)
        self.workspace.share({folder / FINISHED: build})
        self._gym[name] = build()
        return self._gym[name]

    def truths(self, name: str) -> list[Truth]:
        return [from_dict(record, f"{name}-{k}") for k, record in enumerate(self.gym(name).truth)]

    def sampled(self, name: str, row: int, steps: int, prompt: str | None = None) -> Float[Tensor, "2 time"]:
        """The generated sound of a clip at the rate of the true one; clip k has the seed
        `seed + k`."""
        frames = torch.from_numpy(np.array(self.gym(name).frames[row]))
        asked = Request.of(steps=steps, seed=self.seed + row, prompt=prompt, cuts="none")
        (sound,) = gym_sounds(
            self.pipeline, Source.tensor(frames, FRAME_RATE), asked, [asked.sampling.seed], self.store
        )
        return sound.samples

    def made(
        self, name: str, steps: int = STEPS, prompts: Sequence[str | None] | None = None, tag: str = ""
    ) -> np.ndarray:
        """Generated sounds of a set, int16 [clips, 2, time]."""
        shape = self.gym(name).sound.shape

        def make(rows: range) -> Tensor:
            return torch.stack([self.sampled(name, row, steps, prompts[row] if prompts else None) for row in rows])

        return self.workspace.sounds(f"{name}-{steps}{tag}", shape, make)

    def coded(self, name: str) -> np.ndarray:
        """True sounds of a set, encoded and decoded."""
        sound = self.gym(name).sound

        def code(rows: range) -> Tensor:
            codec, device = self.pipeline.model.codec, self.pipeline.device
            return torch.stack([through_codec(codec, Audio(samples_of(sound, k), RATE), device).samples for k in rows])

        return self.workspace.sounds(f"{name}-codec", sound.shape, code)

    def contradicted(self) -> tuple[np.ndarray, list[dict[str, str]]]:
        """Sounds of the evaluation set for prompts that name other materials, and the materials' replacements."""
        asked = [contradicting(record, index) for index, record in enumerate(self.gym("evaluation").truth)]
        prompts = [one[0] if one else None for one in asked]
        return self.made("evaluation", prompts=prompts, tag="-contradicted"), [one[1] if one else {} for one in asked]

    def make_sounds(self) -> None:
        """Generate all sounds of the sections beforehand, so that processes can share the work."""
        for name in SETS:
            self.made(name)
        for name in ("evaluation", "heldout"):
            self.coded(name)
        self.contradicted()
        self.made("evaluation", MANY_STEPS)

    def onsets(self, kind: str, sounds: np.ndarray) -> list[Onsets]:
        """Detected events, cached by name."""
        if kind not in self._onsets:
            self._onsets[kind] = onsets_of(sounds)
        return self._onsets[kind]

    def sections(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """Name -> function that computes it, in order."""
        chosen: dict[str, Callable[[], dict[str, Any]]] = {
            "ceiling": lambda: self._ceiling("evaluation"),
            "clicks": self._clicks,
            "evaluation": lambda: self._timing("evaluation"),
            "spectra": self._spectra,
            "silent": self._silent,
            "ceiling_heldout": lambda: self._ceiling("heldout"),
            "heldout": lambda: self._timing("heldout"),
            JUDGE: lambda: train_judge(self.workspace.folder, self.world),
            "material": self._material,
            "contradiction": self._contradiction,
        }
        if self.outside:
            chosen["outside"] = self._outside
        return {**chosen, "steps": self._steps}

    def shown(self) -> Shown:
        """The evaluation set, for the plots."""
        made, gym = self.made("evaluation"), self.gym("evaluation")
        onsets = self.onsets(f"evaluation-{STEPS}", made)
        return Shown(
            self.truths("evaluation"), gym, made, onsets, STEPS, lambda row, n: self.sampled("evaluation", row, n)
        )

    def _ceiling(self, name: str) -> dict[str, Any]:
        """The detector on true sound, and on encoded and decoded true sound."""
        truths = self.truths(name)
        true = self.onsets(f"{name}-true", self.gym(name).sound)
        coded = self.onsets(f"{name}-codec", self.coded(name))
        return {"true": _brief(true, truths), "codec": _brief(coded, truths)}

    def _clicks(self) -> dict[str, Any]:
        found = [click_onsets(frames, 24.0) for frames in self.gym("evaluation").frames]
        return {"report": _brief(found, self.truths("evaluation"))}

    def _timing(self, name: str) -> dict[str, Any]:
        truths, found = self.truths(name), self.onsets(f"{name}-{STEPS}", self.made(name))
        coded = self.onsets(f"{name}-codec", self.coded(name))
        return {"report": _brief(found, truths), "relative": relative_to(found, coded, truths)}

    def _spectra(self) -> dict[str, Any]:
        truths, true = self.truths("evaluation"), self.gym("evaluation").sound
        made, coded = self.made("evaluation"), self.coded("evaluation")
        return {
            "made": reach_and_decay(made, true, self.onsets(f"evaluation-{STEPS}", made), truths),
            "codec": reach_and_decay(coded, true, self.onsets("evaluation-codec", coded), truths),
        }

    def _silent(self) -> dict[str, Any]:
        truths, made = self.truths("silent"), self.made("silent")
        return {"report": _brief(self.onsets("silent", made), truths)}

    def _material(self) -> dict[str, Any]:
        truths, judge, figures = self.truths("evaluation"), trained_judge(self.workspace, world=self.world), {}
        kinds = {f"evaluation-{STEPS}": self.made("evaluation"), "evaluation-codec": self.coded("evaluation")}
        kinds["evaluation-true"] = self.gym("evaluation").sound
        for kind, sounds in kinds.items():
            figures[kind.removeprefix("evaluation-")] = materials_of(judge, sounds, self.onsets(kind, sounds), truths)
        return {"made": figures.pop(str(STEPS)), **figures}

    def _contradiction(self) -> dict[str, Any]:
        """Prompts that name a material other than the picture's."""
        made, expected = self.contradicted()
        found = self.onsets("evaluation-contradicted", made)
        judge = trained_judge(self.workspace, world=self.world)
        return materials_of(judge, made, found, self.truths("evaluation"), expected)

    def _outside(self) -> dict[str, Any]:
        """Clips of another renderer, from their files through the whole pipeline."""
        assert self.outside is not None
        truths = truths_with_videos(self.outside)
        found, true = [], []
        for index, truth in enumerate(truths):
            asked = Request.of(steps=STEPS, seed=self.seed + index)
            audio = self.pipeline.generate(self.outside / f"{truth.name}.mp4", asked).audio
            found.append(detect(audio.samples, audio.sample_rate))
            path = self.outside / f"{truth.name}.flac"
            if path.is_file():
                audio = read_audio(path)
                true.append(detect(audio.samples, audio.sample_rate))
        ceiling = _brief(true, truths) if len(true) == len(truths) else None
        return {"report": _brief(found, truths), "ceiling": ceiling}

    def _steps(self) -> dict[str, Any]:
        """The same seeds with more steps: the loss of few-step sampling."""
        truths = self.truths("evaluation")
        many = self.onsets(f"evaluation-{MANY_STEPS}", self.made("evaluation", MANY_STEPS))
        few = self.onsets(f"evaluation-{STEPS}", self.made("evaluation"))
        return {"report": _brief(many, truths), "few_against_many": relative_to(few, many, truths)}


def _brief(found: Sequence[Onsets], truths: Sequence[Truth]) -> dict[str, Any]:
    """A synchronization report without its clips."""
    report = sync_report(found, truths).to_dict()
    report.pop("per_clip")
    return report


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} cores, {platform.machine()}"
