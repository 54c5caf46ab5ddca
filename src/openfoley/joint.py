"""Sound and picture together, from words: another line than `pipeline`, which makes sound for a picture.

    pairs = openfoley.load_pair("DIR/model").generate(prompt="a stick taps a wooden box", gamma=1.5, seed=1)
    pairs[0].save("pair.mp4")

With `given_video` the same weights make sound for a video, with `given_sound` a video for a sound: the known modality
is kept on its path of noise (arXiv 2409.17550 trains one model for both; `generators.joint.sampling`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.checks import Number, some_text, text
from openfoley.errors import UsageError
from openfoley.flow.timestep_adjustment import HIGHEST_GAMMA, LOWEST_GAMMA, PAPER_GAMMA
from openfoley.generators.joint.model import Pair
from openfoley.generators.joint.sampling import (
    GivenPair,
    LocalSteps,
    PairGuidance,
    PairSampling,
    TimestepMap,
    sample_pair,
)
from openfoley.hub.pair import DEFAULT_PAIR_MODEL, Precision, load_pair_model
from openfoley.hub.pair_parts import LossCurves, PairLimits, PairModel, check_words
from openfoley.media.frames import FrameRequest
from openfoley.media.read.opening import shown
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.atomic import check_output, replace_when_done
from openfoley.media.write.encode import write_video
from openfoley.types import Audio

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")
SHORTEST_FRAMES = 8
DIVISOR = 8
"""Frames come in multiples of this: a second, a whole number of the spectrogram's steps."""
STEPS, COUNT, GUIDANCE = Number(1, 1000, whole=True), Number(1, 64, whole=True), Number(0, 30)
GAMMA = Number(LOWEST_GAMMA, HIGHEST_GAMMA)
SEED = Number(0, 2**63 - 1, whole=True)
DURATION = Number(0.1, 600, " s")


@dataclass(frozen=True)
class PairRequest:
    """What to generate; None: the model's default. gamma: how much cleaner the video's timesteps are (1: as the
    sound's), `auto`: where both are equally known on validation clips, as one exponent; `map`: the same without an
    exponent. seed: of the first pair, the next have the seeds after it. duration in s. connected: False leaves the
    connectors out, each base model for itself."""

    prompt: str | None = None
    negative_prompt: str = ""
    gamma: float | Literal["auto", "map"] = PAPER_GAMMA
    steps: int | None = None
    seed: int = 1
    count: int = 1
    duration: float | None = None
    given_video: Path | None = None
    given_sound: Path | None = None
    video_guidance: float | None = None
    audio_guidance: float | None = None
    connected: bool = True

    def __post_init__(self) -> None:
        if self.given_video is not None and self.given_sound is not None:
            raise UsageError("a video and a sound are both given: nothing is left to generate; give one of them")
        if not self.connected and (self.given_video or self.given_sound):
            raise UsageError("without connectors a given video or sound changes nothing; leave one of both out")
        if self.prompt is not None:
            some_text("prompt", self.prompt)
        elif self.given_video is None and self.given_sound is None:
            raise UsageError("there is no prompt; describe the scene and its sound: --prompt 'a stick taps a box'")
        text("negative_prompt", self.negative_prompt)
        if self.gamma not in ("auto", "map"):
            if isinstance(self.gamma, str):
                raise UsageError(f"gamma must be a number, 'auto' or 'map', got {self.gamma!r}")
            GAMMA("gamma", self.gamma)
        for name, check in (
            ("steps", STEPS), ("duration", DURATION), ("video_guidance", GUIDANCE), ("audio_guidance", GUIDANCE),
        ):  # fmt: skip
            if getattr(self, name) is not None:
                check(name, getattr(self, name))
        COUNT("count", self.count)
        SEED("seed", self.seed)


@dataclass(frozen=True)
class KnownPair:
    """What is given of a pair: at most one of both, as long as the pair and in the codec's form."""

    frames: UInt8[Tensor, "frames 3 height width"] | None = None
    sound: Float[Tensor, " samples"] | None = None


