"""How far decoded AAC, Opus and AC-3 rise above the limiter's ceiling: python benchmarks/lossy_peaks.py [SOUND ...].

Full-scale square waves and clipped noise (the worst that was found), and sound files raised by GAIN_DB above their
peak; each through the limiter and a file of each lossy format, then decoded. One line a sound: true peak in dBTP and
number of samples beyond full scale for each format.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from openfoley.media.limiter import Limiter, true_peak_dbtp
from openfoley.media.read.sound_file import read_audio
from openfoley.media.write.encode import write_video
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.sound_track import ceiling_dbtp

RATE, SECONDS, GAIN_DB = 44100, 1, 12.0
SUFFIXES = (".mp4", ".webm", ".mts")
SQUARES_HZ = (60, 220, 441, 700, 997, 1500, 2205, 3150, 5000, 7350)


def hot_sounds() -> dict[str, Tensor]:
    time = torch.arange(RATE * SECONDS) / RATE
    noise = torch.randn(2, len(time), generator=torch.Generator().manual_seed(1))
    sounds = {f"square {f} Hz": 1.5 * torch.sign(torch.sin(2 * torch.pi * f * time)).repeat(2, 1) for f in SQUARES_HZ}
    return {**sounds, "clipped noise": (20 * noise).clamp(-1.5, 1.5), "noise": 4 * noise}


def decoded(sound: Tensor, rate: int, folder: Path, suffix: str) -> Tensor:
    """The sound after limiter, encoder and decoder."""
    pictures = folder / f"picture{suffix}.mkv"
    if not pictures.exists():
        codec, options = ("libvpx-vp9", {"deadline": "realtime"}) if suffix == ".webm" else ("libx264", {})
        write_video(
            pictures, [torch.zeros(25, 3, 64, 64, dtype=torch.uint8)], Fraction(25), codec=codec, options=options
        )
    limiter = Limiter(rate, sound.shape[0], ceiling_dbtp(suffix))
    out = folder / f"out{suffix}"
    mux(pictures, iter([limiter.push(sound), limiter.flush()]), NewSound(rate, channels=sound.shape[0]), out)
    return read_audio(out).samples


def main() -> None:
    logging.disable(logging.WARNING)
    sounds = {name: (sound, RATE) for name, sound in hot_sounds().items()}
    for path in map(Path, sys.argv[1:]):
        audio = read_audio(path)
        if (peak := float(audio.samples.abs().max())) > 0:
            sounds[path.name] = (audio.samples / peak * 10 ** (GAIN_DB / 20), audio.sample_rate)
    with tempfile.TemporaryDirectory() as folder:
        for name, (sound, rate) in sounds.items():
            found = []
            for suffix in SUFFIXES:
                after = decoded(sound, rate, Path(folder), suffix)
                beyond = int((after.abs() > 1).sum())
                found.append(f"{suffix} {true_peak_dbtp(after, rate):6.2f} dBTP, {beyond} beyond full scale")
            print(f"{name}: {'; '.join(found)}", flush=True)


if __name__ == "__main__":
    main()
