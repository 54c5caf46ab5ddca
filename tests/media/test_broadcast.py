"""Broadcast Wave: what a recorder wrote beside the samples is in the file that is written of them again."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from openfoley.media.broadcast import NO_NOTES, SoundNotes, sound_notes
from openfoley.media.read.sound_source import sound_source
from openfoley.media.time.timecode import parse_timecode
from openfoley.media.write.sound_file import AudioWriter

MIDNIGHT_SAMPLES = 10 * 3600 * 48000 + 5_000_000_000  # beyond 32 bits
IXML = (
    b'<?xml version="1.0"?><BWFXML><SCENE>12A</SCENE><SPEED><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>1</TIMESTAMP_SAMPLES'
    b"_SINCE_MIDNIGHT_HI><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>2</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED></BWFXML>"
)


def extension(version: int = 1, history: bytes = b"A=PCM,F=48000\r\n") -> bytes:
    body = b"Scene 12A take 3".ljust(256, b"\0") + b"Recorder".ljust(32, b"\0") + b"REC0001".ljust(32, b"\0")
    body += b"2024-05-06" + b"07:08:09" + struct.pack("<QH", MIDNIGHT_SAMPLES, version) + bytes(range(64))
    return body + struct.pack("<5h", -2300, 800, -100, -2000, -2100) + bytes(180) + history


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def recording(path: Path, bext: bytes, seconds: int = 3, form: bytes = b"RIFF") -> Path:
    """16 bit mono at 48 kHz, its iXML behind the samples as recorders put it. form: RF64 has sizes in ds64."""
    data = np.random.default_rng(0).integers(-9000, 9000, seconds * 48000).astype("<i2").tobytes()
    fmt = struct.pack("<HHIIHH", 1, 1, 48000, 96000, 2, 16)
    samples = chunk(b"data", data)
    if form == b"RF64":
        samples = b"data" + b"\xff" * 4 + data
    parts = chunk(b"bext", bext) + chunk(b"fmt ", fmt) + chunk(b"PEAK", bytes(16)) + samples + chunk(b"iXML", IXML)
    if form == b"RF64":
        parts = chunk(b"ds64", struct.pack("<QQQI", len(parts) + 40, len(data), 0, 0)) + parts
    path.write_bytes(form + struct.pack("<I", 4 + len(parts) if form == b"RIFF" else 2**32 - 1) + b"WAVE" + parts)
    return path


def chunks(path: Path) -> dict[bytes, bytes]:
    data, position, found = path.read_bytes(), 12, {}
    while position < len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        found[kind] = data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    return found


def written(path: Path, notes: SoundNotes, start: str | None = None) -> Path:
    code = None if start is None else parse_timecode(start, Fraction(25))
    with AudioWriter(path, 48000, 1, "16", code, notes) as writer:
        writer.write(torch.zeros(1, 4801))
    return path


@pytest.mark.parametrize("form", [b"RIFF", b"RF64"])
def test_every_described_chunk_is_kept_and_what_describes_old_samples_is_not(tmp_path: Path, form: bytes) -> None:
    notes = sound_source(recording(tmp_path / "a.wav", extension(), form=form)).notes
    found = chunks(written(tmp_path / "b.wav", notes))
    assert found[b"bext"] == extension() and found[b"iXML"] == IXML and b"PEAK" not in found
    with av.open(str(tmp_path / "b.wav")) as container:
        assert container.metadata["time_reference"] == str(MIDNIGHT_SAMPLES)
        assert container.metadata["comment"] == "Scene 12A take 3" and container.metadata["encoded_by"] == "Recorder"
        assert sum(frame.samples for frame in container.decode(audio=0)) == 4801


def test_a_given_start_replaces_the_time_in_both_chunks_and_nothing_else(tmp_path: Path) -> None:
    notes = sound_source(recording(tmp_path / "a.wav", extension())).notes
    found = chunks(written(tmp_path / "b.wav", notes, "12:00:00:00"))
    assert found[b"bext"] == extension().replace(
        struct.pack("<Q", MIDNIGHT_SAMPLES), struct.pack("<Q", 12 * 3600 * 48000)
    )
    assert b"_LO>2073600000<" in found[b"iXML"] and b"_HI>0<" in found[b"iXML"] and b"12A" in found[b"iXML"]


def test_the_loudness_of_another_sound_is_not_claimed(tmp_path: Path) -> None:
    notes = sound_source(recording(tmp_path / "a.wav", extension(version=2))).notes
    bext = chunks(written(tmp_path / "b.wav", notes))[b"bext"]
    assert struct.unpack_from("<5H", bext, 412) == (0x7FFF,) * 5
    assert bext[:412] + bext[422:] == extension(version=2)[:412] + extension(version=2)[422:]


def test_flac_keeps_it_as_tags_and_gives_it_back(tmp_path: Path) -> None:
    notes = sound_source(recording(tmp_path / "a.wav", extension())).notes
    flac = sound_source(written(tmp_path / "b.flac", notes)).notes
    assert flac.time_reference == MIDNIGHT_SAMPLES
    fields = {key.lower(): value for key, value in flac.tags.items()}
    assert fields["originator"] == "Recorder" and fields["originator_reference"] == "REC0001"
    assert (fields["comment"], fields["origination_date"]) == ("Scene 12A take 3", "2024-05-06")
    found = chunks(written(tmp_path / "c.wav", flac))
    assert found[b"bext"][:338] == extension()[:338] and found[b"iXML"] == IXML
    assert struct.unpack_from("<Q", found[b"bext"], 338) == (MIDNIGHT_SAMPLES,)
    again = sound_source(written(tmp_path / "d.flac", flac, "12:00:00:00")).notes
    assert again.time_reference == 12 * 3600 * 48000


@pytest.mark.parametrize("cut", [3, 30, 600, 900])
def test_a_file_that_ends_within_a_chunk_gives_the_chunks_before(tmp_path: Path, cut: int) -> None:
    path = recording(tmp_path / "a.wav", extension())
    path.write_bytes(path.read_bytes()[:cut])
    notes = sound_notes(io.BytesIO(path.read_bytes()), "wav", {})
    assert notes.chunks == (((b"bext", extension()),) if cut > 690 else ())
    assert sound_notes(io.BytesIO(path.read_bytes()), "mov,mp4,m4a,3gp,3g2,mj2", {"title": "film"}) == NO_NOTES


def test_titles_of_a_sound_that_is_no_broadcast_wave_are_kept(tmp_path: Path) -> None:
    """A year is no date of recording, and without a time reference there is no bext chunk."""
    notes = SoundNotes(tags={"date": "2024", "comment": "Rain"})
    assert b"bext" not in chunks(written(tmp_path / "a.wav", notes))
    body = chunks(written(tmp_path / "b.wav", notes, "01:00:00:00"))[b"bext"]
    assert body[:5] == b"Rain\0" and body[256:266] == b"OpenFoley\0" and body[320:338] == bytes(18)
