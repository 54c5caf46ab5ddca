"""The picture's packets and times are bit-identical, and the sound starts at the first shown frame."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import probe, write_numbered

from openfoley.errors import MediaError, UsageError
from openfoley.media.limiter import Limiter, true_peak_dbtp
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.atomic import check_output, replace_when_done
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.media.write.sound_track import ceiling_dbtp

mux_module = sys.modules["openfoley.media.write.mux"]

CASES = [
    ("a.mp4", ".mp4", "libx264", "yuv420p", {}),
    ("a.mkv", ".mkv", "libx264", "yuv420p", {}),
    ("a.mkv", ".mp4", "libx264", "yuv420p", {}),
    ("a.mp4", ".mkv", "libx264", "yuv420p", {}),
    ("h.mp4", ".mp4", "libx265", "yuv420p", {}),
    ("v.webm", ".webm", "libvpx-vp9", "yuv420p", {}),
    ("v.webm", ".mp4", "libvpx-vp9", "yuv420p", {}),
    ("d.mp4", ".mp4", "libsvtav1", "yuv420p", {}),
    ("p.mov", ".mov", "prores_ks", "yuv422p10le", {}),
    ("m.avi", ".mkv", "mjpeg", "yuvj420p", {}),
    ("vfr.mp4", ".mp4", "libx264", "yuv420p", {"pts": [i * 3 + i % 3 for i in range(40)]}),
    ("vfr.mkv", ".mkv", "libx264", "yuv420p", {"pts": [i * 3 + i % 3 for i in range(40)]}),
    ("off.mp4", ".mp4", "libx264", "yuv420p", {"first": 37}),
    ("off.mov", ".mov", "libx264", "yuv420p", {"first": 37}),
    ("off.mkv", ".mkv", "libx264", "yuv420p", {"first": 37}),
    ("edit.mp4", ".mp4", "libx264", "yuv420p", {"shift": 5}),
    ("edit.mov", ".mov", "libx264", "yuv420p", {"shift": 5, "options": {"bf": "0"}}),
]


def rehearse(path, output, mode="add"):
    Source.file(path, rehearsal=Rehearsal(Path(output), mode))


def packets(path, kind="video", index=0):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[index]
        return [
            (hashlib.md5(bytes(p)).hexdigest(), p.pts * p.time_base if p.pts is not None else None, p.is_keyframe)
            for p in container.demux(stream)
            if p.size
        ]


def video(folder, name, codec="libx264", pixel_format="yuv420p", first=0, pts=None, **more):
    pts = pts or list(range(first, first + 40))
    return write_numbered(
        folder / name, pts, Fraction(1, 25), codec=codec, pixel_format=pixel_format, last_duration=1, **more
    )


def impulse(count=70560, at=22050):
    samples = torch.zeros(2, count)
    samples[:, at] = 0.5
    return samples


@pytest.mark.parametrize(("name", "suffix", "codec", "pixel_format", "more"), CASES)
def test_picture_is_copied_and_sound_starts_at_the_first_shown_frame(tmp_path, name, suffix, codec, pixel_format, more):
    source = video(tmp_path, name, codec, pixel_format, **more)
    out = tmp_path / f"out{suffix}"
    mux(source, iter(impulse().split(5000, dim=1)), NewSound(44100), out)
    assert packets(out) == packets(source)
    before, after = probe(source), probe(out)
    assert after.duration == before.duration and after.start == before.start
    sound = read_audio(out)
    at = sound.samples.abs().argmax(dim=1).tolist()
    assert at == [sound.sample_rate // 2] * 2
    assert abs(sound.samples.shape[-1] / sound.sample_rate - 1.6) < 0.03


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_headers_that_lie_apart_go_into_a_transport_stream(tmp_path, name):
    """MPEG-4 part 2: without them no picture of the copy can be decoded."""
    source, out = video(tmp_path, name, "mpeg4"), tmp_path / "out.ts"
    mux(source, iter(impulse().split(5000, dim=1)), NewSound(44100), out)
    with av.open(str(source)) as before, av.open(str(out)) as after:
        shown = [frame.to_ndarray(format="rgb24") for frame in after.decode(video=0)]
        assert len(shown) == 40
        encoded = [frame.to_ndarray(format="rgb24") for frame in before.decode(video=0)]
        assert all((one == copy).all() for one, copy in zip(encoded, shown, strict=True))


@pytest.mark.parametrize(("name", "suffix"), [("a.mp4", ".mp4"), ("a.mkv", ".mkv"), ("a.mov", ".mov")])
def test_own_sound_is_kept_first_and_untouched_or_replaced(tmp_path, name, suffix):
    source = video(tmp_path, name, sound=True)
    for mode, count in (("add", 2), ("replace", 1)):
        out = tmp_path / f"{mode}{suffix}"
        mux(source, iter([impulse()]), NewSound(44100, mode, "16"), out)
        with av.open(str(out)) as container:
            new = container.streams.audio[-1]
            assert len(container.streams.audio) == count
            assert (new.metadata.get("title") or new.metadata.get("handler_name")) == "OpenFoley"
            assert bool(new.disposition & 1) == (mode == "replace")
        if mode == "add":
            assert packets(out, "audio") == packets(source, "audio")
        assert read_audio(out, stream=-1).samples[0].abs().argmax() == 22050


def rich_mkv(folder):
    base = video(folder, "base.mkv", sound=True)
    path = folder / "rich.mkv"
    with av.open(str(base)) as source, av.open(str(path), "w") as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in source.streams}
        subtitle = out.add_mux_stream("subrip")
        subtitle.metadata["language"] = "fra"
        out.metadata["title"] = "my film"
        out.add_attachment("font.ttf", "application/x-truetype-font", b"abc" * 50)
        out.set_chapters(
            [{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                out.mux(packet)
        for i in range(3):
            line = av.Packet(b"hello %d" % i)
            line.pts = line.dts = i * 400
            line.duration, line.time_base, line.stream = 300, Fraction(1, 1000), subtitle
            out.mux(line)
    return path


def test_subtitles_attachments_chapters_and_tags_are_kept(tmp_path):
    source, out = rich_mkv(tmp_path), tmp_path / "out.mkv"
    mux(source, iter([impulse()]), NewSound(44100), out)
    assert packets(out, "subtitles") == packets(source, "subtitles")
    with av.open(str(out)) as container:
        assert container.metadata["title"] == "my film"
        assert [c["metadata"]["title"] for c in container.chapters()] == ["one"]
        assert container.streams.subtitles[0].metadata["language"] == "fra"
        assert [s.data for s in container.streams if s.type == "attachment"] == [b"abc" * 50]


def test_timecode_survives(tmp_path):
    base, source = video(tmp_path, "base.mov"), tmp_path / "tc.mov"
    with av.open(str(base)) as old, av.open(str(source), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        copy.metadata["timecode"] = "01:00:00:00"
        for packet in old.demux():
            if packet.size:
                packet.stream = copy
                new.mux(packet)
    mux(source, iter([impulse()]), NewSound(44100), tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:00:00:00"


def test_impossible_requests_are_rejected_before_the_work(tmp_path):
    with pytest.raises(UsageError, match=r"\.webm cannot hold the h264"):
        rehearse(video(tmp_path, "a.mp4"), "out.webm")
    with pytest.raises(UsageError, match="edit list"):
        rehearse(video(tmp_path, "b.mp4", shift=5), "out.mkv")
    with pytest.raises(UsageError, match="must end in"):
        mux(tmp_path / "a.mp4", iter([]), NewSound(44100), tmp_path / "out.xyz")
    rehearse(tmp_path / "a.mp4", "out.mkv", "replace")


def test_sound_is_requested_no_earlier_than_the_picture_needs_it(tmp_path, monkeypatch):
    """Streaming: a piece of sound is drawn when the copied packets have come to its time, so neither is held whole."""
    source = video(tmp_path, "a.mkv", pts=list(range(250)))
    copied = [Fraction(0)]
    read = mux_module.read_packets

    def reading(*arguments):
        for packet in read(*arguments):
            if packet.size:
                copied.append((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
            yield packet

    def chunks():
        for second in range(10):
            assert copied[-1] >= second - 1  # at most one piece ahead
            yield torch.zeros(2, 44100)

    monkeypatch.setattr(mux_module, "read_packets", reading)
    mux(source, chunks(), NewSound(44100), tmp_path / "out.mkv")
    assert copied[-1] > 9


def test_peaks_stay_below_the_ceiling_after_lossy_coding(tmp_path):
    generator = torch.Generator().manual_seed(0)
    loud = torch.randn(2, 44100, generator=generator)
    loud *= torch.exp(-torch.arange(44100) % 4410 / 600)
    source = video(tmp_path, "a.mp4")
    for suffix in (".mp4", ".mov"):
        limiter = Limiter(44100, ceiling_dbtp=ceiling_dbtp(suffix))
        mux(source, iter([limiter.push(loud), limiter.flush()]), NewSound(44100), tmp_path / f"o{suffix}")
        peak = true_peak_dbtp(read_audio(tmp_path / f"o{suffix}").samples, 44100)
        assert -6 < peak <= -1.0


def test_output_is_written_atomically(tmp_path):
    target = tmp_path / "x.wav"
    with pytest.raises(RuntimeError), replace_when_done(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replace_when_done(target) as temporary:
        assert temporary.suffix == ".wav" and temporary.parent == tmp_path
        temporary.write_bytes(b"whole")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"whole"]
    with pytest.raises(UsageError, match="force=True"), replace_when_done(target):
        pass
    with replace_when_done(target, force=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    with pytest.raises(UsageError, match="input itself"):
        check_output(target, [target], force=True)
    for bad in (tmp_path, tmp_path / "no" / "x.wav", "/dev/null"):
        with pytest.raises(UsageError):
            check_output(bad, force=True)


FULL_DISK = """
import resource, sys, torch
from openfoley.errors import OutputError
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.sound_file import AudioWriter
from openfoley.media.write.mux import NewSound, mux
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
out, source = sys.argv[1:]
try:
    with replace_when_done(out) as temporary:
        pieces = (torch.rand(2, 44100) - 0.5 for _ in range(8))
        if source:
            mux(source, pieces, NewSound(44100), temporary)
        else:
            with AudioWriter(temporary, 44100) as writer:
                for piece in pieces:
                    writer.write(piece)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["o.mp4", "o.mkv", "o.wav", "o.flac"])
