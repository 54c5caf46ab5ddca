"""What a region (`region.Region`) makes of the sync encoder's features: one feed for each region of a run.

By attention a region's feed has the seen share of each patch for every feature: the mask's frames go through a stream
of the encoder's own kind, so that they meet the features of the frames they belong to. By grey it has the features of
pictures that are mid-grey outside of the region, encoded beside those of the whole pictures. Other encoders (what is
seen as a whole, at 8 Hz) see the whole picture, as where words select.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.encoders.base import FeatureStream, FrameEncoder, Inputs, Maskable, Outputs
from openfoley.encoders.streams import encoded_by_rows
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.media.read.opening import shown
from openfoley.media.source import Source
from openfoley.media.time.timecode import Timecode, time_in
from openfoley.region import Box, Region
from openfoley.request import Request
from openfoley.synthesis.feature_reader import FeatureReader
from openfoley.synthesis.features import FeatureRun, ShotEncoding, frame_request
from openfoley.synthesis.picture_masks import PictureMask, followed_box, greyed, is_empty, mask_file
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot

logger = logging.getLogger(__name__)

SYNC = "sync"  # the encoder that a region acts in
MID_GREY = 128  # 0 behind the encoders' normalisation


@dataclass(frozen=True)
class PatchShares:
    """A mask's frames to the seen share of each patch, at the times of an encoder's features."""

    encoder: Maskable

    @property
    def inputs(self) -> Inputs:
        return self.encoder.inputs

    @property
    def outputs(self) -> Outputs:
        return replace(self.encoder.outputs, dim=self.encoder.patches)

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n patches"]:
        return encoded_by_rows(self, frames)

    def stream(self, live: bool = False) -> FeatureStream:
        return self.encoder.mask_stream()


def regions_of(plan: Sequence[PlannedWindow], requests: Sequence[Request]) -> dict[Region, list[Shot]]:
    """The regions of the windows that are sampled, and the shots of these windows; the first is the shot at hand."""
    found: dict[Region, list[Shot]] = {}
    for planned in plan:
        for request in requests:
            prompting = request.prompting if planned.cue is None else request.prompting.in_cue(planned.cue)
            if prompting.region is not None and not planned.silent:
                found.setdefault(prompting.region, []).append(planned.shot)
    return found


def region_readers(
    model: Model,
    source: Source,
    shots: Sequence[Shot],
    regions: Mapping[Region, Sequence[Shot]],
    device: torch.device,
) -> dict[Region, FeatureReader]:
    """A reader of each region's feed; boxes are followed now. UsageError for a box that no encoder sees."""
    readers: dict[Region, FeatureReader] = {}
    if not regions:
        return readers
    encoder = model.encoders[SYNC]
    assert isinstance(encoder, FrameEncoder), "the request is checked"
    for region, sampled in regions.items():
        mask, seer = _mask(region, sampled, source, shots), encoder
        if is_empty(mask, request := frame_request(SYNC, encoder)):
            raise UsageError(
                f"{region.option} selects nothing of what {model.name} sees, the centre of the picture at "
                f"{request.width}:{request.height}; choose another place, or a model that sees the whole picture"
            )
        if region.by == "attention":
            assert isinstance(encoder, Maskable), "the request is checked"
            seer = PatchShares(encoder)
        feed = _feed(seer, mask, source, shots, device, None if region.by == "attention" else MID_GREY)
        readers[region] = FeatureReader({SYNC: seer}, shots, feed, device)
    return readers


def _mask(region: Region, sampled: Sequence[Shot], source: Source, shots: Sequence[Shot]) -> PictureMask:
    if region.mask is not None:
        mask = mask_file(region.mask, source.info)
        if mask.said:
            logger.info("select_mask: %s: %s", shown(region.mask), "; ".join(mask.said))
        return mask
    box = region.box
    assert box is not None, "a region is a box or a mask"
    time = box.time
    shot = sampled[0] if time is None else next(one for one in reversed(shots) if one.start <= Fraction(time))
    place = f"{float(shot.start):.2f} to {float(shot.end):.2f} s"
    if shot not in sampled:
        raise UsageError(
            f"select_box {box} lies in the shot from {place}, of which no sound is generated here; give a time from "
            f"{float(sampled[0].start):.2f} to {float(sampled[0].end):.2f} s"
        )
    if any(one != shot for one in sampled):
        logger.warning(
            "select_box %s is followed in its shot, %s; in the other shots nothing is selected: give each a cue with a "
            "box of its own", box, place,
        )  # fmt: skip
    return followed_box(box, shot, source)


def _feed(
    encoder: FrameEncoder,
    mask: PictureMask,
    source: Source,
    shots: Sequence[Shot],
    device: torch.device,
    grey: int | None,
) -> Iterator[FeatureRun]:
    """The features of the mask, or with `grey` of the source's frames that are so grey where it hides them."""
    request, encoding = frame_request(SYNC, encoder), ShotEncoding(SYNC, encoder, shots, device, 0)
    masks = mask.frames(request)
    if grey is None:
        for chunk in masks:
            yield from encoding.push(chunk)
    else:
        rows = (frame for chunk in masks for frame in chunk.frames)
        for chunk in source.chunks([request]):
            own = torch.stack([next(rows) for _ in range(len(chunk.frames))])
            yield from encoding.push(replace(chunk, frames=greyed(chunk.frames, own, grey)))
    yield from encoding.finish()


def with_region_times(source: Source, request: Request, start: Timecode) -> Request:
    """The request with the times of its boxes in s, its masks checked. UsageError for a time outside of the video, or a
    mask that does not fit it; MediaError."""

    def timed(name: str, box: Box | None) -> Box | None:
        if box is None or box.time is None:
            return box
        time, end = time_in(box.time, start, f"{name}: time"), source.info.duration
        if not 0 <= time < end:
            raise UsageError(
                f"{name}: the time {float(time):g} s lies outside of the video, which has pictures from 0 to "
                f"{float(end):.3f} s; give the time of a picture that shows the thing"
            )
        return replace(box, time=time)

    if not request.regions:
        return request
    prompting, timeline = request.prompting, request.timeline
    cues = tuple(replace(cue, select_box=timed("cues: select_box", cue.select_box)) for cue in timeline.cue_list)
    prompting = replace(prompting, select_box=timed("select_box", prompting.select_box))
    for path in dict.fromkeys(region.mask for region in request.regions if region.mask is not None):
        if source.has_picture:
            mask_file(path, source.info)
    return replace(request, prompting=prompting, timeline=replace(timeline, cues=cues))
