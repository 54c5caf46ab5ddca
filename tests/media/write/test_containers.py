"""Transport streams, AVI, MXF and 3GP: the picture's packets as they were, the sound on its first shown frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import probe, write_numbered

from openfoley.errors import UsageError
from openfoley.media.limiter import Limiter, true_peak_dbtp
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.outputs import default_output
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.media.write.sound_track import ceiling_dbtp

CASES = [
    ("a.ts", "libx264", "aac", {}),
    ("a.ts", "libx265", "aac", {"first": 11}),
    ("a.m2t", "mpeg2video", "aac", {"options": {"bf": "2"}}),
    ("a.MTS", "libx264", "ac3", {}),
    ("a.m2ts", "libx264", "ac3", {"first": 11}),
    ("a.avi", "mjpeg", "pcm_s24le", {"pixel_format": "yuvj420p"}),
    ("a.avi", "mpeg4", "pcm_s24le", {"options": {"bf": "2"}}),  # the first picture is shown one frame late
    ("a.mxf", "mpeg2video", "pcm_s24le", {"options": {"bf": "2"}}),
    ("a.3gp", "libx264", "aac", {}),
    ("a.3g2", "mpeg4", "aac", {}),
]
MUXERS = {".m2t": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts"}


def rehearse(path: Path, output: str | Path) -> None:
    Source.file(path, rehearsal=Rehearsal(Path(output), "add"))


def packets(path: Path, kind: str = "video") -> list[tuple[bytes, Fraction | None]]:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [p for p in container.demux(stream) if p.size]
        return [(bytes(p), p.pts * p.time_base if p.pts is not None else None) for p in found]


def video(folder: Path, name: str, codec: str, first: int = 0, **more) -> Path:
    path = folder / name
    muxer = MUXERS.get(path.suffix.lower())
    plain = path if muxer is None else folder / "plain.ts"
    write_numbered(plain, list(range(first, first + 40)), Fraction(1, 25), codec=codec, last_duration=1, **more)
    return plain.rename(path)


def sound(seconds: float = 1.6, rate: int = 48000) -> torch.Tensor:
    samples = torch.zeros(2, round(seconds * rate))
    samples[:, rate // 2] = 0.5
    return samples


@pytest.mark.parametrize(("name", "codec", "sound_codec", "more"), CASES)
def test_a_file_of_its_own_kind_keeps_its_packets_and_plays_in_time(tmp_path, name, codec, sound_codec, more):
    source = video(tmp_path, name, codec, **more)
    out = default_output(source)
    assert out.suffix == source.suffix
    rehearse(source, out)
    mux(source, iter(sound().split(5000, dim=1)), NewSound(48000), out)
    before, after = packets(source), packets(out)
    assert [p[0] for p in after] == [p[0] for p in before]
    times = [
        [p[1] - min(p[1] for p in one if p[1] is not None) for p in one if p[1] is not None] for one in (before, after)
    ]
    assert times[0] == times[1] and len(times[0]) > 20
    assert (probe(out).duration, probe(out).frame_rate) == (probe(source).duration, probe(source).frame_rate)
    heard = read_audio(out, stream=-1)
    assert heard.samples.abs().argmax(dim=1).tolist() == [24000] * 2
    with av.open(str(out)) as container:
        assert container.streams.audio[-1].codec_context.codec.canonical_name == sound_codec
    again = out.with_name("again" + out.suffix)
    mux(source, iter([sound()]), NewSound(48000), again)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("name", ["a.ts", "a.avi", "a.3gp"])
@pytest.mark.parametrize("mode", ["add", "replace"])
def test_the_files_own_sound_is_copied_or_left_out(tmp_path, name, mode):
    source = video(tmp_path, name, "mpeg4", sound=True)
    out = tmp_path / f"o{source.suffix}"
    mux(source, iter([sound()]), NewSound(48000, mode), out)
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == (2 if mode == "add" else 1)
    if mode == "add":
        assert [p[0] for p in packets(out, "audio")] == [p[0] for p in packets(source, "audio")]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "suffix"),
    [
        ("a.mp4", "libx264", "yuv420p", ".avi"),
        ("a.mp4", "mpeg2video", "yuv420p", ".mxf"),
        ("a.mov", "prores_ks", "yuv422p10le", ".ts"),
        ("a.mkv", "libvpx-vp9", "yuv420p", ".m2ts"),
        ("a.mkv", "ffv1", "yuv420p", ".3gp"),
        ("a.avi", "rawvideo", "yuv420p", ".mov"),
    ],
)
def test_what_a_container_cannot_hold_is_refused_before_the_work(tmp_path, name, codec, pixel_format, suffix):
    """A container that counts frames tells no times; a transport stream would hide an unknown codec as private data."""
    source = video(tmp_path, name, codec, pixel_format=pixel_format)
    with pytest.raises(UsageError, match=rf"\{suffix} cannot hold the .* picture .*; write {source.suffix} with --out"):
        rehearse(source, f"out{suffix}")


def test_raw_pictures_of_quicktime_itself_stay_decodable(tmp_path):
    source, out = video(tmp_path, "a.mov", "rawvideo", pixel_format="uyvy422"), tmp_path / "out.mov"
    rehearse(source, out)
    mux(source, iter([sound()]), NewSound(48000), out)
    with av.open(str(out)) as container:
        assert [frame.format.name for frame in container.decode(video=0)] == ["uyvy422"] * 40
    assert [data for data, _ in packets(out)] == [data for data, _ in packets(source)]


def test_mp4_becomes_a_transport_stream_that_plays_in_time(tmp_path):
    source = video(tmp_path, "a.mp4", "libx264", sound=True)
    mux(source, iter([sound()]), NewSound(48000), tmp_path / "o.ts")
    times = [p[1] for p in packets(tmp_path / "o.ts")]
    assert [t - min(times) for t in times] == [p[1] for p in packets(source)]
    assert read_audio(tmp_path / "o.ts", stream=-1).samples[0].abs().argmax() == 24000


@pytest.mark.parametrize(("rate", "start"), [(Fraction(25), "10:00:00:00"), (Fraction(30000, 1001), "00:59:59;28")])
def test_mxf_keeps_its_timecode_and_has_a_number_of_its_own(tmp_path, rate, start):
    path = tmp_path / "a.mxf"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg2video", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.metadata["timecode"] = start
        for number in range(10):
            frame = av.VideoFrame(128, 64, "yuv420p")
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    numbers = set()
    for level in (0.1, 0.2):
        mux(path, iter([torch.full((2, 14700), level)]), NewSound(44100, bit_depth="16"), tmp_path / "o.mxf")
        with av.open(str(tmp_path / "o.mxf")) as container:
            assert container.metadata["timecode"] == start
            assert container.streams.audio[0].rate == 48000
            numbers.add(container.metadata["material_package_umid"])
    assert len(numbers) == 2 and not any(number.endswith("0" * 30) for number in numbers)


CODES = [
    (Fraction(25), "10:00:00:24"),
    (Fraction(24000, 1001), "23:59:59:23"),
    (Fraction(30000, 1001), "01:02:03;04"),
    (Fraction(30000, 1001), "01:02:03:04"),
    (Fraction(60000, 1001), "09:59:59;59"),
    (Fraction(60000, 1001), "01:02:03:44"),
]


@pytest.mark.parametrize(("rate", "start"), CODES)
@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mxf", "mpeg2video", "yuv420p"),
    ],
)
def test_a_given_timecode_is_in_the_file_at_every_rate(tmp_path, name, codec, pixel_format, rate, start):
    source = Source.file(constant(tmp_path / name, codec, pixel_format, rate))
    out = tmp_path / f"o{Path(name).suffix}"
    mux(source.path, iter([torch.zeros(2, 4800)]), NewSound(48000, start=source.timecode(start)), out, source.timeline)
    with av.open(str(out)) as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    found = {value for one in tags for key, value in one.items() if key.lower() == "timecode"}
    assert found == {start} and str(Source.file(out).start_timecode) == start


@pytest.mark.parametrize("suffix", [".ts", ".m2ts", ".3gp"])
def test_a_timecode_that_the_container_cannot_hold_is_reported(tmp_path, suffix, caplog):
    source = Source.file(constant(tmp_path / "a.mp4", "libx264", "yuv420p", Fraction(25)))
    new = NewSound(48000, start=source.timecode("01:00:00:00"))
    mux(source.path, iter([torch.zeros(2, 4800)]), new, tmp_path / f"o{suffix}", source.timeline)
    assert [f"{suffix} holds no timecode: 01:00:00:00 is left out" in text for text in caplog.messages] == [True]


def constant(path, codec, pixel_format, rate):
    """Three grey frames."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 128, 64, pixel_format
        for number in range(3):
            frame = av.VideoFrame(128, 64, pixel_format)
            for plane in frame.planes:
                plane.update(bytes([64]) * plane.buffer_size)
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".ts", ".mts"])
def test_peaks_stay_below_the_ceiling_in_transport_streams(tmp_path, suffix):
    source = video(tmp_path, "a.mp4", "libx264")
    generator = torch.Generator().manual_seed(0)
    loud = torch.randn(2, 44100, generator=generator) * torch.exp(-torch.arange(44100) % 4410 / 600)
    limiter = Limiter(44100, ceiling_dbtp=ceiling_dbtp(suffix))
    mux(source, iter([limiter.push(loud), limiter.flush()]), NewSound(44100), tmp_path / f"o{suffix}")
    assert -6 < true_peak_dbtp(read_audio(tmp_path / f"o{suffix}").samples, 44100) <= -1.0


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".ts"])
def test_an_edited_sound_keeps_the_language_of_the_one_it_replaces(tmp_path, suffix):
    plain, source = video(tmp_path, "a.mp4", "libx264", sound=True), tmp_path / f"b{suffix}"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        copies = [new.add_stream_from_template(s, opaque=True) for s in old.streams]
        copies[1].metadata["language"] = "fra"
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                new.mux(packet)
    mux(source, iter([sound()]), NewSound(48000, without=0), tmp_path / f"o{suffix}")
    with av.open(str(tmp_path / f"o{suffix}")) as container:
        assert [s.metadata["language"] for s in container.streams.audio] == ["fra"]


