"""How often a run opens its input, and how often it reads all packets.

An open is counted where the file is opened by anyone, in two ways that must both stay within the floor: by the system
(`open`, `os.open`, `Path.open`; FFmpeg is handed files that are opened so) and as a container (`av.open`, which reads
the header anew, be it from a file that is open already). A scan is a pass over the packets that neither decodes
pictures or sound nor is the final copy into the output: the one that finds the times, and any rehearsal of the mux
that reads packets for itself.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from openfoley.cli import main
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load

MakeVideo = Callable[..., Path]
DECODING = ("openfoley.media.read.decode", "openfoley.media.read.gaps")  # of pictures; of sound


@dataclass
class Counted:
    files: int = 0
    containers: int = 0
    passes: list[str] = field(default_factory=list)  # the module that began each, "copy" for the final one

    @property
    def opens(self) -> int:
        return max(self.files, self.containers)

    @property
    def scans(self) -> int:
        return sum(one != "copy" and one not in DECODING for one in self.passes)


class Watched:
    """An input container that notes who reads its packets."""

    def __init__(self, container: Any, counted: Counted) -> None:
        self._container, self._counted = container, counted

    def __getattr__(self, name: str) -> Any:
        if name in ("demux", "decode"):
            frame, module = sys._getframe(1), sys._getframe(1).f_globals["__name__"]
            while frame is not None and frame.f_globals["__name__"] != "openfoley.media.write.mux":
                frame = frame.f_back
            self._counted.passes.append(module if frame is None else "copy")
        return getattr(self._container, name)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """`with counting(path) as counted`: what is done with that file inside."""

    @contextmanager
    def count(path: Path) -> Iterator[Counted]:
        counted, real_av = Counted(), av.open

        def is_it(name: object) -> bool:
            named = os.fspath(name) if isinstance(name, (str, bytes, os.PathLike)) else None
            return named is not None and Path(os.fsdecode(named)).absolute() == path.absolute()

        def noted(real: Callable[..., Any]) -> Callable[..., Any]:
            def opened(name: Any, *arguments: Any, **options: Any) -> Any:
                file = real(name, *arguments, **options)
                counted.files += is_it(name)
                if is_it(name) and not isinstance(file, int):
                    ours.append(file)
                return file

            return opened

        def container(file: Any, *arguments: Any, **options: Any) -> Any:
            made = real_av(file, *arguments, **options)
            if is_it(file) or (callable(getattr(file, "read", None)) and _handle(file) in ours):
                counted.containers += 1
                return Watched(made, counted)
            return made

        ours: list[Any] = []
        with monkeypatch.context() as patch:
            for place, name in ((builtins, "open"), (io, "open"), (os, "open")):
                patch.setattr(place, name, noted(getattr(place, name)))
            patch.setattr(av, "open", container)
            yield counted

    return count


def _handle(file: Any) -> Any:
    """The opened file behind what FFmpeg is handed."""
    return getattr(file.read, "__self__", file)


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: MakeVideo) -> Path:
    return make_video("clip.mp4", duration_s=2.0, sound=True)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".wav"])
def test_a_short_generation_opens_its_input_three_times(counting, pipeline, video, tmp_path, suffix) -> None:
    with counting(video) as counted:
        pipeline.generate(video, steps=1).save(tmp_path / f"out{suffix}")
    assert counted.opens <= 3 and counted.scans == 1, counted


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mov", "clip.ts"])
def test_so_does_one_of_another_container(counting, pipeline, video, tmp_path, name) -> None:
    path = remuxed(video, tmp_path / name)
    with counting(path) as counted:
        pipeline.generate(path, steps=1).save(tmp_path / "out.mkv")
    assert counted.opens <= 3 and counted.scans == 1, counted


def remuxed(video: Path, path: Path) -> Path:
    with av.open(str(video)) as old, av.open(str(path), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    return path


@pytest.mark.parametrize("out", [[], ["--out", "new.mov"], ["--out", "new.wav"], ["--takes", "2"]])
def test_so_does_the_command(counting, tiny_model, video, tmp_path, monkeypatch, out) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "clip.mp4"
    path.write_bytes(video.read_bytes())
    with counting(path) as counted:
        assert main(["generate", "--model", str(tiny_model), "--steps", "1", str(path), *out]) == 0
    assert counted.opens <= 3 + out.count("--takes") and counted.scans == 1, counted  # a copy for each take


def test_so_does_each_of_a_batch_and_none_that_is_done(counting, tiny_model, video, tmp_path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(video.read_bytes())
    words = ["generate", "--model", str(tiny_model), "--steps", "1", str(path), "--out-dir", str(tmp_path / "out")]
    with counting(path) as counted:
        assert main(words) == 0
    assert counted.opens <= 3 and counted.scans == 1, counted
    with counting(path) as counted:
        assert main(words) == 0
    assert counted.opens == 0, counted


def keep_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a file that is longer than what is kept of its pictures."""
    real = Source.__init__
    monkeypatch.setattr(Source, "__init__", lambda self, *given: real(self, *given[:3], 1000))


def test_a_long_run_opens_its_input_four_times(counting, tiny_model, video, tmp_path, monkeypatch) -> None:
    """Longer than what is kept of its pictures, with a folder for unfinished work."""
    keep_no_pictures(monkeypatch)
    words = ["--model", str(tiny_model), "--steps", "1", "--window", "1", "--context", "0.2"]
    with counting(video) as counted:
        assert main(["generate", *words, str(video), "--out", str(tmp_path / "out.mkv")]) == 0
    assert counted.opens <= 4 and counted.scans == 1, counted
    assert counted.passes.count("openfoley.media.read.decode") == 2


def test_an_edit_opens_its_input_three_times(counting, pipeline, tiny_model, video, tmp_path) -> None:
    with counting(video) as counted:
        pipeline.edit(video, (0.5, 1.0), steps=1).save(tmp_path / "out.mov")
    assert counted.opens <= 3 and counted.scans == 1, counted
    words = ["--model", str(tiny_model), "--steps", "1", "--span", "0.5", "1.0"]
    with counting(video) as counted:
        assert main(["edit", *words, str(video), "--out", str(tmp_path / "new.mov")]) == 0
    assert counted.opens <= 3 and counted.scans == 1, counted


def test_an_edit_of_a_sound_beside_the_video(counting, pipeline, tiny_model, video, tmp_path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, np.random.default_rng(0).uniform(-0.3, 0.3, (88200, 2)), 44100)
    for path in (video, sound):
        with counting(path) as counted:
            pipeline.edit(video, (0.5, 1.0), sound=sound, steps=1).save(tmp_path / f"{path.stem}.mov")
        assert counted.opens <= 4 and counted.scans <= 1, counted
        words = ["--model", str(tiny_model), "--steps", "1", "--span", "0.5", "1.0", "--sound", str(sound)]
        with counting(path) as counted:
            assert main(["edit", *words, str(video), "--out", str(tmp_path / f"new-{path.stem}.wav")]) == 0
        assert counted.opens <= 4 and counted.scans <= 1, counted


def test_an_edit_of_a_long_file_opens_it_four_times(counting, tiny_model, video, tmp_path, monkeypatch) -> None:
    """The scan, which also decodes the sound, a pass for the cuts, one for the features, and the copy."""
    keep_no_pictures(monkeypatch)
    words = ["--model", str(tiny_model), "--steps", "1", "--window", "1", "--context", "0.2", "--span", "0.2", "1.8"]
    with counting(video) as counted:
        assert main(["edit", *words, str(video), "--out", str(tmp_path / "out.mkv")]) == 0
    assert counted.opens <= 4 and counted.scans == 1, counted