def test_full_disk_leaves_one_line_and_no_file(tmp_path, name):
    source = str(video(tmp_path, "a.mp4")) if name[2:] in ("mp4", "mkv") else ""
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(folder / name), source], capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and "disk is full" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and list(folder.iterdir()) == []


def test_error_of_the_generator_passes_through_and_leaves_no_file(tmp_path):
    source = video(tmp_path, "a.mp4")

    def failing():
        yield impulse()
        raise MediaError("the picture met a damaged frame")

    with pytest.raises(MediaError, match="damaged frame"), replace_when_done(tmp_path / "o.mp4") as temporary:
        mux(source, failing(), NewSound(44100), temporary)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_only_timecode_and_chapter_tracks_are_left_to_the_muxer():
    """A camera's data track is kept or missed with a warning, not passed over."""
    from types import SimpleNamespace

    from av.stream import Discard

    from openfoley.media.write.containers import _remade_by_muxer

    def track(name=None, discard=Discard.default, **metadata):
        return SimpleNamespace(type="data", name=name, discard=discard, metadata=metadata)

    assert _remade_by_muxer(track("bin_data", Discard.all, handler_name="SubtitleHandler"))
    assert _remade_by_muxer(track(timecode="01:00:00:00"))
    assert not _remade_by_muxer(track("bin_data", handler_name="GoPro MET"))
    assert not _remade_by_muxer(track(None, handler_name="DJI meta"))