def test_channels_without_a_layout_get_the_usual_one(tmp_path):
    """Plain WAV sound in AVI says how many channels there are, not which."""
    source = video(tmp_path, "a.avi", "mjpeg", pixel_format="yuvj420p")
    mux(source, iter([sound()]), NewSound(48000, bit_depth="16"), tmp_path / "b.avi")
    with av.open(str(tmp_path / "b.avi")) as container:
        assert container.streams.audio[0].codec_context.layout.name == "2 channels"
    mux(tmp_path / "b.avi", iter([sound()]), NewSound(48000), tmp_path / "o.mov")
    with av.open(str(tmp_path / "o.mov")) as container:
        assert [s.codec_context.layout.name for s in container.streams.audio] == ["stereo", "stereo"]


@pytest.mark.parametrize(("kind", "has_timecode"), [(b"mebx", False), (b"rtmd", True)])
def test_a_cameras_metadata_track_without_a_description_is_left_out_and_named(tmp_path, caplog, kind, has_timecode):
    """Of iPhones and Sony: FFmpeg would write the packets without a sample entry. It reads a timecode from Sony's."""
    plain, source = video(tmp_path, "a.mp4", "libx264"), tmp_path / "b.mov"
    with av.open(str(plain)) as old, av.open(str(source), "w", format="mp4") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        text = new.add_mux_stream("mov_text")
        for packet in old.demux():
            if packet.size:
                packet.stream = copy
                new.mux(packet)
        line = av.Packet(b"\0\x28" + b"\1" * 40)
        line.pts = line.dts = 0
        line.duration, line.time_base, line.stream = 1000, Fraction(1, 1000), text
        new.mux(line)
    source.write_bytes(source.read_bytes().replace(b"sbtl", b"meta").replace(b"tx3g", kind))
    with av.open(str(source)) as container:
        assert [s.type for s in container.streams] == ["video", "data"]
        assert ("timecode" in container.streams[1].metadata) is has_timecode
    mux(source, iter([sound()]), NewSound(48000), tmp_path / "o.mov")
    assert f".mov cannot hold stream 1 (data) of {source}: left out" in caplog.text
    with av.open(str(tmp_path / "o.mov")) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]


