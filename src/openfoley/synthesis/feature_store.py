"""Features of a video, computed once and kept by content.

    folder/<sha256 of the video>/cuts.json                      times of the cuts that were found
    folder/<sha256 of the video>/<sha256 of encoders and shots>/sync.f32, semantic.f32, runs.json

The same video under another name or at another place, another seed, prompt, span or step count, meets the same
features: no frame is decoded and no encoder runs. Another encoder or other cuts make features of their own. An entry
that was not finished (the process was killed, the disk was full) is not there.

Of a selective encoder the trunk is kept, so that other words select from it at once. SelVA's has 15 MB a second, to the
bit as computed (float16 would halve it, and a second take would differ from the first). So there is a limit for each
video, `MOST_BYTES`: features beyond it are not kept but computed again by every take, and features for other cuts or
another model displace those used longest ago.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openfoley.encoders.base import MaskedPooling, frame_dim
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

logger = logging.getLogger(__name__)
FORMAT = 1
MOST_BYTES = 2_000_000_000  # of a video: 2 min of SelVA's trunk, over an hour of the Gym's selective encoder
NUMBER_BYTES = 4  # float32


class FeatureStore:
    """A folder of features. Everything it gives is what it would compute. most_bytes: kept of one video."""

    def __init__(self, folder: str | os.PathLike[str], most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = Path(folder), most_bytes

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
        if (place / "runs.json").is_file():
            with suppress(OSError):
                os.utime(place / "runs.json")  # it is used now: others are displaced first
            return _replayed(place, model, device, first_shot)
        if not self.keeps(model, source):
            logger.warning(
                "the features of this video have %.1f GB, and up to %.1f GB are kept: every take encodes its pictures "
                "again; a shorter video is encoded once", _bytes(model, source) / 1e9, self.most_bytes / 1e9,
            )  # fmt: skip
            return encoded_pictures(model, source, shots, device, first_shot)
        _make_room(place.parent, self.most_bytes - _bytes(model, source))
        return (run for run in self._recorded(place, model, source, shots, device) if run.shot >= first_shot)

    def keeps(self, model: Model, source: Source) -> bool:
        """Whether the features of a video are within the limit."""
        return _bytes(model, source) <= self.most_bytes

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
    edges += [f"tokens of {name}" for name, one in frame_encoders(model).items() if isinstance(one, MaskedPooling)]
    return hashlib.sha256(f"{fingerprint(model, tuple(frame_encoders(model)))} {edges}".encode()).hexdigest()


def _bytes(model: Model, source: Source) -> int:
    """How much the features of a video take, about."""
    a_second = sum(frame_dim(one) * one.outputs.rate for one in frame_encoders(model).values())
    return int(NUMBER_BYTES * a_second * source.info.duration)


def _make_room(entry: Path, room: int) -> None:
    """Remove what was used longest ago of a video's features, until the rest has at most `room` bytes."""
    kept = sorted(entry.glob("*/runs.json"), key=lambda index: index.stat().st_mtime_ns)
    sizes = [sum(file.stat().st_size for file in index.parent.iterdir()) for index in kept]
    while sum(sizes) > room:
        kept[0].unlink(missing_ok=True)  # without it the entry is not there
        shutil.rmtree(kept.pop(0).parent, ignore_errors=True)
        sizes.pop(0)


def _replayed(place: Path, model: Model, device: torch.device, first_shot: int) -> Iterator[FeatureRun]:
    """The runs of a finished entry, in the order in which they were computed."""
    index = json.loads((place / "runs.json").read_text())["runs"]
    dims = {name: frame_dim(encoder) for name, encoder in frame_encoders(model).items()}
    files = {name: open(place / f"{name}.f32", "rb") for name in frame_encoders(model)}  # noqa: SIM115
    try:
        for name, shot, count, is_last in index:
            size = count * dims[name]
            if shot < first_shot:
                files[name].seek(NUMBER_BYTES * size, os.SEEK_CUR)
                continue
            values = np.frombuffer(files[name].read(NUMBER_BYTES * size), np.float32)
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
