"""Edits and extensions: everything outside the span is bit-identical in every format."""

import random
import struct
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch

from openfoley.errors import MediaError, UsageError
from openfoley.media.read.sound_source import sound_source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Defaults, Timeline

MakeVideo = Callable[..., Path]
LENGTH_S = 3.0


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: MakeVideo) -> Path:
    return make_video("clip.mp4", duration_s=LENGTH_S, sound=True)


@pytest.fixture
def sound(tmp_path: Path) -> Callable[..., Path]:
    """sound(name, rate, channels, subtype, seconds): noise in a file."""

    def make(name: str, rate: int, channels: int, subtype: str, seconds: float = LENGTH_S) -> Path:
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))
        soundfile.write(tmp_path / name, noise, rate, subtype=subtype)
        return tmp_path / name

    return make


def changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """First and last sample that differ."""
    (where,) = np.nonzero((before != after).any(1))
    return int(where[0]), int(where[-1])


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 44100, 2, "PCM_16"),
        ("a.wav", 48000, 1, "PCM_24"),
        ("a.wav", 22050, 2, "FLOAT"),
        ("a.flac", 48000, 2, "PCM_24"),
        ("a.flac", 44100, 1, "PCM_16"),
    ],
)
def test_only_the_span_changes(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path], name: str, rate: int, channels: int, subtype: str
) -> None:
    path = sound(name, rate, channels, subtype)
    take = pipeline.edit(video, (1.1, 1.9), sound=path, steps=1, seed=3)
    out = take.save(path.with_name("out" + path.suffix))
    before, _ = soundfile.read(path, dtype="float64", always_2d=True)
    after, _ = soundfile.read(out, dtype="float64", always_2d=True)
    assert soundfile.info(out).subtype == subtype and after.shape == before.shape
    first, last = changed(before, after)
    assert round(1.1 * rate) <= first < round(1.1 * rate) + 0.005 * rate
    assert round(1.9 * rate) - 0.005 * rate < last < round(1.9 * rate)


def test_random_spans_leave_everything_else_alone(pipeline: Pipeline, video: Path, sound: Callable[..., Path]) -> None:
    path = sound("a.wav", 48000, 2, "PCM_24")
    before, _ = soundfile.read(path, dtype="float32", always_2d=True)
    draw = random.Random(5)
    for seed in range(6):
        start, end = sorted((draw.uniform(0, LENGTH_S), draw.uniform(0, LENGTH_S)))
        start, end = max(0.0, min(start, LENGTH_S - 0.05)), max(end, start + 0.05)
        take = pipeline.edit(video, (start, min(end, LENGTH_S)), sound=path, steps=1, seed=seed)
        after = take.audio.samples.T.numpy()
        first, last = changed(before, after)
        assert round(start * 48000) <= first and last < round(end * 48000)


