"""A copied picture's container-level properties are in the written file, too."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from numbered_videos import numbered, write_numbered

from openfoley.media.read import boxes
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write import finish_mp4
from openfoley.media.write.containers import _codec_tag
from openfoley.media.write.finish_matroska import picture_settings
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.packets import is_cover
from openfoley.media.write.rehearsal import Rehearsal

CLICK = 8820  # sample at 44.1 kHz
ANAMORPHIC = Fraction(64, 45)


def encoded(path, codec, pixel_format, *, tag=None, aspect=None, timecode=None, movflags="", **options):
    """10 frames at 25 Hz whose bitstream says nothing of the picture's shape (where the codec has no place for it)."""
    with av.open(str(path), "w", container_options={"movflags": movflags} if movflags else {}) as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 64, pixel_format
        if tag:
            stream.codec_context.codec_tag = tag
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if timecode:
            stream.metadata["timecode"] = timecode
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def laid(source, out):
    samples = torch.zeros(2, 17640)
    samples[:, CLICK] = 0.5
    mux(source, iter([samples]), NewSound(44100), out)
    return out


def picture(path):
    """(codec tag, sample aspect, average rate, timecode, first decoded frame's format)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tag, aspect, rate = stream.codec_context.codec_tag, stream.sample_aspect_ratio, stream.average_rate
        return tag, aspect, rate, stream.metadata.get("timecode"), next(container.decode(stream)).format.name


@pytest.mark.parametrize(
    ("codec", "pixel_format", "tag", "options"),
    [
        ("prores_ks", "yuv422p10le", "apco", {"profile": "proxy"}),
        ("prores_ks", "yuv422p10le", "apcs", {"profile": "lt"}),
        ("prores_ks", "yuv444p10le", "ap4h", {"profile": "4444"}),
        ("prores_ks", "yuv444p10le", "ap4x", {"profile": "4444xq"}),
        ("mjpeg", "yuvj420p", "jpeg", {}),
        ("dnxhd", "yuv422p", "AVdh", {"profile": "dnxhr_sq"}),
    ],
)
def test_tag_shape_rate_and_timecode_of_a_quicktime_picture_are_kept(tmp_path, codec, pixel_format, tag, options):
    if codec == "dnxhd":
        source = encoded_wide(tmp_path / "a.mov", options)
    else:
        source = encoded(
            tmp_path / "a.mov", codec, pixel_format, tag=tag, aspect=ANAMORPHIC, timecode="10:00:00:00", **options
        )
    before = picture(source)
    assert before[:4] == (tag, ANAMORPHIC, 25, "10:00:00:00")
    assert picture(laid(source, tmp_path / "o.mov")) == before


def test_a_tag_of_mp4_is_kept(tmp_path):
    """avc3: parameter sets may lie between the pictures."""
    source = encoded(tmp_path / "a.mp4", "libx264", "yuv420p", tag="avc3")
    assert picture(source)[0] == "avc3"
    assert picture(laid(source, tmp_path / "o.mp4"))[0] == picture(laid(source, tmp_path / "o.mov"))[0] == "avc3"


@pytest.mark.parametrize(("tag", "kept"), [("Hap5", "Hap5"), ("HapY", "HapY"), ("MJPG", None), ("XVID", None)])
def test_the_tag_of_an_avi_is_kept_where_quicktime_has_it(tmp_path, tag, kept):
    """Hap Alpha and Hap Q differ from Hap in the tag alone."""
    path = encoded(tmp_path / "a.avi", "mjpeg", "yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"MJPG", tag.encode()))
    with av.open(str(path)) as container:
        assert _codec_tag(container.streams.video[0], ".mov", "avi") == kept


def test_the_cover_of_an_mp4_is_kept(tmp_path):
    """Its packet has no time."""
    plain = encoded(tmp_path / "a.mp4", "libx264", "yuv420p")
    jpeg = av.CodecContext.create("mjpeg", "w")
    jpeg.width, jpeg.height, jpeg.pix_fmt, jpeg.time_base = 64, 64, "yuvj420p", Fraction(1, 25)
    (cover,) = [*jpeg.encode(av.VideoFrame(64, 64, "yuvj420p")), *jpeg.encode(None)]
    data = struct.pack(">II", 13, 0) + bytes(cover)  # 13: JPEG (iTunes metadata)
    items = boxes.join([(b"covr", boxes.join([(b"data", data)]))])
    handler = bytes(8) + b"mdirappl" + bytes(9)
    meta = bytes(4) + boxes.join([(b"hdlr", handler), (b"ilst", items)])
    source = rewritten(plain, tmp_path / "b.mp4", b"avc1", b"", boxes.join([(b"udta", boxes.join([(b"meta", meta)]))]))
    rehearsal = Rehearsal(tmp_path / "o.mp4")
    Source.file(source, rehearsal=rehearsal)
    with av.open(str(laid(source, tmp_path / "o.mp4"))) as container:
        (found,) = [s for s in container.streams.video if is_cover(s)]
        assert next(bytes(p) for p in container.demux(found)) == bytes(cover)


def encoded_wide(path, options):
    """DNxHR needs at least 256 x 120 samples."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("dnxhd", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv422p"
        stream.codec_context.sample_aspect_ratio = ANAMORPHIC
        stream.metadata["timecode"] = "10:00:00:00"
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(numbered(number, 128, 256), format="rgb24").reformat(format="yuv422p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mov", ".mp4"])
def test_vp9_of_matroska_keeps_its_shape_in_every_container(tmp_path, suffix):
    """VP9 says nothing of the samples' shape: the display size does."""
    plain = write_numbered(tmp_path / "a.mp4", list(range(10)), Fraction(1, 25), codec="libvpx-vp9")
    boxed = rewritten(plain, tmp_path / "b.mp4", b"vp09", boxes.join([(b"pasp", struct.pack(">II", 64, 45))]))
    source = laid(boxed, tmp_path / "c.mkv")
    assert picture(source)[1] == Fraction(182 * 64, 64 * 128)  # 128 x 64/45 = 182.04 pixels
    if suffix != ".mov":
        assert picture(laid(source, tmp_path / f"o{suffix}"))[1] == picture(source)[1]