def test_avi_keeps_the_code_of_its_codec(tmp_path):
    source = tmp_path / "a.avi"
    write_numbered(tmp_path / "b.avi", list(range(10)), Fraction(1, 25), codec="mpeg4")
    source.write_bytes((tmp_path / "b.avi").read_bytes().replace(b"FMP4", b"XVID"))
    mux(source, iter([sound(1.0)]), NewSound(48000), tmp_path / "o.avi")
    with av.open(str(tmp_path / "o.avi")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "XVID"


def test_raw_dv_is_written_with_its_timecode_and_rate(tmp_path):
    """FFmpeg estimates 60000 Hz for it, at which no timecode counts."""
    with av.open(str(tmp_path / "a.dv"), "w", format="dv") as out:
        stream = out.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        tone = out.add_stream("pcm_s16le", rate=48000, layout="stereo")
        silence = av.AudioFrame(format="s16", layout="stereo", samples=1920)
        silence.sample_rate = 48000
        for number in range(10):
            frame = av.VideoFrame(720, 576, "yuv420p")
            frame.pts, silence.pts = number, 1920 * number
            out.mux([*stream.encode(frame), *tone.encode(silence)])
    out = default_output(tmp_path / "a.dv")
    assert out.suffix == ".mov"
    mux(tmp_path / "a.dv", iter([sound(1.0)]), NewSound(48000, "replace"), out)
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == 25
        assert container.streams.video[0].metadata["timecode"] == "00:00:00:00"
