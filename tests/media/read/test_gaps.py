"""Holes in a recording stay holes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numbered_videos import write_numbered

from openfoley.media.read.gaps import Gaps
from openfoley.media.read.sound_file import read_audio
from openfoley.media.read.sound_source import sound_source
from openfoley.media.source import Source

RATE = 48_000


def with_a_hole(path: Path, hole_s: float) -> Path:
    """1 s of noise in pieces of 20 ms in a Matroska file, with a hole behind the first half."""
    noise = np.random.default_rng(0).integers(-9000, 9000, (1, RATE), dtype=np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for first in range(0, RATE, 960):
            frame = av.AudioFrame.from_ndarray(noise[:, first : first + 960], "s16", "mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = first + (round(hole_s * RATE) if first >= RATE // 2 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_sound_after_a_gap_stays_at_its_time(tmp_path: Path) -> None:
    whole = read_audio(with_a_hole(tmp_path / "whole.mkv", 0.0)).samples
    path = with_a_hole(tmp_path / "hole.mkv", 0.5)
    for read in (read_audio(path).samples, torch.cat(list(sound_source(path).chunks()), -1)):
        assert read.shape[-1] == RATE * 3 // 2
        assert torch.equal(read[:, : RATE // 2], whole[:, : RATE // 2]) and torch.equal(
            read[:, RATE:], whole[:, RATE // 2 :]
        )
        assert not read[:, RATE // 2 : RATE].any()


def test_a_slow_clock_is_no_hole_and_a_jump_of_hours_is_not_believed() -> None:
    def missing(every_s: float, jump_s: float = 0.0) -> list[int]:
        """In front of 20 frames of 20 ms, with a jump in the middle."""
        gaps = Gaps()
        times = [Fraction(round((k * every_s + (jump_s if k > 9 else 0)) * 1e6), 1_000_000) for k in range(20)]
        return [gaps.before(time, 960, RATE) for time in times]

    assert not any(missing(0.021))  # five percent: 19 ms in these frames, 12 s in four minutes
    assert missing(0.02, 0.3)[10] == 0.3 * RATE
    assert missing(0.0199, 0.3)[10] == round(0.2999 * RATE)  # a fast clock hides none
    assert not any(missing(0.02, 36_000.0))


def test_times_that_are_only_rounded_are_no_hole(tmp_path: Path) -> None:
    path = with_a_hole(tmp_path / "a.mkv", 0.004)
    assert read_audio(path).samples.shape[-1] == RATE
    assert torch.cat(list(sound_source(path).chunks()), -1).shape[-1] == RATE


@pytest.mark.parametrize("frames", [(40, 50), (20, 50), (50, 25)])
def test_the_sound_behind_a_join_stays_with_its_picture(tmp_path: Path, frames: tuple[int, int]) -> None:
    """Of each part the sound lasts 1 s; the second part begins where the picture of the first ends."""
    parts = []
    for count in frames:
        parts.append(write_numbered(tmp_path / f"{count}.ts", list(range(count)), Fraction(1, 25), sound=True))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    alone, at = read_audio(parts[1]).samples, frames[0] * 44100 // 25
    kept = 44100 - min(44100, at) + 4096  # what the first part's sound covers, and the encoder's first frames
    for read in (read_audio(joined).samples, torch.cat(list(sound_source(joined).chunks()), -1)):
        assert abs(read.shape[-1] - at - alone.shape[-1]) <= 1
        apart = [(read[:, at + d + kept : at + d + 40000] - alone[:, kept:40000]).abs().max() for d in (-1, 0, 1)]
        assert min(apart) < 1e-3
        if at > 44100 + 6000:
            assert not read[:, 44100 + 4096 : at - 1024].any() and read[:, at + 4096 : at + 40000].abs().max() > 0.09


@pytest.mark.parametrize("kind", ["plain", "late", "hole", "joined"])
def test_the_sound_of_the_scan_is_that_of_a_pass_of_its_own(tmp_path: Path, kind: str) -> None:
    """late: the picture begins 0.4 s after the sound, in ASF; WMA's decoder keeps a frame back to the end."""
    path = write_numbered(tmp_path / "a.ts", list(range(40)), Fraction(1, 25), sound=True)
    if kind == "joined":
        path.write_bytes(2 * path.read_bytes())
    elif kind != "plain":
        path = remuxed(path, tmp_path / "b.asf", late=kind == "late")
    source = Source.file(path, with_sound=True)
    kept = source.sound()
    alone = sound_source(path, None, source.timeline)
    samples = torch.cat(list(kept.chunks()), -1)
    assert kept.samples is source.sound().samples and samples.abs().max() > 0.05
    assert torch.equal(samples, torch.cat(list(alone.chunks()), -1)) and kept.bit_depth == alone.bit_depth
    missing = {"plain": 0, "late": -17640, "hole": 22050, "joined": 70560}[kind]
    assert abs(samples.shape[-1] - 44100 - missing) < 3000


def remuxed(path: Path, out: Path, late: bool) -> Path:
    """The file with a picture that begins 0.4 s later, or a sound that is interrupted for 0.5 s; WMA for AAC."""
    sound = torch.cat(list(sound_source(path).chunks()), -1).numpy()
    with av.open(str(path)) as old, av.open(str(out), "w") as new:
        picture = new.add_stream_from_template(old.streams.video[0])
        track = new.add_stream("wmav2", rate=44100, layout="stereo")
        track.codec_context.bit_rate, track.codec_context.format = 128_000, "fltp"
        for packet in old.demux(video=0):
            if packet.size:
                start = old.streams.video[0].start_time
                packet.pts, packet.dts = packet.pts - start + 36000 * late, packet.dts - start + 36000 * late
                packet.stream = picture
                new.mux(packet)
        for first in range(0, sound.shape[1] - 2048, 2048):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, first : first + 2048]), "fltp", "stereo")
            frame.sample_rate, frame.time_base = 44100, Fraction(1, 44100)
            frame.pts = first + (22050 if first > 20000 and not late else 0)
            new.mux(track.encode(frame))
        new.mux(track.encode(None))
    return out