def test_an_edit_begins_and_ends_without_a_step(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    """A constant stays nearly constant across the edges: the fade weights start at the old sound."""
    soundfile.write(tmp_path / "dc.wav", np.full((3 * 44100, 2), 0.5), 44100, subtype="FLOAT")
    after = pipeline.edit(video, (1.0, 2.0), sound=tmp_path / "dc.wav", steps=1).audio.samples
    for edge in (44100, 2 * 44100):
        assert after[:, edge - 2 : edge + 2].diff().abs().max() < 1e-3


def test_the_same_edit_gives_the_same_bytes_and_another_seed_does_not(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path]
) -> None:
    path = sound("a.wav", 44100, 2, "PCM_24")
    first, again, other = (
        pipeline.edit(video, (1, 2), sound=path, steps=1, seed=seed).audio.samples for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_surroundings_are_the_known_latents(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known latents on both sides are those of the existing sound, encoded."""
    from openfoley.synthesis import windows as engine

    asked = []
    real = engine.sample_latents

    def spy(*arguments: Any, **options: Any) -> torch.Tensor:
        asked.append(options["known"])
        return real(*arguments, **options)

    monkeypatch.setattr(engine, "sample_latents", spy)
    path = sound("a.wav", 44100, 2, "FLOAT")
    pipeline.edit(video, (1.0, 2.0), sound=path, steps=1)
    (clean,) = asked
    known = clean.is_known[0]
    assert known[:22].all() and known[-22:].all() and not known[22:-22].any()
    whole = pipeline.model.codec.encode(torch.from_numpy(soundfile.read(path, dtype="float32")[0].T.copy())[None])
    first, behind = 1 * 44100 // 1024, -(-2 * 44100 // 1024)
    torch.testing.assert_close(clean.latent[:, :22], whole[:, first - 22 : first], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(clean.latent[:, -22:], whole[:, behind : behind + 22], atol=1e-4, rtol=1e-4)


def test_the_sound_of_a_video_is_edited_in_its_place(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    """Lossy in, lossless out; the picture's packets are the same."""
    take = pipeline.edit(video, (1.0, 2.0), steps=1)
    out = take.save(tmp_path / "out.mov")
    source, result = sound_source(video), sound_source(out)
    assert (result.bit_depth, result.number) == ("32f", 0)
    before, after = (torch.cat(list(s.chunks()), -1).T.numpy() for s in (source, result))
    first, last = changed(before, after)
    assert 44100 <= first and last < 2 * 44100
    with av.open(str(out)) as container, av.open(str(video)) as origin:
        assert len(container.streams.audio) == 1
        packets = [bytes(p) for p in origin.demux(video=0) if p.size]
        assert [bytes(p) for p in container.demux(video=0) if p.size] == packets
    with pytest.raises(UsageError, match="loss"):
        take.save(tmp_path / "out.mp4")


def test_our_own_sound_is_the_one_that_is_edited(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    both = pipeline.generate(video, steps=1).save(tmp_path / "both.mkv")
    assert sound_source(both).number == 1
    out = pipeline.edit(both, (1.0, 2.0), steps=1, seed=9).save(tmp_path / "edited.mkv")
    own_before, own_after = (torch.cat(list(sound_source(p, 0).chunks()), -1) for p in (both, out))
    assert torch.equal(own_before, own_after)
    before, after = (torch.cat(list(sound_source(p).chunks()), -1).T.numpy() for p in (both, out))
    first, last = changed(before, after)
    assert 44100 <= first and last < 2 * 44100


@pytest.mark.parametrize(("seconds", "rate"), [(1.0, 44100), (1.37, 48000)])
def test_extending_keeps_what_is_there(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path], seconds: float, rate: int
) -> None:
    path = sound("short.wav", rate, 2, "PCM_16", seconds)
    take = pipeline.extend(video, sound=path, steps=1)
    before = torch.cat(list(sound_source(path).chunks()), -1)
    after = take.audio.samples
    assert after.shape[-1] == round(LENGTH_S * rate)
    kept = before.shape[-1] - rate // 100 - 1
    assert torch.equal(after[:, :kept], before[:, :kept])
    assert after[:, before.shape[-1] :].abs().amax(0).gt(0).float().mean() > 0.9
    with pytest.raises(UsageError, match="nothing to extend"):
        pipeline.extend(video, sound=take.save(path.with_name("whole.wav")), steps=1)


@pytest.mark.parametrize("verb", ["edit", "extend"])
def test_a_recorders_notes_and_its_time_stay_with_the_sound(
    pipeline: Pipeline, make_video: MakeVideo, tmp_path: Path, verb: str
) -> None:
    """A Broadcast Wave: the video's own timecode does not replace when the sound was recorded."""
    video = timed(make_video("timed.mov", duration_s=LENGTH_S), tmp_path / "timed.mov", "01:00:00:00")
    body = b"Take 3".ljust(256, b"\0") + b"Recorder".ljust(32, b"\0") + b"REC1".ljust(32, b"\0") + b"2024-05-0607:08:09"
    body += struct.pack("<QH", 36000 * 44100 + 7, 1) + bytes(254)
    seconds = LENGTH_S if verb == "edit" else 2.0
    soundfile.write(tmp_path / "a.wav", np.full((round(seconds * 44100), 2), 0.1), 44100, subtype="PCM_24")
    plain = (tmp_path / "a.wav").read_bytes()
    noted = b"".join(kind + struct.pack("<I", len(b)) + b for kind, b in ((b"bext", body), (b"iXML", b"<BWFXML/>!")))
    (tmp_path / "a.wav").write_bytes(plain[:4] + struct.pack("<I", len(plain) + len(noted) - 8) + plain[8:] + noted)
    options = {"sound": tmp_path / "a.wav", "steps": 1}
    take = pipeline.edit(video, (1.0, 1.5), **options) if verb == "edit" else pipeline.extend(video, **options)
    assert noted in take.save(tmp_path / "out.wav").read_bytes()
    with av.open(str(take.save(tmp_path / "out.flac"))) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["time_reference"] == str(36000 * 44100 + 7) and tags["originator_reference"] == "REC1"
        assert tags["ixml"] == "<BWFXML/>!"
    given = take.save(tmp_path / "given.wav", start_timecode="02:00:00:00")
    with av.open(str(given)) as container:
        assert container.metadata["time_reference"] == str(7200 * 44100)


def timed(video: Path, out: Path, timecode: str) -> Path:
    with av.open(str(video)) as old, av.open(str(out), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        copy.metadata["timecode"] = timecode
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = copy
                new.mux(packet)
    return out


@pytest.mark.parametrize("end", [2.9, 2.97])
def test_a_span_near_the_end_of_a_sound_that_is_shorter_than_its_picture(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path], end: float
) -> None:
    """Behind it lie fewer latents of sound than of picture."""
    path = sound("short.wav", 44100, 2, "PCM_16", LENGTH_S - 0.03)
    before = soundfile.read(path)[0]
    after = soundfile.read(pipeline.edit(video, (1.0, end), sound=path, steps=1).save(path.with_name("o.wav")))[0]
    first, last = changed(before, after)
    assert len(after) == len(before) and first >= 44100 and last < end * 44100


@pytest.mark.parametrize(
    ("span", "says"),
    [((2.0, 1.0), "begin before"), ((1.0, 9.0), "3.000 s"), ((-1, 1), "lie from 0"), ((1, 1.01), "at least")]
    + [(("a", 1), "seconds"), ((1.0, float("nan")), "seconds")],
)
def test_spans_outside_the_video_are_usage_errors(pipeline: Pipeline, video: Path, span: tuple, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pipeline.edit(video, span, steps=1)


def test_a_span_whose_windows_know_the_overlap_too_reads_that_much_sound(
    pipeline: Pipeline, make_video: MakeVideo, sound: Callable[..., Path]
) -> None:
    """With join "swap" the windows know context and overlap, here 2 s, on both sides of the span."""
    film, path = make_video("six.mp4", duration_s=6.0), sound("a.wav", 44100, 1, "PCM_16", seconds=6.0)
    take = pipeline.edit(film, (3.0, 3.5), sound=path, join="swap", overlap=1.5, steps=1)
    before, after = soundfile.read(path, always_2d=True)[0], take.audio.samples.numpy().T
    first, last = changed(before, after)
    assert 3.0 * 44100 <= first < last < 3.5 * 44100
    with pytest.raises(UsageError, match=r"context and overlap together must be under 3\.99 s .*, got 4\.\d\d s"):
        pipeline.edit(film, (3.0, 3.5), sound=path, join="swap", context=3.6, overlap=1.5, steps=1)


def test_weights_that_the_model_has_not_or_out_of_range_are_refused(pipeline: Pipeline, video: Path) -> None:
    with pytest.raises(UsageError, match="negative_guidance is not an option of tiny; it has guidance, .*temperature"):
        pipeline.edit(video, (1.0, 2.0), negative_guidance=3.0)
    with pytest.raises(UsageError, match="text_guidance must be from 0 to 20, got -1"):
        pipeline.edit(video, (1.0, 2.0), text_guidance=-1.0)


def test_sounds_that_cannot_be_edited_are_refused(
    pipeline: Pipeline, video: Path, sound: Callable[..., Path], make_video: MakeVideo
) -> None:
    with pytest.raises(UsageError, match="channels"):
        pipeline.edit(video, (1, 2), sound=sound("a.wav", 44100, 6, "PCM_16"), steps=1)
    with pytest.raises(UsageError, match="does not exist"):
        pipeline.edit(video, (1, 2), sound="none.wav", steps=1)
    with pytest.raises(UsageError, match="extend"):
        pipeline.edit(video, (1, 2), sound=sound("s.wav", 44100, 2, "PCM_16", 1.5), steps=1)
    with pytest.raises(UsageError, match="number 3"):
        pipeline.edit(video, (1, 2), audio_stream=3, steps=1)
    with pytest.raises(UsageError, match="32-bit integers"):
        pipeline.edit(video, (1, 2), sound=sound("i.wav", 44100, 2, "PCM_32"), steps=1)
    with pytest.raises(MediaError, match="no sound"):
        pipeline.edit(make_video("silent.mp4", duration_s=1.0), (Fraction(0), Fraction(1, 2)), steps=1)


def test_steps_and_guidance_that_are_not_asked_are_the_usual_ones_of_the_model(
    pipeline: Pipeline, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openfoley

    monkeypatch.setattr(type(pipeline.model.generator), "defaults", Defaults(2, 1.5, 0.7))
    sampling = pipeline.edit(video, (1.0, 2.0)).request.sampling
    assert (sampling.steps, sampling.guidance) == (2, 1.5)
    sampling = openfoley.stream(pipeline, rate=24, chunk=0.5, context=0.5).request.sampling
    assert (sampling.steps, sampling.guidance) == (2, 1.5)


def test_a_window_can_continue_from_the_longest_context_that_may_be_asked() -> None:
    from openfoley.synthesis.assembler import KEPT_LATENTS

    (context,) = (one for one in fields(Timeline) if one.name == "context")
    assert KEPT_LATENTS >= context.metadata["check"].high * 44100 / 1024
