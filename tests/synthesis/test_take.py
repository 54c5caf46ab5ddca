"""What leaves through `save`: formats, lengths, peaks, nothing partial."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest
import soundfile
import torch

from openfoley.errors import UsageError
from openfoley.media.limiter import true_peak_dbtp
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import Source
from openfoley.media.write.outputs import default_output, take_paths
from openfoley.request import Request, check_takes
from openfoley.synthesis.take import Take

RATE = 44100


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("with sound.mp4", duration_s=1.5, sound=True)


@pytest.fixture
def take(video: Path) -> Take:
    """1.5 s that clip by far in the middle and are quiet elsewhere."""
    time = torch.arange(int(1.5 * RATE)) / RATE
    loud = 0.01 + 3.0 * ((time > 0.6) & (time < 0.7))
    samples = SampleFile()
    samples.append((torch.sin(2 * torch.pi * 997 * time) * loud).expand(2, -1))
    samples.close()
    return Take(Request.of(steps=8, guidance=4.0, seed=1), "tiny", Source.file(video), RATE, samples)


@pytest.mark.parametrize("bits", ["16", "24", "32f"])
def test_wav_keeps_length_and_stays_below_minus_one_dbtp(take: Take, tmp_path: Path, bits: str) -> None:
    path = take.save(tmp_path / "out.wav", bit_depth=bits)  # type: ignore[arg-type]
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE and samples.shape == (int(1.5 * RATE), 2)
    assert soundfile.info(path).subtype == {"16": "PCM_16", "24": "PCM_24", "32f": "FLOAT"}[bits]
    assert true_peak_dbtp(torch.from_numpy(samples.T.copy()), RATE) <= -1.0 + 1e-3


def test_quiet_sound_is_not_made_louder(take: Take, tmp_path: Path) -> None:
    samples, _ = soundfile.read(take.save(tmp_path / "out.wav", bit_depth="32f"), dtype="float32")
    early = slice(0, int(0.4 * RATE))
    torch.testing.assert_close(
        torch.from_numpy(samples[early].T.copy()), take.audio.samples[:, early], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("rate", [8000, 48000, 96000])
def test_sample_rate_is_converted_with_exact_length(take: Take, tmp_path: Path, rate: int) -> None:
    path = take.save(tmp_path / "out.flac", sample_rate=rate)
    info = soundfile.info(path)
    assert info.samplerate == rate and info.frames == round(1.5 * rate)
    samples, _ = soundfile.read(path, dtype="float32")
    assert true_peak_dbtp(torch.from_numpy(samples.T.copy()), rate) <= -1.0 + 1e-2


@pytest.mark.parametrize(("mode", "sounds"), [("add", 2), ("replace", 1)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_video_keeps_its_picture_and_gains_the_sound(
    take: Take, tmp_path: Path, mode: str, sounds: int, suffix: str
) -> None:
    path = take.save(tmp_path / f"out{suffix}", audio=mode)  # type: ignore[arg-type]
    with av.open(str(path)) as container, av.open(str(take.source.path)) as source:
        assert len(container.streams.audio) == sounds
        copied = [bytes(p) for p in container.demux(video=0) if p.size]
        assert copied == [bytes(p) for p in source.demux(video=0) if p.size]


def test_existing_file_needs_force(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_text("mine")
    with pytest.raises(UsageError):
        take.save(path)
    assert path.read_text() == "mine"
    take.save(path, force=True)
    assert soundfile.info(path).frames == int(1.5 * RATE)


@pytest.mark.parametrize(
    "settings", [{"sample_rate": 7999}, {"sample_rate": 192001}, {"bit_depth": "8"}, {"audio": "mix"}]
)
def test_settings_out_of_range_are_refused_and_leave_nothing(take: Take, tmp_path: Path, settings: dict) -> None:
    with pytest.raises(UsageError):
        take.save(tmp_path / "out.wav", **settings)
    assert list(tmp_path.iterdir()) == []


def test_flac_does_not_hold_floating_point(take: Take, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FLAC"):
        take.save(tmp_path / "out.flac", bit_depth="32f")


def test_output_names() -> None:
    assert default_output(Path("a/b c.mov")) == Path("a/b c.foley.mov")
    assert default_output(Path("a/b.avi")) == Path("a/b.foley.avi")
    assert default_output(Path("a/b.flv")) == Path("a/b.foley.mkv")
    assert take_paths(Path("x.y.mp4"), 1) == [Path("x.y.mp4")]
    assert take_paths(Path("x.y.mp4"), 2) == [Path("x.y.take01.mp4"), Path("x.y.take02.mp4")]
    with pytest.raises(UsageError, match="takes"):
        check_takes(100)
