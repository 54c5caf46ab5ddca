"""From the chosen takes to the delivered files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openfoley.errors import MediaError
from openfoley.media.read.opening import open_media, shown
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import Source
from openfoley.media.write.outputs import check_saving
from openfoley.projects import mix
from openfoley.projects.history import start_of
from openfoley.projects.record import Record
from openfoley.request import Output
from openfoley.synthesis.stems import save_stems, unnamed_stem
from openfoley.synthesis.take import Take


def render(folder: Path, record: Record, source: Source, out: Path, output: Output, stems: bool) -> list[Path]:
    """Write the mix to `out`, and with `stems` each stem beside it; returns the paths written, the mix first."""
    check_saving(out, source.path, output.bit_depth, output.force)
    rate, channels = sound_of(folder, record)
    total = mix.sample_at(record.video.duration, rate)
    names, takes = record.stems, {}
    unnamed = unnamed_stem([name for name in names if name])
    if record.video.start_timecode is not None:  # counted as the video's file counts
        output = replace(output, start_timecode=str(start_of(record).at(source.counted_rate)))
    request = replace(record.request, output=output)
    for name in names:
        samples = SampleFile(channels)
        for piece in mix.mixed(folder, record.layers(name), rate, channels, total):
            samples.append(piece)
        samples.close()
        takes[name or unnamed] = Take(request, record.model.name, source, rate, samples)
    return [out, *save_stems(takes, out, output, write_stems=stems).values()]


def sound_of(folder: Path, record: Record) -> tuple[int, int]:
    """Sample rate (Hz) and channels of the takes in the mix."""
    found = set()
    for take in record.mix:
        mix.check_take(folder, take)
        with open_media(folder / take.file) as container:
            stream = container.streams.audio[0]
            found.add((stream.rate, stream.channels))
    if len(found) != 1:
        raise MediaError(f"the takes of {shown(folder)} differ in sample rate or channels; choose takes of one model")
    return found.pop()