def test_two_frames_within_one_tick_can_be_written(tmp_path):
    """Matroska rounds to milliseconds: two frames may share one, which MP4 forbids."""
    base, source = video(tmp_path, "a.mkv"), tmp_path / "b.mkv"
    with av.open(str(base)) as old, av.open(str(source), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in old.demux() if p.size):
            packet.pts = packet.dts = 40 * (number - number % 2)
            packet.stream = copy
            new.mux(packet)
    mux(source, iter([impulse()]), NewSound(44100), tmp_path / "o.mp4")
    assert [p[0] for p in packets(tmp_path / "o.mp4")] == [p[0] for p in packets(base)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_joined_transport_streams_are_written_on_one_clock(tmp_path, suffix):
    part = video(tmp_path, "a.ts", sound=True).read_bytes()
    (tmp_path / "b.ts").write_bytes(part + part)
    mux(tmp_path / "b.ts", iter([impulse()]), NewSound(44100), tmp_path / f"o{suffix}")
    times = [p[1] for p in packets(tmp_path / f"o{suffix}")]
    assert len(times) == 80 and max(times) - min(times) == pytest.approx(79 / 25, abs=0.05)


def test_a_picture_without_times_is_refused_before_the_work(tmp_path):
    """Of an AVI with B-frames; into an AVI again it can be copied."""
    source = video(tmp_path, "a.avi")
    with pytest.raises(UsageError, match=r"h264 picture \(stream 0\).*has no times.*write \.avi, .*mkvmerge"):
        rehearse(source, "out.mkv")
    mux(source, iter([impulse()]), NewSound(44100), tmp_path / "out.avi")
    assert [p[0] for p in packets(tmp_path / "out.avi")] == [p[0] for p in packets(source)]


def test_a_packet_that_the_container_refuses_is_named_before_the_work(tmp_path):
    """A sound packet that begins like a header of AAC's stream form, and is none, stops MP4's writer."""
    source = video(tmp_path, "a.mkv", sound=True)
    with av.open(str(source)) as container:
        first = next(bytes(p) for p in container.demux(audio=0) if p.size)
    data = source.read_bytes()
    assert data.count(first) == 1
    source.write_bytes(data.replace(first, b"\xff\xf0" + first[2:]))
    with pytest.raises(UsageError, match=r"\.mp4 cannot hold the aac audio \(stream 1\).*--audio replace"):
        rehearse(source, "out.mp4")
    rehearse(source, "out.mp4", "replace")


def test_the_advice_names_a_container_that_holds_the_picture(tmp_path):
    from openfoley.media.write.outputs import default_output

    source = video(tmp_path, "a.mov", "prores_ks", "yuv422p10le").rename(tmp_path / "b.mp4")
    with pytest.raises(UsageError, match=r"\.mp4 cannot hold the prores picture .*; write \.mkv"):
        rehearse(source, "out.mp4")
    assert default_output(source).name == "b.foley.mkv"
