"""The attention of a selective encoder's patches to the words of a text, over time.

A patch divides an attention of 1, the mean over the heads, among the words of the text and the supplementary tokens
([SUP], arXiv 2512.02650, section 3): the words' share is the map, that of [SUP] is shown as a curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.encoders.base import TextConditioned
from openfoley.encoders.text_selection import CrossAttention, TextSelection
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.synthesis.conditions import Texts
from openfoley.synthesis.features import (
    ShotEncoding,
    first_instant,
    frame_encoders,
    frame_request,
    frames_of,
)
from openfoley.synthesis.selection import check_picture, check_selection, model_for, words_encoders
from openfoley.timeline.shots import shots_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = 8  # in the drawing
SHARE = "share of attention (0 to 1)"


@runtime_checkable
class _Selective(TextConditioned, Protocol):
    selection: TextSelection


@dataclass(frozen=True)
class AttentionMaps:
    """words: what the words get from each patch, 0 to 1. time_s: instants of the features. pictures: some of the frames
    as the encoder sees them, shown at picture_s. supplementary: how many [SUP] tokens there are."""

    words: Float[Tensor, "n rows columns"]
    time_s: Float[Tensor, " n"]
    pictures: UInt8[Tensor, "pictures 3 height width"]
    picture_s: Float[Tensor, " pictures"]
    supplementary: int

    @property
    def supplementary_share(self) -> Float[Tensor, " n"]:
        """What the [SUP] tokens get, the mean over the picture."""
        return 1 - self.words.mean((1, 2))


@torch.inference_mode()
def attention_maps(model: Model, source: Source, text: str) -> AttentionMaps:
    """The maps of a whole video, cuts ignored. Raises UsageError, MediaError."""
    request = Request.of(select=text)
    check_selection(model, request)
    check_picture(source, request)
    model = model_for(model, request)
    name, encoder = next((n, e) for n, e in frame_encoders(model).items() if isinstance(e, _Selective))
    selection, mix = encoder.selection, encoder.selection.mix
    if not isinstance(mix, CrossAttention):
        raise UsageError(f"{model.name} has no attention to show: its selection is a concatenation")
    tokens = Texts(words_encoders(model)[encoder.inputs.words], model.device)(text)
    words, is_word = selection.words(tokens.values.to(selection.empty), tokens.present)
    shots = shots_of(source.info.duration, [], "none")

    def share(features: Float[Tensor, "n dim"]) -> Float[Tensor, "n patches"]:
        patches = features.unflatten(-1, (-1, mix.query.in_features)).to(words.dtype)
        every = (len(patches), -1, -1)
        weights = mix.weights(patches, words.expand(*every), is_word.expand(*every[:2])).mean(1)
        return weights[..., len(selection.supplementary) :].sum(-1).cpu()

    shares, pictures = _in_one_pass(source, ShotEncoding(name, encoder, shots, model.device, first_shot=0), share)
    start, rate = first_instant(encoder, shots[0]), Fraction(encoder.outputs.rate)
    time_s = torch.tensor([float(start + k / rate) for k in range(len(shares))])
    picture_s = torch.tensor([float(k / frames_of(encoder).rate) for k in pictures])
    shown, supplementary = torch.stack(list(pictures.values())), len(selection.supplementary)
    shares = shares.unflatten(1, (math.isqrt(shares.shape[1]), -1))
    return AttentionMaps(shares, time_s, shown, picture_s, supplementary)


def _in_one_pass(
    source: Source, encoding: ShotEncoding, share: Callable[[Float[Tensor, "n dim"]], Float[Tensor, "n patches"]]
) -> tuple[Float[Tensor, "m patches"], dict[int, UInt8[Tensor, "3 height width"]]]:
    """`share` of all features of a video, and the frames at the middles of equal parts of it, by their numbers."""
    asked = frame_request(encoding.name, encoding.encoder)
    count = max(1, math.ceil(source.info.duration * asked.rate))
    wanted = sorted({int((k + 0.5) * count / PICTURES) for k in range(PICTURES)})
    shares, pictures = [], {}
    for chunk in source.chunks([asked]):
        shares += [share(run.features) for run in encoding.push(chunk)]
        inside = [k for k in wanted if 0 <= k - chunk.first_index < len(chunk.frames)]
        pictures |= {k: chunk.frames[k - chunk.first_index].clone() for k in inside}
    shares += [share(run.features) for run in encoding.finish()]
    return torch.cat(shares), pictures


def draw(maps: AttentionMaps, text: str) -> Figure:
    """The frames with the words' share over them, and both shares over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * PICTURES, 5.2), layout="constrained")
    figure.suptitle(f"{text}: attention of each patch to the words", fontsize=10)
    grid = figure.add_gridspec(2, PICTURES, height_ratios=[2, 1.2])
    low, high = float(maps.words.min()), float(maps.words.max())
    for column, (picture, at) in enumerate(zip(maps.pictures, maps.picture_s, strict=True)):
        axis = figure.add_subplot(grid[0, column])
        nearest = int((maps.time_s - at).abs().argmin())
        height, width = picture.shape[1:]
        axis.imshow(picture.permute(1, 2, 0).numpy())
        shown = axis.imshow(
            maps.words[nearest].numpy(), extent=(0, width, height, 0), cmap="magma", alpha=0.55, vmin=low, vmax=high
        )
        axis.set_title(f"{float(at):.2f} s", fontsize=8)
        axis.set_axis_off()
        if column == len(maps.pictures) - 1:
            figure.colorbar(shown, ax=axis, shrink=0.6, label=SHARE)
    axis = figure.add_subplot(grid[1, :])
    axis.plot(maps.time_s, maps.words.mean((1, 2)), label="words, mean of the picture")
    axis.plot(maps.time_s, maps.words.amax((1, 2)), label="words, most attentive patch", linewidth=0.8)
    axis.plot(maps.time_s, maps.supplementary_share, label=f"{maps.supplementary} [SUP], mean of the picture")
    axis.set(xlabel="time, s", ylabel=SHARE, ylim=(-0.02, 1.02))
    axis.legend(fontsize=8)
    return figure
