"""Features of a video, computed once and kept by content.

    folder/<sha256 of the video>/cuts.json                      times of the cuts that were found
    folder/<sha256 of the video>/<sha256 of encoders and shots>/sync.f32, semantic.f32, runs.json

The same video under another name or at another place, another seed, prompt, span or step count, meets the same
features: no frame is decoded and no encoder runs. Another encoder or other cuts make features of their own. An entry
that was not finished (the process was killed, the disk was full) is not there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openfoley.encoders.base import frame_dim
from openfoley.errors import OutputError
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.parts import Model
from openfoley.media.frames import FrameRequest
from openfoley.media.read.opening import shown
from openfoley.media.settings import DISK_FULL
from openfoley.media.source import Source
from openfoley.media.write.atomic import TemporaryFolder, whole_file
from openfoley.synthesis.features import FeatureRun, encoded_pictures, frame_encoders
from openfoley.timeline.shots import Shot

FORMAT = 1


class FeatureStore:
    """A folder of features. Everything it gives is what it would compute."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def cuts(self, source: Source, requests: Sequence[FrameRequest] = ()) -> tuple[Fraction, ...]:
        """What `source.cuts` finds."""
        place = self._entry(source) / "cuts.json"
        kept = _read_json(place)
        if kept is not None and kept.get("format") == FORMAT:
            return tuple(Fraction(time) for time in kept["cuts"])
        cuts = tuple(source.cuts(requests))
        self._write_json(place, {"format": FORMAT, "cuts": [str(time) for time in cuts]})
        return cuts

    def runs(
        self, model: Model, source: Source, shots: Sequence[Shot], device: torch.device, first_shot: int = 0
    ) -> Iterator[FeatureRun]:
        """The features of the shots from `first_shot` on, as `features.encoded_pictures` gives them.

        The first call computes those of all shots while they are read; it must be read to the end to be kept.
        """
        place = self._entry(source) / _key(model, shots)
        if not (place / "runs.json").is_file():
            return (run for run in self._recorded(place, model, source, shots, device) if run.shot >= first_shot)
        return _replayed(place, model, device, first_shot)

    def _entry(self, source: Source) -> Path:
        return self.folder / source.content_hash

    def _recorded(
        self, place: Path, model: Model, source: Source, shots: Sequence[Shot], device: torch.device
    ) -> Iterator[FeatureRun]:
        """Compute, keep, hand on."""
        index: list[list[Any]] = []
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            folder = TemporaryFolder(place.parent)
        except OSError as error:
            raise _cannot_write(self.folder, error) from None
        unfinished = folder.path
        try:
            files = {name: open(unfinished / f"{name}.f32", "wb") for name in frame_encoders(model)}  # noqa: SIM115
            try:
                for run in encoded_pictures(model, source, shots, device):
                    files[run.name].write(run.features.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
                    index.append([run.name, run.shot, len(run.features), run.is_last])
                    yield run
            finally:
                for file in files.values():
                    file.close()
            (unfinished / "runs.json").write_text(json.dumps({"format": FORMAT, "runs": index}))
            if not place.exists():  # else another process was faster
                os.replace(unfinished, place)
        except OSError as error:
            raise _cannot_write(self.folder, error) from None
        finally:
            folder.remove()

    def _write_json(self, path: Path, value: Any) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.folder, error) from None
        with whole_file(path) as file:
            file.write(json.dumps(value).encode())


def _key(model: Model, shots: Sequence[Shot]) -> str:
    """Features depend on the encoders and on where their streams start; not on how the sound begins there."""
    edges = [str(shot.start) for shot in shots]
    return hashlib.sha256(f"{fingerprint(model, tuple(frame_encoders(model)))} {edges}".encode()).hexdigest()


def _replayed(place: Path, model: Model, device: torch.device, first_shot: int) -> Iterator[FeatureRun]:
    """The runs of a finished entry, in the order in which they were computed."""
    index = json.loads((place / "runs.json").read_text())["runs"]
    dims = {name: frame_dim(encoder) for name, encoder in frame_encoders(model).items()}
    files = {name: open(place / f"{name}.f32", "rb") for name in frame_encoders(model)}  # noqa: SIM115
    try:
        for name, shot, count, is_last in index:
            size = count * dims[name]
            if shot < first_shot:
                files[name].seek(4 * size, os.SEEK_CUR)
                continue
            values = np.frombuffer(files[name].read(4 * size), np.float32)
            features = torch.from_numpy(values.reshape(count, dims[name]).copy()).to(device)
            yield FeatureRun(name, shot, features, is_last)
    finally:
        for file in files.values():
            file.close()


def _read_json(path: Path) -> Any:
    """The file's value; None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    if error.errno in DISK_FULL:
        return OutputError(f"cannot keep features in {shown(folder)}: the disk is full; free some space and run again")
    return OutputError(f"cannot keep features in {shown(folder)}: {error.strerror}")