def rewritten(path, out, entry, extension, of_movie=b""):
    """A copy with a box in the picture's sample description and others at the end of the movie box (which is last)."""
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    movie = data[at + 8 :]
    stsd = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")

    def longer(body):
        kind, inner = boxes.split(body[8:])[0]
        if kind != entry:
            return body
        kept = [box for box in boxes.split(inner[78:]) if box[0] != extension[4:8]]
        return body[:8] + boxes.join([(kind, inner[:78] + boxes.join(kept) + extension)])

    out.write_bytes(data[:at] + boxes.join([(b"moov", finish_mp4._changed(movie, stsd, longer) + of_movie)]))
    return out


def description(path):
    """kind -> payload of the boxes in the picture's sample description."""
    movie = boxes.read_movie(io.BytesIO(path.read_bytes()))
    body = boxes.payload(movie[0], b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return dict(boxes.split(boxes.split(body[8:])[0][1][78:]))


SV3D = boxes.join([(b"svhd", b"\0\0\0\0x\0"), (b"proj", boxes.join([(b"prhd", bytes(16)), (b"equi", bytes(20))]))])
DVVC = bytes([1, 0, 16, 13, 64]) + bytes(19)
KEYS = boxes.join(
    [
        (b"hdlr", bytes(8) + b"mdta" + bytes(13)),
        (b"keys", struct.pack(">II", 0, 1) + boxes.join([(b"mdta", b"com.apple.quicktime.make")])),
        (b"ilst", boxes.join([(b"\0\0\0\1", boxes.join([(b"data", struct.pack(">II", 1, 0) + b"Maker")]))])),
    ]
)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"sv3d", SV3D),
        (b"st3d", bytes(4) + b"\1"),
        (b"dvvC", DVVC),
        (b"clap", struct.pack(">8I", 120, 1, 64, 1, 0, 1, 0, 1)),
    ],
    ids=["spherical", "stereo", "dolby", "aperture"],
)
def test_boxes_of_the_picture_and_tags_in_any_form_are_kept(tmp_path, suffix, kind, body):
    plain = write_numbered(tmp_path / "a.mp4", list(range(10)), Fraction(1, 25), sound=True)
    tags = boxes.join(
        [(b"meta", KEYS), (b"udta", boxes.join([(b"Xtra", b"camera"), (b"\xa9xyz", b"\0\5\x15\xc7+1+2/")]))]
    )
    source = rewritten(plain, tmp_path / f"b{suffix}", b"avc1", boxes.join([(kind, body)]), tags)
    out = laid(source, tmp_path / f"o{suffix}")
    assert description(out)[kind] == body
    movie = boxes.read_movie(io.BytesIO(out.read_bytes()))[0]
    assert boxes.payload(movie, b"meta") == KEYS
    assert boxes.payload(movie, b"udta", b"Xtra") == b"camera"
    with av.open(str(out)) as container:
        assert container.metadata["com.apple.quicktime.make"] == "Maker" and container.metadata["location"] == "+1+2/"
        assert len(container.streams.audio) == 2