@dataclass(frozen=True)
class MadePair:
    """A video and its sound. rate: frames a second; sample_rate: Hz."""

    frames: UInt8[Tensor, "frames 3 height width"]
    rate: int
    sound: Float[Tensor, " samples"]
    sample_rate: int
    seed: int

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """One file with both. UsageError, OutputError."""
        place = check_pair_output(path, force)
        audio = Audio(self.sound[None].clamp(-1, 1), self.sample_rate)
        with replace_when_done(place, force=True) as unfinished:
            write_video(unfinished, [self.frames], Fraction(self.rate), audio=audio)
        return place


def check_pair_output(path: str | os.PathLike[str], force: bool = False) -> Path:
    """UsageError for a file that cannot hold both, or exists."""
    place = Path(path)
    if place.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"cannot write {str(place)!r}: use one of {', '.join(VIDEO_SUFFIXES)}")
    check_output(place, [], force)
    return place


class JointPipeline:
    """A loaded model."""

    def __init__(self, model: PairModel) -> None:
        self.model = model

    def generate(self, request: PairRequest | None = None, **fields: Any) -> list[MadePair]:
        """request, with these fields changed, or its fields alone. UsageError, MediaError."""
        return generate_pair(self.model, PairRequest(**fields) if request is None else replace(request, **fields))


def load_pair(
    name_or_folder: str | os.PathLike[str] = DEFAULT_PAIR_MODEL,
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    precision: Precision = "float32",
) -> JointPipeline:
    """A model of sound and picture together; see `hub.pair.load_pair_model`. UsageError, WeightsError."""
    return JointPipeline(load_pair_model(name_or_folder, device, weights_dir, precision=precision))


def generate_pair(
    model: PairModel,
    request: PairRequest,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    known: KnownPair | None = None,
) -> list[MadePair]:
    """`request.count` pairs, one after the other, so that their bytes do not depend on how many there are. on_step: is
    given the finished steps of all and their number. known: in place of the request's files."""
    frames = requested_frames(model, request)
    samples = model.codec.sample_rate * frames // model.rate
    steps = LocalSteps.of(model.generator.config, request.steps or model.steps, _gamma(model, request))
    for prompt in (request.prompt or "", request.negative_prompt):
        model.texts.check(prompt)
    guidance = PairGuidance(
        model.video_guidance if request.video_guidance is None else request.video_guidance,
        model.audio_guidance if request.audio_guidance is None else request.audio_guidance,
    )
    known = known or _known(model, request, frames, samples)
    given = GivenPair(
        None if known.frames is None else model.codec.encode_video(known.frames[None]).to(model.device),
        None if known.sound is None else model.codec.encode_audio(known.sound[None]).to(model.device),
    )
    with torch.no_grad():
        negative, positive = model.texts([request.negative_prompt]), model.texts([request.prompt or ""])
    how, made, each = PairSampling(steps, guidance, given, request.connected), [], len(steps.video)
    for number in range(request.count):
        noise = noise_of(model, request.seed + number, frames, samples)
        latents = sample_pair(
            model.generator, noise, negative, positive, how,
            on_step=lambda done, before=number: on_step(before * each + done, request.count * each),
        )  # fmt: skip
        video = model.codec.decode_video(latents.video.cpu())[0] if known.frames is None else known.frames
        sound = model.codec.decode_audio(latents.audio.cpu())[0, :samples] if known.sound is None else known.sound
        made.append(MadePair(video, model.rate, sound, model.codec.sample_rate, request.seed + number))
    return made


def requested_frames(model: PairLimits, request: PairRequest) -> int:
    """The number of frames; UsageError for more than the motion modules have positions for, saying what is possible."""
    if request.duration is None:
        return model.frames
    frames, rate = round(request.duration * model.rate), model.rate
    if not SHORTEST_FRAMES <= frames <= model.longest_frames or frames % DIVISOR:
        raise UsageError(
            f"{model.name} makes {SHORTEST_FRAMES / rate:g} to {model.longest_frames / rate:g} s (at most "
            f"{model.longest_frames} frames of its motion modules) in steps of {DIVISOR / rate:g} s, got "
            f"{request.duration:g} s; it was trained on {model.frames / rate:g} s"
        )
    return frames


