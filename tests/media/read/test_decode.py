"""Every picked frame carries its number; the truth is computed here in rational arithmetic."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_videos import number_of, pick_frames, probe, write_numbered

from openfoley.media.frames import FrameRequest
from openfoley.media.read.frame_times import shown_indices
from openfoley.media.read.scan import scan

COUNT = 40
CODECS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.ts", "libx264", "yuv420p"),
    ("a.avi", "mpeg4", "yuv420p"),
    ("b.avi", "libx264", "yuv420p"),  # whose B-frames have the times of their decoding
    ("h.mp4", "libx265", "yuv420p"),
    ("v.webm", "libvpx-vp9", "yuv420p"),
    ("d.mp4", "libsvtav1", "yuv420p"),
    ("p.mov", "prores_ks", "yuv422p10le"),
    ("m.avi", "mjpeg", "yuvj420p"),
]


def picked(path, rate, height=64, width=128, chunk=7):
    request = FrameRequest("sync", Fraction(rate), height, width)
    chunks = list(pick_frames(path, [request], chunk=chunk))
    assert [c.first_index for c in chunks] == list(np.cumsum([0, *(len(c.frames) for c in chunks)])[:-1])
    assert all(len(c.frames) <= chunk and c.frames.shape[1:] == (3, height, width) for c in chunks)
    return [number_of(f) for c in chunks for f in c.frames]


def truth(times: list[Fraction], duration: Fraction, rate: Fraction) -> list[int]:
    return [max(i for i, t in enumerate(times) if t <= k / rate) for k in range(math.ceil(duration * rate))]


@pytest.mark.parametrize(("name", "codec", "pixel_format"), CODECS)
def test_own_rate_yields_every_frame_once(tmp_path, name, codec, pixel_format):
    path = write_numbered(tmp_path / name, list(range(COUNT)), Fraction(1, 25), codec=codec, pixel_format=pixel_format)
    assert picked(path, 25) == list(range(COUNT))
    assert probe(path).duration == Fraction(COUNT, 25)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(50), Fraction(120)])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("first", [0, 37])
def test_rate_grid_survives_the_ticks_of_the_container(tmp_path, rate, name, first):
    path = write_numbered(tmp_path / name, list(range(first, first + COUNT)), 1 / rate, rate=rate)
    assert picked(path, rate) == list(range(COUNT))
    times = [i / rate for i in range(COUNT)]
    for other in (Fraction(24), Fraction(8), Fraction(25)):
        assert picked(path, other) == truth(times, COUNT / rate, other)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("offset", [0, 1370])
def test_variable_rate_is_picked_by_the_written_times(tmp_path, name, offset):
    gaps = np.random.default_rng(1).integers(7, 140, COUNT)
    pts = (offset + np.concatenate([[0], np.cumsum(gaps)])).tolist()
    path = write_numbered(tmp_path / name, pts[:-1], Fraction(1, 1000), last_duration=int(gaps[-1]))
    info = probe(path)
    assert abs(info.start - Fraction(offset, 1000)) < Fraction(1, 2000)
    times = [Fraction(2 * (p - offset) - 1, 2000) if p > offset else Fraction(0) for p in pts[:-1]]
    for rate in (Fraction(24), Fraction(8), Fraction(30000, 1001)):
        assert picked(path, rate) == truth(times, info.duration, rate)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.fractions(Fraction(1, 2), 200, max_denominator=1001))
def test_shown_index_is_the_last_frame_not_later(gaps, rate):
    instants = [0, *np.cumsum(gaps).tolist()]
    unit, duration = Fraction(1, 1000), Fraction(instants[-1] + 10, 1000)
    assert list(shown_indices(instants, unit, duration, rate)) == truth([i * unit for i in instants], duration, rate)


def test_one_pass_serves_several_rates_and_sizes(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", list(range(75)), Fraction(1, 25), last_duration=1)
    requests = [FrameRequest("sync", Fraction(24), 96, 96), FrameRequest("semantic", Fraction(8), 48, 64)]
    got = {r.name: [] for r in requests}
    for chunk in pick_frames(path, requests, chunk=16):
        got[chunk.name] += [number_of(f) for f in chunk.frames]
    times = [Fraction(i, 25) for i in range(75)]
    assert got["sync"] == truth(times, Fraction(3), Fraction(24))
    assert got["semantic"] == truth(times, Fraction(3), Fraction(8)) == got["sync"][::3]


@pytest.mark.parametrize("frames_b", ["0", "2"])
def test_frames_outside_the_edit_list_are_not_shown(tmp_path, frames_b):
    path = write_numbered(tmp_path / "a.mp4", list(range(COUNT)), Fraction(1, 25), shift=5, options={"bf": frames_b})
    assert picked(path, 25) == list(range(5, COUNT))
    assert probe(path).duration == Fraction(COUNT - 5, 25)


def test_odd_sizes_keep_their_size(tmp_path):
    path = write_numbered(tmp_path / "a.mp4", list(range(9)), Fraction(1, 25), size=(63, 127), pixel_format="yuv444p")
    assert (probe(path).height, probe(path).width) == (63, 127)
    assert picked(path, 25, 63, 127) == list(range(9))


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, 1, -1, 0), lambda p: p.transpose(-1, -2).flip(-1)),  # ISO/IEC 14496-12: x' = -y, y' = x: clockwise
        ((0, -1, 1, 0), lambda p: p.transpose(-1, -2).flip(-2)),
        ((-1, 0, 0, -1), lambda p: p.flip(-1).flip(-2)),
        ((-1, 0, 0, 1), lambda p: p.flip(-1)),
    ],
)
def test_rotation_turns_the_pixels_as_the_matrix_says(tmp_path, matrix, turned):
    path = write_numbered(tmp_path / "a.mp4", list(range(5)), Fraction(1, 25))
    flat = next(pick_frames(path, [FrameRequest("x", Fraction(25), 64, 128)])).frames
    raw = bytearray(path.read_bytes())
    unity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = raw.index(unity, raw.index(b"tkhd"))
    a, b, c, d = (v << 16 for v in matrix)
    raw[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(raw)
    expected = turned(flat)
    info = probe(path)
    assert (info.height, info.width) == tuple(expected.shape[-2:])
    got = next(pick_frames(path, [FrameRequest("x", Fraction(25), *expected.shape[-2:])])).frames
    assert (got.float() - expected.float()).abs().mean() < 4


def test_packets_that_nobody_needs_are_not_decoded(tmp_path, monkeypatch):
    path = write_numbered(
        tmp_path / "p.mov",
        list(range(100)),
        Fraction(1, 100),
        codec="prores_ks",
        rate=Fraction(100),
        pixel_format="yuv422p10le",
    )
    assert scan(path).intra_only
    from openfoley.media.read import decode

    decoded = list(decode._decoded(scan(path), [FrameRequest("x", Fraction(10), 8, 8)]))
    assert [i for i, _ in decoded] == list(range(0, 100, 10))


def test_recording_cut_between_key_frames_starts_at_the_first_decodable_frame(tmp_path):
    options = {"x264-params": "open-gop=1", "bf": "3", "g": "24"}
    raw = write_numbered(tmp_path / "a.ts", list(range(100)), Fraction(1, 25), options=options).read_bytes()
    path = tmp_path / "b.ts"
    path.write_bytes(raw[len(raw) // 3 // 188 * 188 :])
    got = picked(path, 25)
    assert got[0] > 20 and got == list(range(got[0], 100))


@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "120"])
def test_encoders_get_the_frame_shown_at_its_time(tmp_path, rate):
    """25 and 8 fps, as MMAudio looks: every frame the one shown at k / rate, also of a video that starts late."""
    rate, count, first = Fraction(rate), 90, 3
    path = write_numbered(tmp_path / "a.mp4", list(range(first, first + count)), 1 / rate, rate=rate)
    times = [i / rate for i in range(count)]
    got = {"sync": [], "semantic": []}
    requests = [
        FrameRequest("sync", Fraction(25), 64, 64, "cover", "bicubic"),
        FrameRequest("semantic", Fraction(8), 96, 96, "squash", "bicubic"),
    ]
    for chunk in pick_frames(path, requests, chunk=16):
        got[chunk.name] += list(chunk.frames)
    assert [number_of(f) for f in got["semantic"]] == truth(times, count / rate, Fraction(8))
    wanted = truth(times, count / rate, Fraction(25))
    assert len(got["sync"]) == len(wanted) == math.ceil(count * 25 / rate)
    assert [middle_bits_of(f) for f in got["sync"]] == [index >> 2 & 15 for index in wanted]
    assert picked(path, 25) == wanted


def middle_bits_of(picture) -> int:
    """Bits 2 to 5 of the number burnt in: what the centred square of a picture twice as wide as high shows."""
    grey = picture.float().mean(0)
    centres = [8, 24, 40, 56]
    return sum(int(grey[16, x] > 128) << bit for bit, x in enumerate(centres))


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(8)])
def test_variable_rate_is_picked_exactly_at_the_rates_of_mmaudio(tmp_path, rate):
    gaps = np.random.default_rng(2).integers(3, 90, COUNT)
    pts = np.concatenate([[0], np.cumsum(gaps)]).tolist()
    path = write_numbered(tmp_path / "a.mkv", pts[:-1], Fraction(1, 1000), last_duration=int(gaps[-1]))
    times = [Fraction(2 * p - 1, 2000) if p else Fraction(0) for p in pts[:-1]]
    assert picked(path, rate) == truth(times, probe(path).duration, rate)


def test_bicubic_frames_are_those_of_an_exact_antialiased_resize(tmp_path):
    """Against the definition (Keys' kernel, a = -0.5, widened by the scale), to one level of 8 bits."""
    path = write_numbered(tmp_path / "a.mp4", list(range(5)), Fraction(1, 25), size=(96, 160))
    (whole,) = pick_frames(path, [FrameRequest("x", Fraction(25), 96, 160)])
    (covered,) = pick_frames(path, [FrameRequest("x", Fraction(25), 48, 48, "cover", "bicubic")])
    (squashed,) = pick_frames(path, [FrameRequest("x", Fraction(25), 48, 40, "squash", "bicubic")])
    rows = whole.frames.double().numpy()
    expected = np.einsum("yh,nchw,xw->ncyx", keys(96, 48), rows, keys(160, 80)).clip(0, 255)
    assert np.abs(covered.frames.numpy() - expected[..., 16:64]).max() <= 2
    expected = np.einsum("yh,nchw,xw->ncyx", keys(96, 48), rows, keys(160, 40)).clip(0, 255)
    assert np.abs(squashed.frames.numpy() - expected).max() <= 2


def keys(before: int, after: int, a: float = -0.5) -> np.ndarray:
    """Antialiased bicubic interpolation as a matrix [after, before]."""
    scale = before / after
    centre = (np.arange(after) + 0.5) * scale
    x = np.abs(np.arange(before) + 0.5 - centre[:, None]) / scale
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    kernel = np.where(x < 1, near, np.where(x < 2, far, 0))
    return kernel / kernel.sum(1, keepdims=True)