def test_fast_start_is_kept_and_every_packet_stays_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(finish_mp4, "BLOCK_BYTES", 1000)
    plain = write_numbered(tmp_path / "a.mp4", list(range(10)), Fraction(1, 25), sound=True)
    source = laid(plain, tmp_path / "b.mp4")
    assert not boxes.read_movie(io.BytesIO(source.read_bytes()))[1]
    fast = tmp_path / "c.mp4"
    with av.open(str(source)) as old, av.open(str(fast), "w", container_options={"movflags": "faststart"}) as new:
        streams = [new.add_stream_from_template(s, opaque=True) for s in old.streams]
        for packet in old.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    out = laid(fast, tmp_path / "o.mp4")
    assert boxes.read_movie(io.BytesIO(out.read_bytes()))[1]
    for number in range(2):
        assert copied(out, number) == copied(fast, number)
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
        container.seek(0)
        assert any(np.abs(f.to_ndarray()).max() > 0.1 for f in container.decode(audio=2))


def copied(path, number):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams[number]) if packet.size]


def test_offsets_that_grow_beyond_32_bits_become_wide():
    tables = boxes.join([(b"stco", struct.pack(">III", 0, 1, 2**32 - 9))])
    movie = boxes.join([(b"trak", boxes.join([(b"mdia", boxes.join([(b"minf", boxes.join([(b"stbl", tables)]))]))]))])
    moved = finish_mp4._moved(movie, 2**32 - 8)
    wide = boxes.payload(moved, b"trak", b"mdia", b"minf", b"stbl", b"co64")
    assert struct.unpack_from(">Q", wide, 8)[0] == 2**32 - 9 + 8 + len(moved)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(("first", "sound"), [(37, False), (0, True)])
def test_a_programme_clock_starts_at_zero_in_the_output(tmp_path, suffix, first, sound):
    """A transport stream starts anywhere: all streams move by one amount, and nothing lasts longer."""
    source = write_numbered(tmp_path / "a.ts", list(range(first, first + 50)), Fraction(1, 25), sound=sound)
    with av.open(str(source)) as container:
        assert container.start_time > 0
        before = [s.start_time * s.time_base for s in container.streams]
    out = laid(source, tmp_path / f"o{suffix}")
    click = read_audio(out, stream=-1).samples[0].abs().argmax()
    assert abs(click - CLICK) <= 44100 // 1000  # Matroska's tick
    with av.open(str(out)) as container:
        assert container.start_time == 0
        after = [s.start_time * s.time_base for s in container.streams]
        assert [a - min(after) for a in after[: len(before)]] == pytest.approx(
            [b - min(before) for b in before], abs=2e-3
        )
        assert container.duration / 1e6 == pytest.approx(2, abs=0.07)


def test_matroska_keeps_cropping_and_stereo_mode(tmp_path):
    source = laid(write_numbered(tmp_path / "a.mp4", list(range(10)), Fraction(1, 25)), tmp_path / "b.mkv")
    data = source.read_bytes()
    # the picture's Void has room for PixelCropTop 4 and StereoMode 1 in Video: grow the one, shrink the other
    from openfoley.media.write import finish_matroska as ebml

    start, body = ebml.read_tracks(io.BytesIO(source.read_bytes()))
    parts = ebml.elements(body)
    new = [(i, changed_entry(ebml, p) if i == ebml.TRACK_ENTRY else p) for i, p in parts if i != ebml.CRC_32]
    entries = ebml.joined(new)
    left = len(body) - len(entries)
    whole = entries + ebml.element(ebml.VOID, bytes(left - 9), 8)
    source.write_bytes(data[:start] + whole + data[start + len(body) :])
    asked = dict(picture_settings(io.BytesIO(source.read_bytes())))
    assert asked[0x54BB] == b"\4" and asked[0x53B8] == b"\1"
    assert dict(picture_settings(io.BytesIO(laid(source, tmp_path / "o.mkv").read_bytes()))) == asked


def changed_entry(ebml, payload):
    parts = ebml.elements(payload)
    if dict(parts).get(ebml.TRACK_TYPE) != b"\1":
        return payload
    return ebml.joined(
        (i, v + ebml.element(0x54BB, b"\4") + ebml.element(0x53B8, b"\1") if i == ebml.VIDEO else v)
        for i, v in parts
        if i != ebml.VOID
    )