def check_request(limits: PairLimits, request: PairRequest) -> None:
    """What is wrong with a request for a model that need not be loaded, given files too. UsageError, MediaError."""
    frames = requested_frames(limits, request)
    _check_gamma(limits, request)
    for prompt in (request.prompt or "", request.negative_prompt):
        if limits.longest_words is not None:
            check_words(limits.name, limits.longest_words, prompt)
    if (video := request.given_video) is not None:
        _check_length(limits, video, float(Source.file(video).info.duration), frames / limits.rate)
    if (sound := request.given_sound) is not None:
        audio = read_audio(sound)
        _check_length(limits, sound, audio.samples.shape[-1] / audio.sample_rate, frames / limits.rate)


def noise_of(model: PairModel, seed: int, frames: int, samples: int) -> Pair:
    """Of one pair: it depends on the seed and the lengths alone."""
    random = torch.Generator().manual_seed(seed)
    video = torch.randn(1, *model.codec.video_shape(frames), generator=random)
    audio = torch.randn(1, *model.codec.audio_shape(samples), generator=random)
    return Pair(video.to(model.device), audio.to(model.device))


def _gamma(model: PairModel, request: PairRequest) -> float | TimestepMap:
    if not isinstance(request.gamma, str):
        return float(request.gamma)
    curves = _check_gamma(model, request)
    assert curves is not None
    if request.gamma == "map":
        return curves.video_of_audio
    return min(max(curves.gamma, LOWEST_GAMMA), HIGHEST_GAMMA)


def _check_gamma(model: PairLimits, request: PairRequest) -> LossCurves | None:
    """The curves that `auto` and `map` need."""
    if model.curves is None and isinstance(request.gamma, str):
        raise UsageError(
            f"{model.name} has no loss curves, from which gamma {request.gamma!r} is computed; pass a number such as "
            f"{PAPER_GAMMA}"
        )
    return model.curves


def _known(model: PairModel, request: PairRequest, frames: int, samples: int) -> KnownPair:
    if request.given_video is not None:
        return KnownPair(frames=given_frames(model, request.given_video, frames))
    if request.given_sound is not None:
        return KnownPair(sound=given_samples(model, request.given_sound, samples))
    return KnownPair()


def given_frames(model: PairModel, path: Path, frames: int) -> UInt8[Tensor, "frames 3 height width"]:
    """Of a video as long as the pair, within a frame; the middle of its picture."""
    size = model.codec.picture_size
    source = Source.file(path)
    _check_length(model, path, float(source.info.duration), frames / model.rate)
    request = FrameRequest("given", Fraction(model.rate), size, size, fit="cover")
    found = torch.cat([chunk.frames for chunk in source.chunks([request])])[:frames]
    return torch.cat((found, found[-1:].expand(frames - len(found), -1, -1, -1)))


def given_samples(model: PairModel, path: Path, samples: int) -> Float[Tensor, " samples"]:
    """Of a sound as long as the pair, within a frame; the mean of its channels."""
    found = read_audio(path, model.codec.sample_rate).samples.mean(0)
    _check_length(model, path, len(found) / model.codec.sample_rate, samples / model.codec.sample_rate)
    return torch.nn.functional.pad(found, (0, max(0, samples - len(found))))[:samples]


def _check_length(model: PairLimits, path: Path, found_s: float, wanted_s: float) -> None:
    if abs(found_s - wanted_s) > 1 / model.rate:
        raise UsageError(
            f"{shown(path)} is {found_s:.2f} s long, the pair {wanted_s:g} s; cut it to that length, or pass "
            f"duration ({SHORTEST_FRAMES / model.rate:g} to {model.longest_frames / model.rate:g} s)"
        )
